"""An order that is under way while the change is made: paid, by the old rule, and its goods not reserved yet.

    python -m examples.choreography.comparison.in_flight place VARIANT STORE    in the old shop; Inventory is away
    python -m examples.choreography.comparison.in_flight look VARIANT STORE     in the new shop, all of it

The second one says, as JSON, what became of that order by the time that a later one was done: a `Fate`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from examples.choreography.comparison.check import EXPECTED, PATIENCE_S, Books, books_of
from examples.choreography.order import Order

__all__ = ["Fate"]

ORDER_ID = "in-flight"
PAID = Books(money=("taken",))
FINE = EXPECTED["goods-first"]["fine"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the order that was under way."""

    fulfilled: bool
    """Its books are those of an order that went well."""
    books: str
    unfinished: list[str]
    """What `Runtime.list` shows as not ended, a line each: where a person would find it."""


def place(shop_module: Any, store: Path) -> bool:
    """Have the shop run for a while, then place the order while Inventory is away; return whether it was paid, and
    no more."""
    with shop_module.make_shop(store) as shop:
        shop_module.place(shop, _order("earlier"))
        if not _wait_until(lambda: books_of(store, "earlier") == FINE):
            return False
    present = [context for context in shop_module.CONTEXTS if context.__name__ != "Inventory"]
    with shop_module.make_shop(store, present) as shop:
        shop_module.place(shop, _order(ORDER_ID))
        return _wait_until(lambda: books_of(store, ORDER_ID) == PAID)


def look(shop_module: Any, store: Path) -> Fate:
    """Open the whole shop. A later order goes through all contexts: when it is done, all before it has been heard."""
    with shop_module.make_shop(store) as shop:
        later = f"later-{time.time_ns()}"
        shop_module.place(shop, _order(later))
        if not _wait_until(lambda: books_of(store, later) == FINE):
            raise SystemExit(f"the later order is not done: {books_of(store, later)}")
        rows = shop.list(status=["RUNNING", "COMPENSATING", "PARKED", "SUSPENDED"])
        unfinished = [f"{row.name} version {row.version}: {row.status}" for row in rows]
    books = books_of(store, ORDER_ID)
    return Fate(books == FINE, str(books), unfinished)


def _order(order_id: str) -> Order:
    return Order(order_id, "rich", "tea", 2, 700, "Lisbon")


def _wait_until(true: Callable[[], bool]) -> bool:
    """Wait until something is true, at most as long as the patience lasts; return whether it is."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


def main(words: list[str]) -> int:
    """Place or look; return 0 when that went as it must."""
    what, variant, store = words
    shop_module = import_module(f"examples.choreography.{variant}.shop")
    if what == "place":
        return 0 if place(shop_module, Path(store).resolve()) else 1
    print(json.dumps(asdict(look(shop_module, Path(store).resolve()))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
