"""The bounded context of Payment."""

from __future__ import annotations

from typing import NamedTuple

from examples.order_fulfilment.money import amount, cents
from examples.order_fulfilment.payment.messages import (
    BookPayment,
    CancelPayment,
    KeepCard,
    OpenPayment,
    PaymentFailed,
    PaymentOpened,
    PaymentReceived,
    PaymentReturned,
)
from examples.order_fulfilment.payment.tables import migrations
from saga import Context, Rejected

__all__ = ["Payment"]


class PaymentRow(NamedTuple):
    """A row of the table of payments."""

    payment_id: str
    order_id: str
    customer_id: str
    amount_cents: int
    state: str
    charge_id: str | None


class Payment(Context):
    """Keeps the cards and the book. Card data stays here; its gateway `CardProcessor` reads them here."""

    migrations = migrations

    @KeepCard.handler
    def keep_card(self, command: KeepCard) -> None:
        digits = "".join(filter(str.isdigit, command.number))
        self.db.execute(
            "INSERT INTO cards VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number",
            [command.customer_id, digits],
        )

    @OpenPayment.handler
    def open(self, command: OpenPayment) -> PaymentOpened | Rejected:
        if not self.db.table("cards").count_where("customer_id = ?", [command.customer_id]):
            self.publish(PaymentFailed(command.order_id))
            return Rejected(f"customer {command.customer_id} has no card", code="no-card")
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

    @BookPayment.handler
    def book(self, command: BookPayment) -> None:
        payment = self._payment(command.payment_id)
        self._move("taken", payment)
        self.db.table("payments").update(command.payment_id, {"charge_id": command.charge_id})
        self.publish(PaymentReceived(payment.order_id, amount(payment.amount_cents)))

    @CancelPayment.handler
    def cancel(self, command: CancelPayment) -> None:
        payment = self._payment(command.payment_id)
        if payment.state == "taken":
            self._move("returned", payment)
            self.publish(PaymentReturned(payment.order_id, amount(payment.amount_cents)))
        else:
            self.db.table("payments").update(command.payment_id, {"state": "cancelled"})
            self.publish(PaymentFailed(payment.order_id))

    def _payment(self, payment_id: str) -> PaymentRow:
        """Return a payment. LookupError when there is none."""
        for row in self.db.query("SELECT * FROM payments WHERE payment_id = ?", [payment_id]):
            return PaymentRow(**row)
        raise LookupError(f"no payment {payment_id}")

    def _move(self, kind: str, payment: PaymentRow) -> None:
        """Enter a movement of money into the book."""
        self.db.table("book").insert(
            {"payment_id": payment.payment_id, "kind": kind, "amount_cents": payment.amount_cents}
        )
        self.db.table("payments").update(payment.payment_id, {"state": kind})
