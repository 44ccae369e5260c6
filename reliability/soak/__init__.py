"""`run.py reliability soak`: real threads, load without end, kill -9 and SIGSTOP at random.

    business   every kind of saga at the same time
    worker     the process that is killed
    checks     what must hold when everything has come to its end

The time is divided into windows, each on a store of its own, so that memory and disk stay bounded. In a window one
process after the other opens the store, loads it, and is killed after one to three seconds, some of them stopped for a
while before. The last but one is left alone, to see whether its memory grows; the last starts nothing, and brings
everything to its end. Then everything is checked.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import click

from reliability.places import place
from reliability.result import SIZES, Result, Size
from reliability.soak.checks import Books, wrong
from reliability.soak.worker import LONGEST_S, Job, work

__all__ = ["command"]

MINUTES: dict[Size, float] = {"small": 0.15, "nightly": 5.0, "release": 30.0}
WINDOW_S = 120.0
LIFE_S = (1.0, 3.0)
"""Seconds after which a process is killed, drawn between these."""
STOPPED = 0.3
"""In so many cases it is stopped for a while, and goes on."""
STOP_S = (0.1, 1.5)
UNDISTURBED = 0.1
"""How much of a window the process has that is left alone."""
ENDING = 0.1
"""How much of it is kept for the end."""
GROWTH = 0.5
"""How much memory may grow in that time, beyond what it takes at a third of it."""

LINE = "python3 run.py reliability soak"


@dataclass
class Tally:
    """What was done, and what is wrong."""

    windows: int = 0
    lives: int = 0
    kills: int = 0
    stops: int = 0
    sagas: int = 0
    effects: int = 0
    grown: list[float] = field(default_factory=list)
    largest_mb: float = 0.0
    stuck: int = 0
    suspects: int = 0
    violations: list[str] = field(default_factory=list)


@click.command("soak")
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--minutes", type=click.FloatRange(0.05), default=None, help="how long; overrides the size")
@click.option("--window", "window_s", type=click.FloatRange(2.0), default=WINDOW_S, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--broken", type=click.Choice(["", "inbox"]), default="", help="the control: take this away")
def command(size: Size, minutes: float | None, window_s: float, seed: int, broken: str) -> Result:
    """Real threads under load without end, killed and stopped at random."""
    begun = time.monotonic()
    whole_s = 60 * (MINUTES[size] if minutes is None else minutes)
    tally, chance = Tally(), random.Random(seed)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["reliability.soak.worker", "saga.runtime", "sqlite_utils"])
    while (left := whole_s - (time.monotonic() - begun)) > 0 and (left > window_s / 4 or not tally.windows):
        with place() as store:
            _window(tally, chance, processes, store, min(window_s, left), broken)
        tally.windows += 1
    again = f"{LINE} --minutes {whole_s / 60:g} --seed {seed}" + (f" --broken {broken}" if broken else "")
    seconds = time.monotonic() - begun
    return Result(
        "soak",
        f"{whole_s / 60:g} minutes from seed {seed}, {tally.kills:,} kills, {tally.stops:,} stops, "
        f"{tally.sagas:,} sagas",
        "0 violations, 0 stuck",
        [f"{each}; again: {again}" for each in tally.violations],
        not tally.violations,
        seconds,
        {
            "windows": tally.windows,
            "processes": tally.lives,
            "kills": tally.kills,
            "stops": tally.stops,
            "sagas": tally.sagas,
            "sagas a second": round(tally.sagas / seconds, 1),
            "effects": tally.effects,
            "stuck": tally.stuck,
            "killed three times at their trial, and retried by hand": tally.suspects,
            "memory at most, MB": round(tally.largest_mb),
            "memory growth of a process left alone, at most, %": round(
                100 * max(tally.grown, default=0.0), 1
            ),
        },
    )


def _window(
    tally: Tally,
    chance: random.Random,
    processes: ForkServerContext,
    store: Path,
    seconds: float,
    broken: str,
) -> None:
    """Load one store, disturb it, bring it to its end, check it."""
    begun, life = time.monotonic(), 0
    until = begun + seconds * (1 - UNDISTURBED - ENDING)
    while time.monotonic() < until or life == 0:
        process = _begin(processes, Job(str(store), life, broken=broken))
        life += 1
        _disturb(tally, chance, process)
    process = _begin(processes, Job(str(store), life, broken=broken))
    _leave_alone(tally, process, seconds * UNDISTURBED)
    end = _begin(processes, Job(str(store), life + 1, drain=True, broken=broken))
    end.join(LONGEST_S + 30.0)
    tally.lives += life + 2
    if end.is_alive() or end.exitcode:
        tally.violations.append(f"the last process of a window ended with {end.exitcode}")
        end.kill()
        end.join()
    books, found = Books(store), [*wrong(store)]
    tally.sagas += len(books.sagas)
    tally.effects += sum(sum(each.values()) for each in books.effects.values())
    tally.suspects += len(books.acknowledged["suspect"])
    tally.stuck += sum(each.startswith("stuck") for each in found)
    tally.violations += found


def _begin(processes: ForkServerContext, job: Job) -> ForkServerProcess:
    process = processes.Process(target=work, args=(job,), daemon=True)
    process.start()
    return process


def _disturb(tally: Tally, chance: random.Random, process: ForkServerProcess) -> None:
    """Kill a process after a while, and perhaps stop it before."""
    process.join(chance.uniform(*LIFE_S))
    pid = process.pid
    if process.is_alive() and pid is not None:
        if chance.random() < STOPPED:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(chance.uniform(*STOP_S))
            os.kill(pid, signal.SIGCONT)
            tally.stops += 1
            process.join(chance.uniform(0.0, 0.5))
        process.kill()
        tally.kills += 1
    process.join()
    if process.exitcode != -signal.SIGKILL:
        tally.violations.append(f"a process ended by itself, with {process.exitcode}")


def _leave_alone(tally: Tally, process: ForkServerProcess, seconds: float) -> None:
    """Let a process work, see how its memory grows, and kill it."""
    process.join(seconds / 3)
    early = _memory_mb(process.pid)
    process.join(2 * seconds / 3)
    late = _memory_mb(process.pid)
    if early and late:
        tally.grown.append(late / early - 1)
        tally.largest_mb = max(tally.largest_mb, late)
        if late > early * (1 + GROWTH) and late > early + 50:
            tally.violations.append(f"memory has grown from {early:.0f} to {late:.0f} MB in {seconds:.0f} s")
    if process.is_alive():
        process.kill()
        tally.kills += 1
    process.join()


def _memory_mb(pid: int | None) -> float:
    """Return how much memory a process has, 0 where that cannot be known."""
    with suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


if sys.platform == "win32":
    raise ImportError("the soak needs signals that there are not here")
