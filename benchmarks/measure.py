"""What is measured of the saga in `sagas`: throughput with everything started at once, latency one at a time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.sagas import CONTEXTS, GATEWAYS, FulfilOrder, order
from saga import Handle, Runtime, Start

__all__ = [
    "KINDS",
    "Kind",
    "check_outcomes",
    "fresh_directory",
    "latencies_ms",
    "run_all",
    "starts",
    "throughput",
    "throughput_in",
]

STARTED_AT_ONCE = 500
"""Sagas in one `start_many`."""

PATIENCE_S = 120.0
WARM_UP = 20
"""Sagas before a latency is taken: everything is loaded and prepared then."""


class Kind(NamedTuple):
    """Who carries out the steps, and whether a tenth is refused at the last of them, and undone."""

    participants: list[Any]
    a_tenth_refused: bool = False


KINDS: dict[str, Kind] = {
    "gateways": Kind(GATEWAYS),
    "contexts": Kind(CONTEXTS),
    "compensated": Kind(CONTEXTS, a_tenth_refused=True),
}


@contextmanager
def fresh_directory() -> Iterator[Path]:
    """A directory on the disk that the store is measured on: below the current one, not in memory."""
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=".") as directory:
        yield Path(directory)


def starts(kind: Kind, sagas: int, *, named: bool = True) -> list[Start[Any]]:
    """Return so many starts, each with the id of its order, or with none: then it gets one."""
    orders = [order(number, a_tenth_nowhere=kind.a_tenth_refused) for number in range(sagas)]
    return [Start(FulfilOrder, each, id=each.order_id if named else None) for each in orders]


def throughput(kind: Kind, sagas: int) -> float:
    """Return sagas per second, from the first `start_many` to the last outcome."""
    with fresh_directory() as directory:
        return throughput_in(directory, kind, sagas)


def throughput_in(directory: Path, kind: Kind, sagas: int, *, named: bool = True) -> float:
    """The same in a store that stays; `named` as in `starts`."""
    with Runtime(directory, contexts=kind.participants, sagas=[FulfilOrder]) as runtime:
        runtime.start(FulfilOrder, order(-1)).wait(10)  # everything is loaded and prepared
        waiting = starts(kind, sagas, named=named)
        began = time.perf_counter()
        completed = run_all(runtime, waiting)
        seconds = time.perf_counter() - began
    check_outcomes(kind, sagas, completed)
    return sagas / seconds


def run_all(runtime: Runtime, waiting: Sequence[Start[Any]]) -> int:
    """Start all, wait for all, and return how many have completed."""
    handles: list[Handle] = []
    for at in range(0, len(waiting), STARTED_AT_ONCE):
        handles += runtime.start_many(waiting[at : at + STARTED_AT_ONCE], timeout=PATIENCE_S)
    return sum(handle.wait(PATIENCE_S).completed for handle in reversed(handles))  # mostly the last is last


def check_outcomes(kind: Kind, sagas: int, completed: int) -> None:
    """Raise RuntimeError unless just those completed that were to: what did not happen was not fast."""
    expected = sagas - sagas // 10 if kind.a_tenth_refused else sagas
    if completed != expected:
        raise RuntimeError(f"{completed} of {sagas} sagas completed, and {expected} were to")


def latencies_ms(kind: Kind, sagas: int) -> Iterator[float]:
    """Yield how long each of so many sagas took, one after the other, from `start` to outcome."""
    completed = 0
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=kind.participants, sagas=[FulfilOrder]) as runtime,
    ):
        for number in range(-WARM_UP, sagas):
            each = order(number, a_tenth_nowhere=kind.a_tenth_refused and number >= 0)
            began = time.perf_counter()
            outcome = runtime.start(FulfilOrder, each).wait(10)
            if number >= 0:
                yield (time.perf_counter() - began) * 1000
                completed += outcome.completed
    check_outcomes(kind, sagas, completed)
