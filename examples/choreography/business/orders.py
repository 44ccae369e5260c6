"""What Checkout can do: take orders down."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from examples.choreography.order import Order
from saga import Context

__all__ = ["Orders"]

migrations = Migrations("checkout")


@migrations()
def orders(db: Database) -> None:
    """What was ordered."""
    db.execute("CREATE TABLE orders (order_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL) STRICT")


class Orders(Context):
    """Takes orders down."""

    migrations = migrations

    def take_down(self, order: Order) -> None:
        """Take an order down."""
        self.db.table("orders").insert({"order_id": order.order_id, "customer_id": order.customer_id})
