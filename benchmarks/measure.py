"""What is measured: throughput with everything started at once, latency one saga at a time, memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.sagas import CONTEXTS, GATEWAYS, FulfilOrder, Order
from saga import Runtime, Start

__all__ = ["fresh_directory", "latencies_ms", "throughput"]

STARTED_AT_ONCE = 500
"""Sagas in one `start_many`."""


@contextmanager
def fresh_directory() -> Iterator[Path]:
    """A directory on the disk that the store is measured on: below the current one, not in memory."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as directory:
        yield Path(directory)


def _order(number: int) -> Order:
    return Order(f"order-{number}", Decimal("12.50"))


def throughput(participants: Sequence[Any], sagas: int) -> float:
    """Return sagas per second, from the first `start_many` to the last outcome."""
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=participants, sagas=[FulfilOrder]) as runtime,
    ):
        runtime.start(FulfilOrder, _order(-1)).wait(10)  # everything is loaded and prepared
        starts = [Start(FulfilOrder, _order(number), id=f"order-{number}") for number in range(sagas)]
        began = time.perf_counter()
        handles = []
        for at in range(0, sagas, STARTED_AT_ONCE):
            handles += runtime.start_many(starts[at : at + STARTED_AT_ONCE])
        completed = sum(handle.wait(120).completed for handle in reversed(handles))  # mostly the last is last
        seconds = time.perf_counter() - began
    if completed != sagas:
        raise RuntimeError(f"{sagas - completed} of {sagas} sagas did not complete")
    return sagas / seconds


def latencies_ms(sagas: int) -> list[float]:
    """Return how long each of so many sagas took, one after the other, from `start` to outcome; sorted."""
    found = []
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=GATEWAYS, sagas=[FulfilOrder]) as runtime,
    ):
        for number in range(-20, sagas):
            began = time.perf_counter()
            runtime.start(FulfilOrder, _order(number)).wait(10)
            if number >= 0:
                found.append((time.perf_counter() - began) * 1000)
    return sorted(found)


KINDS: dict[str, Sequence[Any]] = {"gateways": GATEWAYS, "contexts": CONTEXTS}
