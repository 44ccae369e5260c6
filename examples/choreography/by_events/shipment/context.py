"""The bounded context of Shipment."""

from __future__ import annotations

from examples.choreography.business.parcels import Parcels
from examples.choreography.by_events.inventory.messages import GoodsReserved
from examples.choreography.by_events.shipment.messages import GoodsShipped, ShipmentRefused

__all__ = ["Shipment"]


class Shipment(Parcels):
    """Hands parcels to a carrier."""

    @GoodsReserved.listener
    def ship_goods(self, event: GoodsReserved) -> None:
        shipped = self.ship(event.order)
        told = GoodsShipped if shipped else ShipmentRefused
        self.publish(told(event.order_id, event.order))
