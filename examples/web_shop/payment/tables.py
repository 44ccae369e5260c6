"""The tables of Payment."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("payment")


@migrations()
def cards_and_letters(db: Database) -> None:
    """One card of each customer, and what was written to them."""
    db.execute("""
        CREATE TABLE cards (
            customer_id TEXT PRIMARY KEY,
            number      TEXT NOT NULL,             -- here, and nowhere else
            expires     TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE letters (
            no          INTEGER PRIMARY KEY,
            customer_id TEXT    NOT NULL,
            order_id    TEXT    NOT NULL
        ) STRICT
    """)
