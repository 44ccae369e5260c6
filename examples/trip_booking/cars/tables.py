"""The tables of Cars."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("cars")


@migrations()
def fleet_and_bookings(db: Database) -> None:
    """What is free, and for whom the rest is kept. In Venice nobody drives."""
    db.execute("""
        CREATE TABLE fleet (
            city TEXT    PRIMARY KEY,
            free INTEGER NOT NULL CHECK (free >= 0)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE bookings (
            no      INTEGER PRIMARY KEY,
            trip_id TEXT    NOT NULL,
            city    TEXT    NOT NULL REFERENCES fleet (city),
            state   TEXT    NOT NULL CHECK (state IN ('booked', 'cancelled'))
        ) STRICT
    """)
    db.execute("INSERT INTO fleet VALUES ('Lisbon', 9), ('Oslo', 9), ('Reykjavik', 9), ('Havana', 9)")
