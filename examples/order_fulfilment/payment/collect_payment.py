"""How an order is paid. Whoever has sent `TakePayment` sees one command and one answer, and none of this."""

from __future__ import annotations

from datetime import timedelta

from examples.order_fulfilment.payment.context import Payment
from examples.order_fulfilment.payment.inner_messages import (
    BookPayment,
    CardCharged,
    CardUpdated,
    ChargeCard,
    ClosePayment,
    OpenPayment,
    RefundCharge,
    RestoreCredit,
    UseCredit,
)
from examples.order_fulfilment.payment.messages import (
    CardExpired,
    CardStillExpired,
    PaymentTaken,
    TakePayment,
)
from saga import Retry, Saga, again, answer, choice, condition, publish, refuse, scope, step, wait

__all__ = ["PATIENT", "CollectPayment"]

PATIENT = Retry(attempts=12, first=timedelta(minutes=1), max=timedelta(hours=1))
"""The card processor may be out of reach for an afternoon."""


class CollectPayment(Saga[TakePayment], context=Payment, version=1):
    """Credit first, then the card; when that has expired, ask for another one, for two weeks."""

    @step()
    def open_payment(self) -> OpenPayment:
        order = self.input
        return OpenPayment(order.order_id, order.customer_id, order.amount)

    @open_payment.compensation
    def close_payment(self) -> ClosePayment:
        """Runs last, so that the book says what has happened, not what is going to happen."""
        return ClosePayment(self.open_payment.payment_id)

    @step()
    def use_credit(self) -> UseCredit:
        return UseCredit(self.open_payment.payment_id)

    @use_credit.compensation
    def restore_credit(self) -> RestoreCredit:
        return RestoreCredit(self.open_payment.payment_id)

    @condition
    def something_is_left(self) -> bool:
        return self.use_credit.left > 0

    @step(retry=PATIENT)
    def charge_card(self) -> ChargeCard:
        return ChargeCard(self.open_payment.payment_id, self.use_credit.left)

    @charge_card.compensation
    def refund_charge(self, charged: CardCharged | None) -> RefundCharge:
        """Also when the outcome of the charge is unknown."""
        return RefundCharge(self.open_payment.payment_id, charged.charge_id if charged else None)

    @publish
    def ask_for_card(self) -> CardExpired:
        return CardExpired(self.input.order_id)

    @publish
    def remind_customer(self) -> CardStillExpired:
        return CardStillExpired(self.input.order_id)

    @wait(
        CardUpdated,
        within=timedelta(days=14),
        every=(timedelta(days=3), remind_customer),
        otherwise=refuse("no valid card", code="no-card"),
    )
    def card_updated(self) -> str:
        """One new card is enough for all payments of the customer."""
        return self.input.customer_id

    @step()
    def book_payment(self) -> BookPayment:
        charge_id = self.charge_card.charge_id if self.something_is_left else None
        return BookPayment(self.open_payment.payment_id, charge_id)

    @answer
    def payment_taken(self) -> PaymentTaken:
        return PaymentTaken(self.open_payment.payment_id)

    flow = (
        open_payment,
        use_credit,
        choice(
            (
                something_is_left,
                scope(
                    charge_card,
                    catch={"card-expired": (ask_for_card, card_updated, again(at_most=3))},
                ),
            )
        ),
        book_payment,
        payment_taken,
    )
