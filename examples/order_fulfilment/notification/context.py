"""The bounded context of Notification."""

from __future__ import annotations

from examples.order_fulfilment.checkout.messages import OrderPlaced
from examples.order_fulfilment.inventory.messages import GoodsUnavailable
from examples.order_fulfilment.notification.tables import migrations
from examples.order_fulfilment.payment.messages import PaymentFailed, PaymentReturned
from examples.order_fulfilment.shipment.messages import GoodsShipped
from saga import Context

__all__ = ["Notification"]


class Notification(Context):
    """Writes one letter about each order that has ended. Nobody sends it anything, nobody waits for it."""

    migrations = migrations

    @OrderPlaced.listener
    def remember(self, event: OrderPlaced) -> None:
        self.db.table("addresses").insert({"order_id": event.order_id, "customer_id": event.customer_id})

    @GoodsShipped.listener
    def tell_shipped(self, event: GoodsShipped) -> None:
        self._tell(event.order_id, "shipped", f"Your order is on its way: {event.parcel_id}.")

    @GoodsUnavailable.listener
    def tell_sold_out(self, event: GoodsUnavailable) -> None:
        self._tell(event.order_id, "sold out", "Somebody was faster: what you ordered is sold out.")

    @PaymentFailed.listener
    def tell_not_paid(self, event: PaymentFailed) -> None:
        self._tell(event.order_id, "not paid", "Your card could not be charged, so your order is cancelled.")

    @PaymentReturned.listener
    def tell_money_returned(self, event: PaymentReturned) -> None:
        text = f"We cannot send you what you ordered, and have given {event.amount} back to your card."
        self._tell(event.order_id, "money returned", text)

    def _tell(self, order_id: str, about: str, text: str) -> None:
        self.db.execute(
            "INSERT INTO letters (order_id, customer_id, about, text)"
            " VALUES (?, (SELECT customer_id FROM addresses WHERE order_id = ?), ?, ?)",
            [order_id, order_id, about, text],
        )
