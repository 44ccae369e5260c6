"""What Inventory can do: keep goods for an order, and let others have them after all."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from examples.choreography.order import Order
from saga import Context

__all__ = ["Shelves"]

migrations = Migrations("inventory")


@migrations()
def stock_and_reservations(db: Database) -> None:
    """What can be had, and for whom the rest is kept."""
    db.execute("""
        CREATE TABLE stock (product TEXT PRIMARY KEY, free INTEGER NOT NULL CHECK (free >= 0)) STRICT
    """)
    db.execute("""
        CREATE TABLE reservations (
            no       INTEGER PRIMARY KEY,
            order_id TEXT    NOT NULL,
            kind     TEXT    NOT NULL CHECK (kind IN ('reserved', 'released'))
        ) STRICT
    """)
    db.execute("INSERT INTO stock VALUES ('tea', 1000), ('teapot', 0)")


class Shelves(Context):
    """Keeps goods for orders, and a list of every reservation."""

    migrations = migrations

    def reserve(self, order: Order) -> bool:
        """Keep the goods of an order; return whether there were enough."""
        kept = self.db.execute(
            "UPDATE stock SET free = free - ? WHERE product = ? AND free >= ?",
            [order.quantity, order.product, order.quantity],
        )
        if kept.rowcount:
            self._list(order, "reserved")
        return bool(kept.rowcount)

    def release(self, order: Order) -> None:
        """Let others have the goods of an order."""
        self.db.execute("UPDATE stock SET free = free + ? WHERE product = ?", [order.quantity, order.product])
        self._list(order, "released")

    def _list(self, order: Order, kind: str) -> None:
        self.db.table("reservations").insert({"order_id": order.order_id, "kind": kind})
