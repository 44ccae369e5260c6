"""The tables of Venue."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("venue")


@migrations()
def halls_and_bookings(db: Database) -> None:
    """The halls of the town, and the days on which they are taken."""
    db.execute("""
        CREATE TABLE halls (
            hall      TEXT    PRIMARY KEY,
            seats     INTEGER NOT NULL,
            fee_cents INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE bookings (
            campaign_id TEXT    PRIMARY KEY,
            hall        TEXT    NOT NULL REFERENCES halls (hall),
            day         TEXT    NOT NULL,
            state       TEXT    NOT NULL CHECK (state IN ('booked', 'cancelled')),
            owed_cents  INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("CREATE UNIQUE INDEX one_a_day ON bookings (hall, day) WHERE state = 'booked'")
    db.execute("""
        INSERT INTO halls VALUES
            ('Old Library', 24, 90000), ('Harbour Hall', 60, 240000), ('Opera House', 400, 1250000)
    """)
