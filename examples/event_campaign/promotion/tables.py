"""The tables of Promotion."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("promotion")


@migrations()
def advertisements(db: Database) -> None:
    """Every advertisement, with its price."""
    db.execute("""
        CREATE TABLE advertisements (
            no          INTEGER PRIMARY KEY,
            campaign_id TEXT    NOT NULL,
            text        TEXT    NOT NULL,
            cost_cents  INTEGER NOT NULL
        ) STRICT
    """)
