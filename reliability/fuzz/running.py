"""One input after the other: what is noticed is an exception, a hang, or what the target says."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Iterator
from random import Random
from types import FrameType
from typing import NamedTuple

from reliability.fuzz.targets import TARGETS

__all__ = ["Share", "attack", "run_shares"]

HANG_S = 1.0
"""Seconds of processor time that one input may take."""
PATIENCE_S = 30.0
"""Seconds by the clock after which it is interrupted: the machine may be busy with something else."""
AT_ONCE = 2_000


class Share(NamedTuple):
    """Some inputs of one target."""

    target: str
    first: int
    inputs: int


class Hang(KeyboardInterrupt):
    """One input took too long; what catches everything lets this pass."""


def run_shares(shares: list[Share], jobs: int) -> list[str]:
    """Run them all, and return what is wrong: one line for each input, with the command that shows it again."""
    pieces = [piece for share in shares for piece in _pieces(share)]
    if jobs == 1:
        return [line for piece in pieces for line in _run(piece)]
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        return [line for lines in pool.imap(_run, pieces) for line in lines]


def _pieces(share: Share) -> Iterator[Share]:
    size = max(1, min(AT_ONCE, share.inputs // 8))
    for first in range(share.first, share.first + share.inputs, size):
        yield Share(share.target, first, min(size, share.first + share.inputs - first))


def _run(share: Share) -> list[str]:
    found = []
    before = signal.signal(signal.SIGALRM, _interrupt)
    try:
        TARGETS[share.target].prepare()
        for number in range(share.first, share.first + share.inputs):
            wrong = attack(share.target, number)
            if wrong is not None:
                line = f"python3 run.py reliability fuzz --target {share.target} --from {number} --inputs 1"
                found.append(f"{share.target} {number}: {' '.join(wrong.split())[:500]}: {line}")
    finally:
        signal.signal(signal.SIGALRM, before)
    return found


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Hang(f"interrupted after {PATIENCE_S:g} s")


def attack(target: str, number: int) -> str | None:
    """Try one input. Return what is wrong."""
    rng = Random(f"{target} {number}")
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    begun = time.thread_time()
    try:
        wrong = TARGETS[target].attack(rng)
    except Hang as hang:
        return str(hang)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {place.name}, line {place.lineno}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    took = time.thread_time() - begun
    return f"it took {took:.1f} s" if wrong is None and took > HANG_S else wrong
