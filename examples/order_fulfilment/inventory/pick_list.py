"""The pick list, as the screen in the warehouse shows it. It reads Inventory's file and writes nothing."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

__all__ = ["Pick", "PickList"]


class Pick(NamedTuple):
    """An order whose goods are to be fetched."""

    order_id: str
    placed_at: datetime


class PickList:
    """What is to be fetched. To be closed after use."""

    def __init__(self, file: Path) -> None:
        """Open the list in Inventory's `file`."""
        self._connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)

    def read(self) -> list[Pick]:
        """Return what is to be fetched now, the earliest order first."""
        rows = self._connection.execute(
            "SELECT order_id, placed_at FROM reservations WHERE state = 'to fetch' ORDER BY placed_at"
        )
        return [Pick(order_id, datetime.fromisoformat(placed_at)) for order_id, placed_at in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
