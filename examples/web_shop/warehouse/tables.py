"""The tables of Warehouse."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("warehouse")


@migrations()
def goods_and_parcels(db: Database) -> None:
    """What there is, for whom, and what has left the house. No order guards itself against being sent twice."""
    db.execute("""
        CREATE TABLE goods (
            product     TEXT    PRIMARY KEY,
            price_cents INTEGER NOT NULL CHECK (price_cents > 0),
            on_hand     INTEGER NOT NULL,
            reserved    INTEGER NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE reservations (
            order_id TEXT    NOT NULL,
            product  TEXT    NOT NULL REFERENCES goods (product),
            quantity INTEGER NOT NULL CHECK (quantity > 0)
        ) STRICT
    """)
    db.execute("CREATE INDEX reservations_of_orders ON reservations (order_id)")
    db.execute("CREATE TABLE parcels (no INTEGER PRIMARY KEY, order_id TEXT NOT NULL) STRICT")
    db.execute("""
        INSERT INTO goods (product, price_cents, on_hand) VALUES
            ('tea', 350, 1000), ('coffee', 720, 1000), ('teapot', 2890, 3)
    """)
