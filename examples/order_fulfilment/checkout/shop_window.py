"""What can be seen of Checkout from the street. It reads Checkout's file and writes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["ShopWindow"]


class ShopWindow:
    """A look at Checkout; to be closed after use."""

    def __init__(self, file: Path) -> None:
        """Look at what is in Checkout's `file`."""
        self._connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)

    def products(self) -> int:
        """Return how many products Checkout has heard of."""
        (count,) = self._connection.execute("SELECT count(*) FROM shelf").fetchone()
        return int(count)

    def placed(self) -> set[str]:
        """Return the ids of the orders that were placed, whatever the answer."""
        return {order_id for (order_id,) in self._connection.execute("SELECT order_id FROM orders")}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
