"""Very many sagas asleep: how long a start takes with them, how much memory, and how late one of them wakes.

The store is generated (`generated`). Most sleep for a year; the last ones are due some seconds after the start, at
different times. What is measured is a process of its own: from `Runtime(...)` until it is open, its memory when all
that were due have woken, and for each of those how long after its due time its next step was carried out.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import Figure, Size
from benchmarks.generated import Copy, copy_saga
from benchmarks.measure import fresh_directory
from benchmarks.processes import answer_of, log_to_stderr, module, resident_mb
from benchmarks.progress import say
from saga import Command, Gateway, Runtime, Saga, sleep, step

__all__ = ["FIGURES", "measure"]

FIGURES = ("dormant.start_s", "dormant.rss_mb", "dormant.late_ms")
SIZES: dict[Size, tuple[int, int, float, int]] = {
    "tiny": (200, 5, 1, 1),
    "quick": (10_000, 20, 2, 1),
    "full": (1_000_000, 50, 8, 3),
}
"""Sagas asleep, those of them that wake in each repeat, seconds until the first of these does, repeats."""

PATTERN = "pattern"
BETWEEN_S = 0.05
"""From one that wakes to the next."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Nap:
    """The input of all of them."""

    name: str


@dataclass(frozen=True, slots=True)
class Wake(Command[None]):
    """It is time."""


class Alarm(Gateway):
    """Notes how late it is called: the id of a saga ends with its due time."""

    def __init__(self, expected: int) -> None:
        self.late_ms: list[float] = []
        self._expected = expected
        self.all_woken = threading.Event()

    @Wake.handler
    def wake(self, command: Wake) -> None:
        due_ms = int(self.key.partition(":")[0].rpartition("-")[2])
        self.late_ms.append(time.time() * 1000 - due_ms)
        if len(self.late_ms) == self._expected:
            self.all_woken.set()


class SleepLong(Saga[Nap]):
    """Sleep, then say so."""

    @sleep
    def rest(self) -> timedelta:
        return timedelta(days=365)

    @step()
    def wake(self) -> Wake:
        return Wake()

    flow = (rest, wake)


def measure(size: Size) -> list[Figure]:
    asleep, waking, after_s, repeats = SIZES[size]
    starts_s, rss_mb, late_ms = [], [], []
    with fresh_directory() as directory:
        _make(directory, asleep)
        for number in range(repeats):
            say(f"dormant {number + 1}/{repeats}")
            found = answer_of(module("dormant", directory, waking, after_s))
            starts_s.append(found["start_s"])
            rss_mb.append(found["rss_mb"])
            late_ms += found["late_ms"]
    note = f"{asleep:,} sagas asleep"
    return [
        Figure("dormant.start_s", starts_s, "s", "lower", note=note),
        Figure("dormant.rss_mb", rss_mb, "MB", "lower", note=note),
        Figure("dormant.late_ms", late_ms, "ms", "lower", note=f"{waking} that wake, in each repeat"),
    ]


def _make(directory: Path, asleep: int) -> None:
    """Make a store in which so many sleep for a year, and for some milliseconds more, so that each is due alone."""
    far_ms = int((time.time() + 365 * 86_400) * 1000)

    def copies() -> Iterator[Copy]:
        for number in range(asleep):
            yield Copy(f"asleep-{far_ms + number}", due_ms=far_ms + number)

    with Runtime(directory, contexts=[lambda: Alarm(1)], sagas=[SleepLong]) as runtime:
        runtime.start(SleepLong, Nap("for a year"), id=PATTERN)
    copy_saga(directory, PATTERN, copies, "dormant")


def _wake(directory: Path, waking: int, after_s: float) -> dict[str, object]:
    """Add some that are due soon, open the store and wait until all these have woken."""
    first_ms = int((time.time() + after_s) * 1000)
    due = [first_ms + int(number * BETWEEN_S * 1000) for number in range(waking)]
    copy_saga(directory, PATTERN, lambda: (Copy(f"due-{ms}", due_ms=ms) for ms in due), "dormant")
    alarm = Alarm(waking)
    began = time.perf_counter()
    with Runtime(directory, contexts=[lambda: alarm], sagas=[SleepLong]):
        start_s = time.perf_counter() - began
        if time.time() * 1000 > first_ms:
            raise RuntimeError(f"some were due before the store was open, after {start_s:.1f} s")
        if not alarm.all_woken.wait(PATIENCE_S):
            raise RuntimeError(f"{len(alarm.late_ms)} of {waking} sagas woke")
        return {"start_s": start_s, "rss_mb": resident_mb(), "late_ms": alarm.late_ms}


if __name__ == "__main__":
    log_to_stderr()
    print(json.dumps(_wake(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
