"""Fourteen days of waiting in virtual time: a payment whose customer never gives another card.

Order fulfilment from the examples, with a real card processor. Measured is the time from the first move of the clock to
the outcome of the order: four reminders to the customer, then Payment's saga is undone, it refuses, and the order is
undone. Run alone: `python -m benchmarks.fortnight`.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

from benchmarks.figures import Figure, Size
from benchmarks.measure import fresh_directory
from benchmarks.progress import say
from examples.order_fulfilment.checkout.messages import OrderLine, OrderPlaced
from examples.order_fulfilment.inventory.messages import Item, ReceiveGoods
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.processor import Processor
from examples.order_fulfilment.payment.messages import KeepCard
from examples.order_fulfilment.shop import make_shop
from saga import Handle, Runtime, VirtualClock

__all__ = ["FIGURES", "measure"]

FIGURES = ("virtual.fortnight",)
SIZES: dict[Size, int] = {"tiny": 1, "quick": 20, "full": 20}
"""Payments."""

CUSTOMER = next(name for name in map(str, count()) if fate.card_is_expired(fate.card_of(name)))
REMINDERS = 4
DEADLINE_S = 30.0

LOOK_S = 0.0002
"""How often is looked whether a reminder is through. Without a pause the looking itself would be measured: it would
keep the interpreter from the threads that do the work."""


def measure(size: Size) -> list[Figure]:
    say("fortnight")
    found = [*fortnights_ms(1 + SIZES[size])][1:]  # the first one loads and prepares everything
    note = "a payment waits fourteen days, in virtual time"
    return [Figure("virtual.fortnight", found, "ms", "lower", note=note)]


def fortnights_ms(payments: int, *, at_once: bool = False) -> Iterator[float]:
    """Yield how many milliseconds of real time each of so many payments has waited, one after the other.

    `at_once`: the clock is moved by fourteen days; else from reminder to reminder, each of which is waited for.
    """
    clock = VirtualClock()
    with (
        fresh_directory() as directory,
        Processor(directory / "processor.db") as processor,
        make_shop(directory / "shop", clock, processor.url) as shop,
        closing(_open(directory / "shop" / "saga.db")) as journal,
    ):
        shop.send(KeepCard(CUSTOMER, fate.card_of(CUSTOMER)))
        shop.send(ReceiveGoods((Item("tea", 1),)))
        for number in range(payments):
            order = _order(shop, clock, number)
            _wait_until(lambda: _waits(journal))
            began = time.perf_counter()
            if at_once:
                clock.advance(timedelta(days=14))
            else:
                _let_reminders_pass(clock, journal)
            outcome = order.wait(DEADLINE_S)
            yield (time.perf_counter() - began) * 1000
            if outcome.refusal is None or outcome.refusal.code != "no-card":
                raise RuntimeError(f"the order was to be refused with no-card, and is {outcome}")


def _order(shop: Runtime, clock: VirtualClock, number: int) -> Handle:
    """Have tea ordered, whose answers from the card processor do not get lost."""
    order_id = f"order-{number}"
    while fate.answer_gets_lost(f"FulfilOrder:runtime:{order_id}:take_payment.1:scope-1.1/charge_card.1"):
        order_id += "-again"
    price = Decimal("3.50")
    shop.publish(
        OrderPlaced(order_id, CUSTOMER, _now(clock), (OrderLine("tea", 1, price),), price), id=order_id
    )
    return shop.handle(f"FulfilOrder:runtime:{order_id}")


def _let_reminders_pass(clock: VirtualClock, journal: sqlite3.Connection) -> None:
    for _ in range(REMINDERS):
        clock.advance(timedelta(days=3))
        _wait_until(lambda: not _is_overdue(journal, clock))
    clock.advance(timedelta(days=2))


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _waits(journal: sqlite3.Connection) -> bool:
    """Return whether Payment waits for a card."""
    return bool(journal.execute("SELECT 1 FROM waits WHERE type LIKE 'CardUpdated/%'").fetchone())


def _is_overdue(journal: sqlite3.Connection, clock: VirtualClock) -> bool:
    """Return whether something is due that has not happened yet."""
    return bool(journal.execute("SELECT 1 FROM timers WHERE due_ms <= ?", [clock.now_ms()]).fetchone())


def _now(clock: VirtualClock) -> datetime:
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


def _wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE_S
    while not true():
        if time.monotonic() > until:
            raise TimeoutError("it took too long")
        time.sleep(LOOK_S)


def main() -> int:
    """Print the figures."""
    for title, at_once in {"from reminder to reminder": False, "in one go": True}.items():
        found = [*fortnights_ms(21, at_once=at_once)][1:]  # the first one loads and prepares everything
        middle, lowest, highest = statistics.median(found), min(found), max(found)
        print(f"fourteen days {title:26} {middle:6.1f} ms (median of 20; {lowest:.1f} to {highest:.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
