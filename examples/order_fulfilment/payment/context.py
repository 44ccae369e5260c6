"""The bounded context of Payment."""

from __future__ import annotations

from typing import NamedTuple

from examples.money import amount, cents
from examples.order_fulfilment.payment.inner_messages import (
    BookPayment,
    CardUpdated,
    ClosePayment,
    CreditUsed,
    FindPayment,
    OpenPayment,
    PaymentFound,
    PaymentOpened,
    RestoreCredit,
    UseCredit,
)
from examples.order_fulfilment.payment.messages import (
    KeepCard,
    PaymentFailed,
    PaymentReceived,
    PaymentReturned,
    RedeemVoucher,
)
from examples.order_fulfilment.payment.tables import migrations
from saga import Context

__all__ = ["Payment"]


class PaymentRow(NamedTuple):
    """A row of the table of payments."""

    payment_id: str
    order_id: str
    customer_id: str
    amount_cents: int
    credit_cents: int
    state: str
    charge_id: str | None

    @property
    def card_cents(self) -> int:
        """What credit does not cover."""
        return self.amount_cents - self.credit_cents


class Payment(Context):
    """Keeps cards, credit and the book. Card data stays here; its gateway `CardProcessor` reads them here.

    The order in which things are done when an order is to be paid stands in `collect_payment.py` and
    `return_payment.py`.
    """

    migrations = migrations

    # --- from customers ---------------------------------------------------------------------------

    @KeepCard.handler
    def keep_card(self, command: KeepCard) -> None:
        digits = "".join(filter(str.isdigit, command.number))
        had_one = self.db.table("cards").count_where("customer_id = ?", [command.customer_id])
        self.db.execute(
            "INSERT INTO cards VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number",
            [command.customer_id, digits],
        )
        if had_one:
            self.publish(CardUpdated(command.customer_id))

    @RedeemVoucher.handler
    def redeem(self, command: RedeemVoucher) -> None:
        self._change_credit(command.customer_id, None, "voucher", cents(command.amount))

    # --- from Payment's own sagas -----------------------------------------------------------------

    @OpenPayment.handler
    def open(self, command: OpenPayment) -> PaymentOpened:
        payment_id = f"payment-{command.order_id}"
        self.db.table("payments").insert(
            {
                "payment_id": payment_id,
                "order_id": command.order_id,
                "customer_id": command.customer_id,
                "amount_cents": cents(command.amount),
                "state": "open",
            }
        )
        return PaymentOpened(payment_id)

    @UseCredit.handler
    def use_credit(self, command: UseCredit) -> CreditUsed:
        payment = self._payment(command.payment_id)
        used = min(self._credit_of(payment.customer_id), payment.amount_cents)
        self._change_credit(payment.customer_id, payment.payment_id, "credit used", -used)
        self._update(payment, credit_cents=used)
        return CreditUsed(amount(payment.amount_cents - used))

    @RestoreCredit.handler
    def restore_credit(self, command: RestoreCredit) -> None:
        payment = self._payment(command.payment_id)
        self._change_credit(payment.customer_id, payment.payment_id, "credit restored", payment.credit_cents)

    @BookPayment.handler
    def book(self, command: BookPayment) -> None:
        payment = self._payment(command.payment_id)
        self._enter(payment.customer_id, payment.payment_id, "card charged", payment.card_cents)
        self._update(payment, state="taken", charge_id=command.charge_id)
        self.publish(PaymentReceived(payment.order_id, amount(payment.amount_cents)))

    @FindPayment.handler
    def find(self, command: FindPayment) -> PaymentFound:
        return PaymentFound(self._payment(command.payment_id).charge_id)

    @ClosePayment.handler
    def close(self, command: ClosePayment) -> None:
        payment = self._payment(command.payment_id)
        if payment.state == "taken":
            self._enter(payment.customer_id, payment.payment_id, "card refunded", payment.card_cents)
            self._update(payment, state="returned")
            to_card, as_credit = amount(payment.card_cents), amount(payment.credit_cents)
            self.publish(PaymentReturned(payment.order_id, to_card, as_credit))
        else:
            self._update(payment, state="failed")
            self.publish(PaymentFailed(payment.order_id))

    # --- detail -----------------------------------------------------------------------------------

    def _payment(self, payment_id: str) -> PaymentRow:
        """Return a payment. LookupError when there is none."""
        for row in self.db.query("SELECT * FROM payments WHERE payment_id = ?", [payment_id]):
            return PaymentRow(**row)
        raise LookupError(f"no payment {payment_id}")

    def _update(self, payment: PaymentRow, **changes: object) -> None:
        self.db.table("payments").update(payment.payment_id, changes)

    def _credit_of(self, customer_id: str) -> int:
        """Return a customer's credit in cents."""
        for row in self.db.query("SELECT amount_cents FROM credit WHERE customer_id = ?", [customer_id]):
            return int(row["amount_cents"])
        return 0

    def _change_credit(self, customer_id: str, payment_id: str | None, kind: str, by_cents: int) -> None:
        """Give a customer credit, or take it when `by_cents` is negative, and enter that into the book."""
        self.db.execute("INSERT INTO credit VALUES (?, 0) ON CONFLICT DO NOTHING", [customer_id])
        self.db.execute(
            "UPDATE credit SET amount_cents = amount_cents + ? WHERE customer_id = ?", [by_cents, customer_id]
        )
        self._enter(customer_id, payment_id, kind, abs(by_cents))

    def _enter(self, customer_id: str, payment_id: str | None, kind: str, amount_cents: int) -> None:
        """Enter a movement of money into the book, if any has moved."""
        if amount_cents:
            self.db.table("book").insert(
                {
                    "customer_id": customer_id,
                    "payment_id": payment_id,
                    "kind": kind,
                    "amount_cents": amount_cents,
                }
            )
