"""The bounded context of Notification."""

from __future__ import annotations

from examples.choreography.business.letters import Letters
from examples.choreography.by_saga.inventory.messages import GoodsUnavailable
from examples.choreography.by_saga.payment.messages import PaymentDeclined, PaymentReturned
from examples.choreography.by_saga.shipment.messages import GoodsShipped, ShipmentRefused

__all__ = ["Notification"]


class Notification(Letters):
    """Tells customers what has happened, each fact by itself. Nobody waits for it."""

    @GoodsShipped.listener
    def tell_shipped(self, event: GoodsShipped) -> None:
        self.write(event.order_id, "shipped")

    @GoodsUnavailable.listener
    def tell_sold_out(self, event: GoodsUnavailable) -> None:
        self.write(event.order_id, "sold out")

    @PaymentDeclined.listener
    def tell_declined(self, event: PaymentDeclined) -> None:
        self.write(event.order_id, "not paid")

    @ShipmentRefused.listener
    def tell_not_shipped(self, event: ShipmentRefused) -> None:
        self.write(event.order_id, "nobody drives there")

    @PaymentReturned.listener
    def tell_returned(self, event: PaymentReturned) -> None:
        self.write(event.order_id, "money returned")
