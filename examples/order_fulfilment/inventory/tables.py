"""The tables of Inventory."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("inventory")


@migrations()
def stock_and_reservations(db: Database) -> None:
    """What there is, and for whom. Nothing can be reserved that is not there: the table itself refuses it."""
    db.execute("""
        CREATE TABLE stock (
            product_id TEXT    PRIMARY KEY,
            on_hand    INTEGER NOT NULL,
            reserved   INTEGER NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE reservations (
            reservation_id TEXT PRIMARY KEY,
            order_id       TEXT NOT NULL UNIQUE,
            placed_at      TEXT NOT NULL,          -- first come, first served
            items          TEXT NOT NULL CHECK (json_valid(items)),
            state          TEXT NOT NULL CHECK (state IN
                           ('reserved', 'to fetch', 'fetched', 'gone', 'released'))
        ) STRICT
    """)
    db.execute("CREATE INDEX pick_list ON reservations (placed_at) WHERE state = 'to fetch'")
