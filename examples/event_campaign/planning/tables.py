"""The tables of Planning."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

__all__ = ["migrations"]

migrations = Migrations("planning")


@migrations()
def memos_and_decisions(db: Database) -> None:
    """What was written to the board, and which campaigns were called off."""
    db.execute("""
        CREATE TABLE memos (
            no          INTEGER PRIMARY KEY,
            campaign_id TEXT    NOT NULL
        ) STRICT
    """)
    db.execute("""
        CREATE TABLE called_off (
            campaign_id TEXT PRIMARY KEY,
            reason      TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
