"""The tables of Hotels."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("hotels")


@migrations()
def rooms_and_bookings(db: Database) -> None:
    """What is free, and for whom the rest is kept. In Oslo there is a congress."""
    db.execute("""
        CREATE TABLE rooms (
            city TEXT    PRIMARY KEY,
            free INTEGER NOT NULL CHECK (free >= 0)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE bookings (
            no      INTEGER PRIMARY KEY,
            trip_id TEXT    NOT NULL,
            city    TEXT    NOT NULL REFERENCES rooms (city),
            state   TEXT    NOT NULL CHECK (state IN ('booked', 'cancelled'))
        ) STRICT
    """)
    db.execute("INSERT INTO rooms VALUES ('Lisbon', 9), ('Venice', 9), ('Reykjavik', 9), ('Havana', 9)")
