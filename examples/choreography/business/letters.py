"""What Notification can do: write to a customer."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import Context

__all__ = ["Letters"]

migrations = Migrations("notification")


@migrations()
def letters(db: Database) -> None:
    """What was written."""
    db.execute(
        "CREATE TABLE letters (no INTEGER PRIMARY KEY, order_id TEXT NOT NULL, text TEXT NOT NULL) STRICT"
    )


class Letters(Context):
    """Writes to customers."""

    migrations = migrations

    def write(self, order_id: str, text: str) -> None:
        """Write a letter about an order."""
        self.db.table("letters").insert({"order_id": order_id, "text": text})
