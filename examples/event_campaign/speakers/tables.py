"""The tables of Speakers."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("speakers")


@migrations()
def invitations_and_letters(db: Database) -> None:
    """Each speaker is invited once for a talk, and may get any number of letters about it."""
    db.execute("""
        CREATE TABLE invitations (
            no        INTEGER PRIMARY KEY,
            talk_id   TEXT    NOT NULL,
            topic     TEXT    NOT NULL,
            speaker   TEXT    NOT NULL,
            fee_cents INTEGER NOT NULL DEFAULT 0,
            state     TEXT    NOT NULL DEFAULT 'open'
                CHECK (state IN ('open', 'accepted', 'declined', 'withdrawn', 'engaged', 'released')),
            reminders INTEGER NOT NULL DEFAULT 0,
            UNIQUE (talk_id, speaker)
        ) STRICT
    """)
