"""SIGTERM at random moments: the process ends in time, and no handler that has finished is run again.

1. It ends within the grace period and a second, whatever hangs; with 0 when all has ended, with 75 when not.
2. What was acknowledged is there, and comes to its end at the next start; effects are there once.
3. No call of a gateway that has ended is begun again; but when a function of a saga hangs, and so the coordinator,
   nobody is there who could write down what has ended.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from reliability.faults.ending import HANGING, KINDS
from reliability.faults.trial import sound
from reliability.places import place

__all__ = ["Shutdowns", "try_shutdowns"]

ROOT = Path(__file__).resolve().parent.parent.parent
GRACE_S = 1.5
LATE_S = 1.0
LONGEST_S = 60.0


@dataclass
class Shutdowns:
    """What came of them."""

    violations: list[str] = field(default_factory=list)
    figures: dict[str, int | float | str] = field(default_factory=dict)


def try_shutdowns(times: int, seed: int = 0) -> Shutdowns:
    """Tell so many processes to end, each at a moment of its own; every other one has a handler that hangs."""
    found, longest, orderly = Shutdowns(), 0.0, 0
    for n in range(times):
        drawn = random.Random(f"{seed} {n}")
        kind, hanging = KINDS[n // 2 % 2], drawn.choice(HANGING[1:]) if n % 2 else "none"
        moment = drawn.uniform(0.0, 1.0)
        with place() as store:
            took, code, wrong = _shutdown(store, kind, hanging, moment)
        longest, orderly = max(longest, took), orderly + (code == 0)
        what = f"shutdown {n} ({kind}, {hanging} hangs, after {moment:.3f} s)"
        found.violations += [f"{what}: {each}" for each in wrong]
    if times:
        found.figures |= {
            "shutdowns": times,
            "in order": orderly,
            "longest end, s": round(longest, 2),
            "grace, s": GRACE_S,
        }
    return found


def _shutdown(store: Path, kind: str, hanging: str, moment: float) -> tuple[float, int, list[str]]:
    line = [sys.executable, "-m", "reliability.faults.ending", str(store)]
    process = subprocess.Popen(
        [*line, kind, hanging, str(GRACE_S)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline()]
    time.sleep(moment)
    begun = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    try:
        said += process.communicate(timeout=GRACE_S + LONGEST_S)[0].splitlines()
    except subprocess.TimeoutExpired:
        process.kill()
        said += process.communicate()[0].splitlines()
    took = time.monotonic() - begun
    wrong = [*_ended(took, process.returncode, hanging)]
    again = subprocess.run(
        [*line, kind, "drain", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * LONGEST_S,
        check=False,
    )
    if again.returncode:
        wrong.append(f"the next start ended with {again.returncode}: {again.stderr[-300:]!r}")
    acked = {each.split()[1] for each in said if each.startswith("acked ")}
    wrong += [*_whole(store, acked, again.stdout)]
    if hanging != "function":
        wrong += [*_none_again(store)]
    return took, process.returncode, wrong


def _ended(took: float, code: int, hanging: str) -> Iterator[str]:
    if took > GRACE_S + LATE_S:
        yield f"it took {took:.2f} s, the grace period is {GRACE_S} s"
    if code not in ((0,) if hanging == "none" else (0, 75)):  # perhaps nobody has come there yet
        yield f"it ended with {code}"


def _whole(store: Path, acked: set[str], said: str) -> Iterator[str]:
    ended = {line.split()[1] for line in said.splitlines() if line.endswith(" COMPLETED")}
    if acked - ended:
        yield f"acknowledged, and did not complete: {sorted(acked - ended)[:5]}"
    with closing(sqlite3.connect(f"{(store / 'shelf.db').as_uri()}?mode=ro", uri=True)) as connection:
        statement = "SELECT id, count(*) FROM effects GROUP BY id HAVING count(*) > 1"
        for id, times in connection.execute(statement):
            yield f"the effect of {id} happened {times} times"
    yield from sound(store)


def _none_again(store: Path) -> Iterator[str]:
    over: set[str] = set()
    calls = store.with_name("calls.log")
    for line in calls.read_text().splitlines() if calls.exists() else []:
        word, key = line.split()
        if word == "end":
            over.add(key)
        elif key in over:
            yield f"the call {key} had ended, and was begun again"
