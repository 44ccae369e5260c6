"""The bounded context of Inventory."""

from __future__ import annotations

from examples.choreography.business.shelves import Shelves
from examples.choreography.by_events.inventory.messages import GoodsReserved, GoodsUnavailable
from examples.choreography.by_events.payment.messages import PaymentReceived
from examples.choreography.by_events.shipment.messages import ShipmentRefused

__all__ = ["Inventory"]


class Inventory(Shelves):
    """Keeps goods for orders, and lets others have them when an order comes to nothing."""

    @PaymentReceived.listener
    def reserve_goods(self, event: PaymentReceived) -> None:
        reserved = self.reserve(event.order)
        told = GoodsReserved if reserved else GoodsUnavailable
        self.publish(told(event.order_id, event.order))

    @ShipmentRefused.listener
    def release_not_shipped(self, event: ShipmentRefused) -> None:
        self.release(event.order)
