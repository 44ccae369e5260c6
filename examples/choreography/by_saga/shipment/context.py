"""The bounded context of Shipment."""

from __future__ import annotations

from examples.choreography.business.parcels import Parcels
from examples.choreography.by_saga.shipment.messages import GoodsShipped, ShipGoods, ShipmentRefused
from saga import Rejected

__all__ = ["Shipment"]


class Shipment(Parcels):
    """Hands parcels to a carrier."""

    @ShipGoods.handler
    def ship_goods(self, command: ShipGoods) -> Rejected | None:
        if self.ship(command.order):
            self.publish(GoodsShipped(command.order.order_id))
            return None
        self.publish(ShipmentRefused(command.order.order_id))
        return Rejected(f"nobody drives to {command.order.town}", code="no-carrier")
