"""One saga that goes through an `each` of many items: how long it takes, and how much memory at most."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from decimal import Decimal

from benchmarks.measure import fresh_directory
from benchmarks.sagas import CONTEXTS, ReleaseGoods, ReserveGoods, TakePayment
from saga import Runtime, Saga, answer, each, items, step

__all__ = ["ITEMS", "each_mb", "each_seconds"]

ITEMS, CONCURRENCY = 1_000, 50


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


def each_seconds(orders: int = ITEMS) -> float:
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


def each_mb(orders: int = ITEMS) -> float:
    """Return the memory that Python allocates for it at most, in megabytes (in a run of its own, which is slow)."""
    tracemalloc.start()
    try:
        each_seconds(orders)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
