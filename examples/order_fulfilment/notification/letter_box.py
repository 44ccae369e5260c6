"""The customers' letter boxes. It reads Notification's file and writes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

__all__ = ["CardLetter", "LetterBox"]


class CardLetter(NamedTuple):
    """A letter that asks for another card."""

    order_id: str
    customer_id: str
    is_reminder: bool


class LetterBox:
    """What customers were written about their cards. To be closed after use."""

    def __init__(self, file: Path) -> None:
        """Open the letters in Notification's `file`."""
        self._connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)

    def read(self) -> list[CardLetter]:
        """Return all letters that have ever asked for another card, the oldest first."""
        rows = self._connection.execute(
            "SELECT order_id, customer_id, about = 'card still expired' FROM letters"
            " WHERE about IN ('card expired', 'card still expired') ORDER BY no"
        )
        return [CardLetter(order_id, customer_id, bool(again)) for order_id, customer_id, again in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
