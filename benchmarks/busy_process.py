"""Sagas beside a thread of the application that computes without a pause: they share one interpreter lock.

Whoever wants the lock waits until the thread that has it gives it up, which Python asks for after its switch interval
(5 ms): each hand-over between our threads costs that. What to do about it stands in docs/performance.md, and is
measured here as well: a shorter interval (`sys.setswitchinterval`), or computing in a process of its own.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.figures import Figure, Size, pairs
from benchmarks.measure import KINDS, check_outcomes, fresh_directory, starts
from benchmarks.progress import say
from benchmarks.sagas import FulfilOrder
from saga import Runtime

__all__ = ["FIGURES", "measure"]

BUSY, SHORT, ELSEWHERE, QUIET = (
    "throughput.busy_process",
    "throughput.busy_process_short_switch",
    "throughput.busy_elsewhere",
    "throughput.in_flight_512",
)
FIGURES = (BUSY, SHORT, ELSEWHERE, QUIET)

IN_FLIGHT = 512
AT_ONCE = 64
"""Sagas started together, when so many others have ended."""

SHORT_SWITCH_S = 0.0002

SIZES: dict[Size, tuple[int, int]] = {"tiny": (50, 1), "quick": (768, 1), "full": (4_096, 5)}
"""Sagas, repeats."""


def measure(size: Size) -> list[Figure]:
    sagas, repeats = SIZES[size]
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for number in range(repeats):
        say(f"busy process {number + 1}/{repeats}")
        found[QUIET].append(_throughput(sagas))
        with _computing_thread():
            found[BUSY].append(_throughput(sagas))
            with _switching_every(SHORT_SWITCH_S):
                found[SHORT].append(_throughput(sagas))
        with _computing_process():
            found[ELSEWHERE].append(_throughput(sagas))
    notes = {
        BUSY: f"a thread computes without pause, {IN_FLIGHT} sagas in flight",
        SHORT: f"the same, with sys.setswitchinterval({SHORT_SWITCH_S})",
        ELSEWHERE: "the same work in a process of its own",
        QUIET: "nothing else to do",
    }
    return [
        Figure(
            name,
            values,
            "sagas/s",
            "higher",
            {} if name == QUIET else {QUIET: pairs(values, found[QUIET])},
            notes[name],
        )
        for name, values in found.items()
    ]


def _throughput(sagas: int) -> float:
    """Return sagas per second with at most `IN_FLIGHT` of them begun and not ended."""
    kind = KINDS["gateways"]
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=kind.participants, sagas=[FulfilOrder]) as runtime,
    ):
        waiting = deque(starts(kind, sagas))
        runtime.start_many([waiting.pop()])[0].wait(60)  # everything is loaded and prepared
        completed, count = 1, len(waiting)
        began = time.perf_counter()
        flying = deque(runtime.start_many([waiting.popleft() for _ in range(min(IN_FLIGHT, count))]))
        while flying:
            some = [flying.popleft() for _ in range(min(AT_ONCE, len(flying)))]
            completed += sum(handle.wait(120).completed for handle in some)
            if waiting:
                flying += runtime.start_many([waiting.popleft() for _ in range(min(len(some), len(waiting)))])
        seconds = time.perf_counter() - began
    check_outcomes(kind, sagas, completed)
    return count / seconds


def _compute(stop: threading.Event) -> None:
    number = 1
    while not stop.is_set():
        for _ in range(100_000):
            number = (number * 31 + 7) & 0xFFFF_FFFF


def _compute_for_ever() -> None:
    _compute(threading.Event())


@contextmanager
def _computing_thread() -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=_compute, args=(stop,), name="computing")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _computing_process() -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=_compute_for_ever, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()
        process.close()


@contextmanager
def _switching_every(seconds: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
