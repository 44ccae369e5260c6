"""The business check: places orders in a variant, and holds the books of all its contexts against what must be in them.

    python -m examples.choreography.comparison.check VARIANT STORE RULE RUN [RULE RUN ...]

It places five orders for the last RUN, by RULE, `payment-first` or `goods-first`, and waits until its books are right.
The runs before it were placed by earlier checks on this store: their books must be as they were. It exits with 1 when
any book is wrong, and says which. It knows nothing of how a variant comes to its results.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from examples.choreography.order import Order

__all__ = ["EXPECTED", "VARIANTS", "Books", "books_of", "wrong_books"]

VARIANTS = ("by_events", "by_saga")

PATIENCE_S = float(os.environ.get("CHECK_PATIENCE_S", "20"))
"""An order takes milliseconds; whoever waits so long waits for what does not come."""


class Books(NamedTuple):
    """What the contexts have written down about one order: of letters which, of all else in which order."""

    money: tuple[str, ...] = ()
    goods: tuple[str, ...] = ()
    parcels: int = 0
    letters: frozenset[str] = frozenset()


ORDERS = {
    "sold-out": ("rich", "teapot", "Lisbon"),
    "not-paid": ("poor", "tea", "Lisbon"),
    "no-carrier": ("rich", "tea", "Atlantis"),
    "fine": ("rich", "tea", "Lisbon"),
    "last": ("rich", "tea", "Lisbon"),
}
"""Kind of order → customer, product, town. The last one is placed when the others are over: what they would still do
to a context is before it in the log."""

BOTH = {
    "no-carrier": Books(
        ("taken", "returned"),
        ("reserved", "released"),
        letters=frozenset({"nobody drives there", "money returned"}),
    ),
    "fine": Books(("taken",), ("reserved",), 1, frozenset({"shipped"})),
    "last": Books(("taken",), ("reserved",), 1, frozenset({"shipped"})),
}
EXPECTED = {
    "payment-first": BOTH
    | {
        "sold-out": Books(("taken", "returned"), letters=frozenset({"sold out", "money returned"})),
        "not-paid": Books(letters=frozenset({"not paid"})),
    },
    "goods-first": BOTH
    | {
        "sold-out": Books(letters=frozenset({"sold out"})),
        "not-paid": Books((), ("reserved", "released"), letters=frozenset({"not paid"})),
    },
}
"""Rule → kind of order → its books. The rules differ where it matters: whether money moves for what is sold out."""


def books_of(store: Path, order_id: str) -> Books:
    """Read what is written down about an order. A context that was never there has no book, and nothing in it."""
    letters = _column(store, "notification", "SELECT text FROM letters WHERE order_id = ?", order_id)
    twice = {f"twice: {text}" for text in letters if letters.count(text) > 1}
    return Books(
        _column(store, "payment", "SELECT kind FROM book WHERE order_id = ? ORDER BY no", order_id),
        _column(store, "inventory", "SELECT kind FROM reservations WHERE order_id = ? ORDER BY no", order_id),
        len(_column(store, "shipment", "SELECT no FROM parcels WHERE order_id = ?", order_id)),
        frozenset(letters) | twice,
    )


def _column(store: Path, context: str, statement: str, order_id: str) -> tuple[str, ...]:
    file = store / f"{context}.db"
    if not file.exists():
        return ()
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        return tuple(row[0] for row in db.execute(statement, [order_id]))


def wrong_books(store: Path, rule: str, run: str, kinds: Iterable[str] = ()) -> list[str]:
    """Return a line for each order of a run, of some kinds or of all, whose books are not as the rule says."""
    return [
        f"{run}-{kind}: {found}, not {EXPECTED[rule][kind]}"
        for kind in kinds or ORDERS
        if (found := books_of(store, f"{run}-{kind}")) != EXPECTED[rule][kind]
    ]


def place_all(variant: str, store: Path, rule: str, run: str) -> None:
    """Place the orders of a run; return when their books are right, or the patience is over."""
    shop_module = import_module(f"examples.choreography.{variant}.shop")
    with shop_module.make_shop(store) as shop:
        for kinds in ([kind for kind in ORDERS if kind != "last"], ["last"]):
            for kind in kinds:
                customer, product, town = ORDERS[kind]
                shop_module.place(shop, Order(f"{run}-{kind}", customer, product, 2, 700, town))
            give_up_at = time.monotonic() + PATIENCE_S
            while wrong_books(store, rule, run, kinds) and time.monotonic() < give_up_at:
                time.sleep(0.02)


def main(words: list[str]) -> int:
    """Check; return 0 when all books are right."""
    variant, store = words[0], Path(words[1]).resolve()
    runs = list(zip(words[2::2], words[3::2], strict=True))
    place_all(variant, store, *runs[-1])
    wrong = [line for rule, run in runs for line in wrong_books(store, rule, run)]
    print("\n".join(wrong or ["all books are right"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
