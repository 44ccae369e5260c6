"""The baskets that are ordered: real ones, see `data/README.md`."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

__all__ = ["ALL", "Basket", "Line", "read_baskets"]

FILE = Path(__file__).parent.parent / "data" / "baskets.csv.gz"

ALL = 2_000
"""How many baskets there are."""


class Line(NamedTuple):
    """One product in a basket, and what its pieces cost together."""

    product_id: str
    quantity: int
    price: Decimal


class Basket(NamedTuple):
    """What a customer has put together."""

    order_id: str
    customer_id: str
    placed_at: datetime
    lines: tuple[Line, ...]


def read_baskets(most: int = ALL) -> list[Basket]:
    """Return the first baskets, at most so many, in the order in which they were placed."""
    return list(islice(_baskets(), most))


def _baskets() -> Iterator[Basket]:
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as file:
        for order_id, rows in groupby(csv.DictReader(file), key=lambda row: row["order_id"]):
            lines = [*rows]
            yield Basket(
                order_id,
                lines[0]["customer_id"],
                datetime.fromisoformat(lines[0]["placed_at"]),
                tuple(
                    Line(row["product_id"], int(row["quantity"]), Decimal(row["line_total"])) for row in lines
                ),
            )
