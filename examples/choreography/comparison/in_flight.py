"""An order that is under way while the change is made: paid, by the old rule, and its goods not reserved yet.

    python -m examples.choreography.comparison.in_flight place VARIANT STORE    in the old shop: it is killed by that
    python -m examples.choreography.comparison.in_flight look VARIANT STORE     in the new shop

The second one says, as JSON, what became of that order by the time that a later one was done: a `Fate`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import structlog

from examples.choreography.business.shelves import Shelves
from examples.choreography.comparison.check import EXPECTED, PATIENCE_S, Books, books_of
from examples.choreography.order import Order
from saga import Runtime

__all__ = ["KILLED", "Fate"]

KILLED = -signal.SIGKILL
"""The exit code of `place` when all went as it must."""

ORDER_ID = "in-flight"
FINE = EXPECTED["goods-first"]["fine"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the order that was under way."""

    fulfilled: bool
    """Its books are those of an order that went well."""
    books: str
    """What they say, for a person."""
    unfinished: list[str]
    """What `saga list` shows as not ended, and why, a line each: where a person would find it."""


def place(shop_module: Any, store: Path) -> None:
    """Have the shop run for a while; then place the order, and kill the process when its goods are to be reserved."""
    reserve = Shelves.reserve

    def reserve_or_die(shelves: Shelves, order: Order) -> bool:
        if order.order_id == ORDER_ID:
            os.kill(os.getpid(), signal.SIGKILL)
        return reserve(shelves, order)

    Shelves.reserve = reserve_or_die  # type: ignore[assignment, method-assign]
    with shop_module.make_shop(store) as shop:
        shop_module.place(shop, _order("earlier"))
        _wait_until(lambda: books_of(store, "earlier") == FINE)
        shop_module.place(shop, _order(ORDER_ID))
        _wait_until(lambda: False)


def look(shop_module: Any, store: Path) -> Fate:
    """Open the shop. A later order goes through all contexts: when it is done, all before it has been heard."""
    with shop_module.make_shop(store) as shop:
        shop_module.place(shop, _order("later"))
        if not _wait_until(lambda: books_of(store, "later") == FINE):
            raise SystemExit(f"the later order is not done: {books_of(store, 'later')}")
        unfinished = _unfinished(shop)
    books = books_of(store, ORDER_ID)
    return Fate(books == FINE, _told(books), unfinished)


def _unfinished(shop: Runtime) -> list[str]:
    rows = shop.list(status=["RUNNING", "COMPENSATING", "PARKED", "SUSPENDED"])
    return [f"{row.name} version {row.version}, {shop.history(row.id)[-1].text}" for row in rows]


def _told(books: Books) -> str:
    money = " and ".join(books.money) or "not taken"
    goods = " and ".join(books.goods) or "not reserved"
    return (
        f"money {money}; goods {goods}; {books.parcels or 'no'} parcel; {len(books.letters) or 'no'} letter"
    )


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
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    shop_module = import_module(f"examples.choreography.{variant}.shop")
    if what == "place":
        place(shop_module, Path(store).resolve())
        return 1  # it is still alive
    print(json.dumps(asdict(look(shop_module, Path(store).resolve()))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
