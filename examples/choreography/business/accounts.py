"""What Payment can do: take money from a customer's account, and give it back."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from examples.choreography.order import Order
from saga import Context

__all__ = ["Accounts"]

migrations = Migrations("payment")


@migrations()
def accounts_and_book(db: Database) -> None:
    """What each customer has, and every movement of money."""
    db.execute("CREATE TABLE accounts (customer_id TEXT PRIMARY KEY, cents INTEGER NOT NULL) STRICT")
    db.execute("""
        CREATE TABLE book (
            no       INTEGER PRIMARY KEY,
            order_id TEXT    NOT NULL,
            kind     TEXT    NOT NULL CHECK (kind IN ('taken', 'returned')),
            cents    INTEGER NOT NULL
        ) STRICT
    """)
    db.execute("INSERT INTO accounts VALUES ('rich', 1000000), ('poor', 0)")


class Accounts(Context):
    """Keeps accounts, and a book of every movement."""

    migrations = migrations

    def take(self, order: Order) -> bool:
        """Take the money for an order; return whether there was enough."""
        taken = self.db.execute(
            "UPDATE accounts SET cents = cents - ? WHERE customer_id = ? AND cents >= ?",
            [order.total_cents, order.customer_id, order.total_cents],
        )
        if taken.rowcount:
            self._enter(order, "taken")
        return bool(taken.rowcount)

    def give_back(self, order: Order) -> None:
        """Give the money of an order back."""
        self.db.execute(
            "UPDATE accounts SET cents = cents + ? WHERE customer_id = ?",
            [order.total_cents, order.customer_id],
        )
        self._enter(order, "returned")

    def _enter(self, order: Order, kind: str) -> None:
        self.db.table("book").insert({"order_id": order.order_id, "kind": kind, "cents": order.total_cents})
