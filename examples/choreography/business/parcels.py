"""What Shipment can do: hand a parcel to a carrier."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from examples.choreography.order import Order
from saga import Context

__all__ = ["Parcels"]

NOBODY_DRIVES_TO = {"Atlantis"}

migrations = Migrations("shipment")


@migrations()
def parcels(db: Database) -> None:
    """What has left the house."""
    db.execute("CREATE TABLE parcels (no INTEGER PRIMARY KEY, order_id TEXT NOT NULL) STRICT")


class Parcels(Context):
    """Hands parcels to a carrier."""

    migrations = migrations

    def ship(self, order: Order) -> bool:
        """Send the goods of an order; return whether anybody drives there."""
        if order.town in NOBODY_DRIVES_TO:
            return False
        self.db.table("parcels").insert({"order_id": order.order_id})
        return True
