"""The bounded context of Shipment."""

from __future__ import annotations

from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.shipment.messages import GoodsShipped, ParcelSent, ShipGoods
from examples.order_fulfilment.shipment.tables import migrations
from saga import Context, Rejected

__all__ = ["Shipment"]


class Shipment(Context):
    """Hands parcels to a carrier, if there is one for the address."""

    migrations = migrations

    @ShipGoods.handler
    def ship(self, command: ShipGoods) -> ParcelSent:
        if not fate.carrier_drives_there(command.order_id):
            raise Rejected("no carrier drives to this address", code="no-carrier")
        parcels = self.db.table("parcels")
        parcels.insert({"order_id": command.order_id, "pick_id": command.pick_id})
        parcel_id = f"parcel-{parcels.last_pk}"
        self.publish(GoodsShipped(command.order_id, parcel_id))
        return ParcelSent(parcel_id)
