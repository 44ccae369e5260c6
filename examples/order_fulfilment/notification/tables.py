"""The tables of Notification."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("notification")


@migrations()
def addresses_and_letters(db: Database) -> None:
    """Who ordered, and what was written to them. Nothing here keeps a second letter from being written."""
    db.execute("""
        CREATE TABLE addresses (
            order_id    TEXT PRIMARY KEY,
            customer_id TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE letters (
            no          INTEGER PRIMARY KEY,
            order_id    TEXT    NOT NULL,
            customer_id TEXT    NOT NULL,
            about       TEXT    NOT NULL CHECK (about IN ('card expired', 'card still expired',
                        'shipped', 'sold out', 'not paid', 'money returned')),
            text        TEXT    NOT NULL
        ) STRICT
    """)
    db.execute(
        "CREATE INDEX about_cards ON letters (no) WHERE about IN ('card expired', 'card still expired')"
    )
