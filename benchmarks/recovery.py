"""From a process that was killed to the next one, with many sagas in flight.

A process of its own starts the sagas, whose one step is a call; the first call never comes back, and the others wait
for it, or in line for their gateway. When all sagas are on disk it is killed. Another process opens the store, where
calls do come back: how long is it from `Runtime(...)` until the first of the calls is made, and until each of them is?
By then nearly all sagas have ended.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Size
from benchmarks.measure import fresh_directory
from benchmarks.processes import answer_of, log_to_stderr, module, peak_mb
from benchmarks.progress import say
from saga import Command, Gateway, Runtime, Saga, Start, step

__all__ = ["FIGURES", "measure"]

FIGURES = ("recovery.first_s", "recovery.all_s", "recovery.peak_mb")
SIZES: dict[Size, tuple[int, int]] = {"tiny": (50, 1), "quick": (2_000, 1), "full": (100_000, 3)}
"""Sagas, repeats."""

MOST = 100_000
STARTED_AT_ONCE = 1_000
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the other side."""

    number: int


@dataclass(frozen=True, slots=True)
class Ask(Command[str]):
    """Ask the other side."""

    number: int


class Elsewhere(Gateway):
    """The other side, which answers at once, or never."""

    def __init__(self, sagas: int, *, answers: bool) -> None:
        self._left = set(range(sagas))
        self._answers = answers
        self.first_at: float | None = None
        self.last_at = 0.0
        self.all_asked = threading.Event()

    @Ask.handler
    def ask(self, command: Ask) -> str:
        now = time.perf_counter()
        self.first_at = self.first_at or now
        self._left.discard(command.number)
        if not self._left:
            self.last_at = now
            self.all_asked.set()
        if not self._answers:
            time.sleep(PATIENCE_S)
        return "done"


class AskElsewhere(Saga[Request]):
    """One step."""

    @step()
    def ask(self) -> Ask:
        return Ask(self.input.number)

    flow = (ask,)


def measure(size: Size) -> list[Figure]:
    sagas, repeats = SIZES[size]
    found: list[dict[str, float]] = []
    with fresh_directory() as directory:
        say(f"recovery: {sagas:,} sagas are started, then their process is killed")
        _start_and_kill(directory / "store", sagas)
        for number in range(repeats):
            say(f"recovery {number + 1}/{repeats}")
            shutil.copytree(directory / "store", directory / "copy")
            found.append(answer_of(module("recovery", "recover", directory / "copy", sagas)))
            shutil.rmtree(directory / "copy")
    note = f"{sagas:,} sagas in flight at kill -9"
    return [
        Figure("recovery.first_s", [each["first_s"] for each in found], "s", "lower", note=note),
        Figure("recovery.all_s", [each["all_s"] for each in found], "s", "lower", note=note),
        Figure(
            "recovery.peak_mb",
            [each["peak_mb"] for each in found],
            "MB",
            "lower",
            note="memory, at its highest",
        ),
    ]


def _start_and_kill(store: Path, sagas: int) -> None:
    with subprocess.Popen(
        module("recovery", "start", store, sagas),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.kill()
    if said.strip() != "all started":
        raise RuntimeError(f"{sagas} sagas were to be started, and the process says {said!r}")


def _runtime(store: Path, elsewhere: Elsewhere) -> Runtime:
    return Runtime(store, contexts=[lambda: elsewhere], sagas=[AskElsewhere], max_active=2 * MOST)


def _start(store: Path, sagas: int) -> None:
    """Start so many, say so when all are on disk, and wait for the end."""
    with _runtime(store, Elsewhere(sagas, answers=False)) as runtime:
        for at in range(0, sagas, STARTED_AT_ONCE):
            some = range(at, min(at + STARTED_AT_ONCE, sagas))
            runtime.start_many([Start(AskElsewhere, Request(number)) for number in some])
        print("all started", flush=True)
        time.sleep(PATIENCE_S)


def _recover(store: Path, sagas: int) -> dict[str, Any]:
    """Open the store of a killed process and return how long it took until all went on."""
    elsewhere = Elsewhere(sagas, answers=True)
    began = time.perf_counter()
    _runtime(store, elsewhere).open()
    if not elsewhere.all_asked.wait(PATIENCE_S) or elsewhere.first_at is None:
        raise RuntimeError(f"not all of {sagas} sagas go on after {PATIENCE_S:g} s")
    return {
        "first_s": elsewhere.first_at - began,
        "all_s": elsewhere.last_at - began,
        "peak_mb": peak_mb(),
    }


if __name__ == "__main__":
    what, where, count = sys.argv[1:]
    log_to_stderr()
    if what == "start":
        _start(Path(where), int(count))
    else:
        print(json.dumps(_recover(Path(where), int(count))), flush=True)
        os._exit(0)  # what is left needs not be waited for
