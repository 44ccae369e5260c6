"""The tables of Registration."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("registration")


@migrations()
def sales_and_registrations(db: Database) -> None:
    """What is for sale, and who has which seat. A seat that is held is neither free nor sold."""
    db.execute("""
        CREATE TABLE sales (
            campaign_id   TEXT    PRIMARY KEY,
            seats         INTEGER NOT NULL,
            regular_cents INTEGER NOT NULL,
            early_cents   INTEGER NOT NULL,
            early_seats   INTEGER NOT NULL,
            state         TEXT    NOT NULL CHECK (state IN ('open', 'closed', 'stopped'))
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE registrations (
            no              INTEGER PRIMARY KEY,
            registration_id TEXT    NOT NULL UNIQUE,
            campaign_id     TEXT    NOT NULL REFERENCES sales (campaign_id),
            name            TEXT    NOT NULL,
            price_cents     INTEGER NOT NULL,
            state           TEXT    NOT NULL CHECK (state IN ('held', 'paid', 'released', 'refunded')),
            refunds         INTEGER NOT NULL DEFAULT 0            -- how often it was noted: never, or once
        ) STRICT
    """)
    db.execute("CREATE INDEX registrations_by_campaign ON registrations (campaign_id, state)")
