"""The tables of Feedback."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("feedback")


@migrations()
def marks_and_polls(db: Database) -> None:
    """What the visitors have said, and which polls are over."""
    db.execute("""
        CREATE TABLE marks (
            no          INTEGER PRIMARY KEY,
            campaign_id TEXT    NOT NULL,
            mark        INTEGER NOT NULL CHECK (mark BETWEEN 1 AND 5)
        ) STRICT
    """)
    db.execute("CREATE TABLE closed_polls (campaign_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
