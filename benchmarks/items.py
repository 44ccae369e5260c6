"""One saga that goes through an `each` of many items: how long it takes, and how much memory at most."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.figures import Figure, Size
from benchmarks.measure import fresh_directory
from benchmarks.progress import say
from benchmarks.sagas import CONTEXTS, ReleaseGoods, ReserveGoods, TakePayment
from saga import Runtime, Saga, answer, each, items, step

__all__ = ["FIGURES", "measure"]

FIGURES = ("each.seconds", "each.mb")
SIZES: dict[Size, tuple[int, int]] = {"tiny": (30, 1), "quick": (1_000, 3), "full": (1_000, 9)}
"""Items, repeats."""

CONCURRENCY = 50


@dataclass(frozen=True, slots=True)
class Load:
    """So many orders."""

    name: str
    orders: int


class FulfilAll(Saga[Load]):
    """Reserves and takes the payment for each order, fifty at a time."""

    @items
    def orders(self) -> list[str]:
        return [f"{self.input.name}-{number}" for number in range(self.input.orders)]

    @step()
    def reserve(self, order: str) -> ReserveGoods:
        return ReserveGoods(order)

    @reserve.compensation
    def release(self, order: str) -> ReleaseGoods:
        return ReleaseGoods(order)

    @step()
    def pay(self, order: str) -> TakePayment:
        return TakePayment(self.reserve.here.reservation_id, Decimal("12.50"))

    @answer
    def paid(self) -> int:
        return len(self.pay)

    flow = (each(orders, reserve, pay, concurrency=CONCURRENCY), paid)


def measure(size: Size) -> list[Figure]:
    orders, repeats = SIZES[size]
    say("each")
    seconds = [each_seconds(orders) for _ in range(repeats)]
    note = f"one saga, two steps for each of {orders:,} items"
    return [
        Figure("each.seconds", seconds, "s", "lower", note=note),
        Figure("each.mb", [each_mb(orders)], "MB", "lower", note="what Python allocates for it at most"),
    ]


def each_seconds(orders: int) -> float:
    """Return how long one saga with so many items takes: two steps for each of them, in contexts with state."""
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=CONTEXTS, sagas=[FulfilAll]) as runtime,
    ):
        runtime.start(FulfilAll, Load("warm", 1)).wait(10)  # everything is loaded and prepared
        began = time.perf_counter()
        outcome = runtime.start(FulfilAll, Load("all", orders)).wait(120)
        seconds = time.perf_counter() - began
    if outcome.answer != orders:
        raise RuntimeError(f"{outcome} instead of {orders} orders")
    return seconds


def each_mb(orders: int) -> float:
    """Return the memory that Python allocates for it at most, in megabytes (in a run of its own, which is slow)."""
    tracemalloc.start()
    try:
        each_seconds(orders)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
