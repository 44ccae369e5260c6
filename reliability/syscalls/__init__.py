"""Kill, EIO and ENOSPC at every n-th write and sync of an unmodified program.

A program with some twenty sagas runs under `strace`, which kills it before one system call on a file of the store (a
write, sync, truncation, rename, deletion or opening), or lets that call fail, once or from then on. Then it is started
without faults, brings everything to its end, and all that must hold is checked; started once more, nothing may change.

A killed program recovers. One with an error goes on (exit code 0), or stops with one line that says why (70), or waits
for space until we close it (75, only where an error lasts). Nothing acknowledged is lost, nothing is done twice.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path

import click

from reliability.crash.broken import PROTECTIONS
from reliability.crash.businesses import SCENARIOS, business_of
from reliability.crash.harness import WORKERS, Workers, place
from reliability.crash.job import Job
from reliability.result import SIZES, Result, Size
from reliability.syscalls.faults import (
    DISK_FULL,
    FAILED,
    KINDS,
    Fault,
    Traced,
    Tracers,
    faults_at,
    strace,
)

__all__ = ["Attack", "attack", "command"]

SCENARIO = {"small": "refusal", "nightly": "mixed", "release": "mixed"}
FAULTS = {"small": 10, "nightly": 500, "release": None}
"""By size: what is run, and how many faults are tried, evenly over all; None for all."""


class Attack:
    """What came of a fault."""

    def __init__(self, fault: Fault, traced: Traced | None, violation: str) -> None:
        self.fault, self.traced, self.violation = fault, traced, violation


@click.command(help=__doc__)
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--scenario", type=click.Choice(SCENARIOS))
@click.option(
    "--faults", "most", type=click.IntRange(1), help="how many are tried, evenly over all there are"
)
@click.option("--minutes", type=click.FloatRange(0), default=inf, help="try no more after so long")
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="only these")
@click.option("--fault", "text", help="this one alone: CALL FILE N KIND")
@click.option("--without", type=click.Choice(sorted(PROTECTIONS)), help="take a protection away")
@click.option("--workers", type=click.IntRange(1), default=WORKERS, show_default=True)
def command(
    size: Size,
    scenario: str | None,
    most: int | None,
    minutes: float,
    kinds: tuple[str, ...],
    text: str | None,
    without: str | None,
    workers: int,
) -> Result:
    """Try faults; see above."""
    if strace() is None:
        raise click.ClickException(
            "strace is needed, on Linux, and the right to trace processes; there is none here"
        )
    began, what = time.monotonic(), scenario or SCENARIO[size]
    calls = 0
    with Tracers(workers) as tracers, Workers(count=workers) as there, ThreadPoolExecutor(workers) as pool:
        if text is not None:
            faults = [_read(text)]
        else:
            with place() as store:
                places = tracers.record(store, what)
            calls = sum(each.times for each in places)
            faults = evenly(faults_at(places, kinds or KINDS), most or FAULTS[size])

        def one(fault: Fault) -> Attack | None:
            late = time.monotonic() > began + 60 * minutes
            return None if late else attack(tracers, there, what, fault, without or "")

        random.Random(0).shuffle(faults)  # so that what is done before the time is over is spread evenly
        done = [each for each in pool.map(one, faults) if each is not None]
    return _result(what, calls, len(faults), done, time.monotonic() - began)


def attack(tracers: Tracers, workers: Workers, scenario: str, fault: Fault, without: str = "") -> Attack:
    """Run a scenario with a fault, then without, and check everything."""
    traced = None
    with place() as store:
        try:
            traced = tracers.run(store, scenario, fault, without)
            _check_end(fault, traced)
            _check_recovery(workers, store, scenario, traced)
        except Exception as error:  # whatever it is, the other faults are tried as well
            again = f"python3 run.py reliability syscalls --scenario {scenario} --fault '{fault}'"
            again += f" --without {without}" if without else ""
            found = " ".join(f"{type(error).__name__}: {error}".split())
            return Attack(fault, traced, f"{found[:600]}; {again}")
    return Attack(fault, traced, "")


def _check_end(fault: Fault, traced: Traced) -> None:
    """The program has ended as it may with this fault, and says why in one line."""
    lines = traced.complained.splitlines()
    match traced.code:
        case 0:
            assert not lines, f"it got through, and complains: {lines}"
        case code if code == FAILED or (code == DISK_FULL and fault.kind.endswith("+")):
            assert len(lines) == 1, f"it ended with {code}, and not with one line: {lines}"
            assert lines[0].startswith("saga: "), lines
            assert traced.hit, f"it failed by itself: {lines}"
        case code:
            assert traced.killed, f"it ended with {code}: {lines}"
            assert fault.kind == "KILL", "it was killed by somebody else"


def _check_recovery(workers: Workers, store: Path, scenario: str, traced: Traced) -> None:
    """Without faults everything comes to its end, holds, and stays as it is."""
    business = business_of(scenario)
    business.acknowledged(store, [traced])
    end = Job(str(store), scenario, drain=True)
    runs = [traced, workers.run(end)]
    business.check_all(store, runs)
    before = business.everything(store)
    workers.run(end)
    business.unchanged(before, business.everything(store))


def evenly(faults: list[Fault], most: int | None) -> list[Fault]:
    """Return at most so many, evenly over all; the kinds, which stand behind each other at every n, take turns."""
    if most is None or len(faults) <= most:
        return faults
    kinds = len({fault.kind for fault in faults})
    return [faults[n * len(faults) // most // kinds * kinds + n % kinds] for n in range(most)]


def _read(text: str) -> Fault:
    try:
        return Fault.read(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from error


def _result(scenario: str, calls: int, planned: int, done: list[Attack], seconds: float) -> Result:
    violations = [each.violation for each in done if each.violation]
    ended = [each.traced for each in done if each.traced is not None]
    return Result(
        "syscalls",
        f"{len(done):,} faults at {calls:,} system calls of a run of {scenario}",
        "0 wrong effects, nothing acknowledged is lost",
        violations,
        not violations,
        seconds,
        {
            "faults": len(done),
            "faults planned": planned,
            "system calls": calls,
            "faults that happened": sum(each.hit for each in ended),
            "killed": sum(each.killed for each in ended),
            "stopped with one line": sum(each.code == FAILED for each in ended),
            "waited for space": sum(each.code == DISK_FULL for each in ended),
            "went on": sum(each.hit and each.code == 0 for each in ended),
        },
    )
