"""The bounded context of Notification."""

from __future__ import annotations

from examples.order_fulfilment.checkout.messages import OrderPlaced
from examples.order_fulfilment.inventory.messages import GoodsUnavailable
from examples.order_fulfilment.notification.tables import migrations
from examples.order_fulfilment.payment.messages import (
    CardExpired,
    CardStillExpired,
    PaymentFailed,
    PaymentReturned,
)
from examples.order_fulfilment.shipment.messages import GoodsShipped
from saga import Context

__all__ = ["Notification"]


class Notification(Context):
    """Writes letters: one about each order that has ended, and others when a customer has to do something.

    Nobody sends it anything, nobody waits for it.
    """

    migrations = migrations

    @OrderPlaced.listener
    def remember(self, event: OrderPlaced) -> None:
        self.db.table("addresses").insert({"order_id": event.order_id, "customer_id": event.customer_id})

    @CardExpired.listener
    def ask_for_card(self, event: CardExpired) -> None:
        self._tell(event.order_id, "card expired", "Your card has expired. Please give us another one.")

    @CardStillExpired.listener
    def remind_of_card(self, event: CardStillExpired) -> None:
        self._tell(event.order_id, "card still expired", "We still need another card from you, please.")

    @GoodsShipped.listener
    def tell_shipped(self, event: GoodsShipped) -> None:
        self._tell(event.order_id, "shipped", f"Your order is on its way: {event.parcel_id}.")

    @GoodsUnavailable.listener
    def tell_sold_out(self, event: GoodsUnavailable) -> None:
        self._tell(event.order_id, "sold out", "Somebody was faster: what you ordered is sold out.")

    @PaymentFailed.listener
    def tell_not_paid(self, event: PaymentFailed) -> None:
        self._tell(event.order_id, "not paid", "We could not take your payment, so your order is cancelled.")

    @PaymentReturned.listener
    def tell_money_returned(self, event: PaymentReturned) -> None:
        returned = f"{event.to_card} to your card, {event.as_credit} as credit"
        text = f"We cannot send you what you ordered, and have returned what you paid: {returned}."
        self._tell(event.order_id, "money returned", text)

    def _tell(self, order_id: str, about: str, text: str) -> None:
        self.db.execute(
            "INSERT INTO letters (order_id, customer_id, about, text)"
            " VALUES (?, (SELECT customer_id FROM addresses WHERE order_id = ?), ?, ?)",
            [order_id, order_id, about, text],
        )
