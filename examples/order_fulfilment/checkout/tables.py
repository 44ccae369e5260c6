"""The tables of Checkout."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("checkout")


@migrations()
def orders_and_shelf(db: Database) -> None:
    """Orders as they were placed, and the copy of what lies on Inventory's shelves."""
    db.execute("""
        CREATE TABLE orders (
            order_id    TEXT    PRIMARY KEY,
            customer_id TEXT    NOT NULL,
            placed_at   TEXT    NOT NULL,
            total_cents INTEGER NOT NULL CHECK (total_cents > 0),
            answer      TEXT    NOT NULL CHECK (answer IN ('accepted', 'sold-out'))
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE shelf (
            product_id TEXT    PRIMARY KEY,
            on_hand    INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
