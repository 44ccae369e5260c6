"""The table of Shipment."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("shipment")


@migrations()
def parcels(db: Database) -> None:
    """Parcels that were handed over. Nothing here keeps an order from being sent twice."""
    db.execute("""
        CREATE TABLE parcels (
            no       INTEGER PRIMARY KEY,
            order_id TEXT    NOT NULL,
            pick_id  TEXT    NOT NULL
        ) STRICT
    """)
