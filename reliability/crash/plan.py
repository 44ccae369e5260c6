"""Which stories are played: from every point in every scenario to pairs of points.

1. What is passed is found out first, in runs that nobody disturbs and in recoveries. Those follow kills that are the
   same for all scenarios (`BEFORE`): in the middle of everything, or twice during a call, which makes it a suspect.
2. A point that is passed often is tried at a few of its passings, the first and the last among them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from reliability.crash.harness import Workers, passed_in, place
from reliability.crash.job import Job
from reliability.crash.stories import Crash, Story

__all__ = [
    "BEFORE",
    "Recovery",
    "first_kills",
    "kills_in_recovery",
    "pairs",
    "passings",
    "recoveries",
    "sample",
]

T = TypeVar("T")

BEFORE = (
    ("coordinator.before-sending",),
    ("coordinator.after-commit",),
    ("gateway.before-call", "gateway.before-call"),
    ("gateway.before-async-call", "gateway.before-async-call"),
)
"""Kills before a recovery: the first in the middle of its passings, the others at the first one."""


class Recovery:
    """A recovery in a scenario: the kills before it, and how often it passes each point."""

    def __init__(self, scenario: str, before: list[Crash], passed: dict[str, int]) -> None:
        self.scenario, self.before, self.passed = scenario, before, passed


def passings(times: int, count: int) -> list[int]:
    """Return at which of so many passings to kill, `count` of them at most: first, last, and between, evenly."""
    if times <= count:
        return list(range(1, times + 1))
    if count == 1:
        return [(times + 1) // 2]
    return sorted({1 + (times - 1) * n // (count - 1) for n in range(count)})


def first_kills(workers: Workers, scenario: str, points: Iterable[str], count: int) -> list[Story]:
    """Return stories with one kill: at each of these points, as far as the scenario passes it."""
    passed = workers.passed(scenario)
    return [
        Story(scenario, [Crash(point, nth)]) for point in points for nth in passings(passed[point], count)
    ]


def recoveries(workers: Workers, scenario: str) -> list[Recovery]:
    """Find out what the recoveries of a scenario pass."""
    undisturbed, found = workers.passed(scenario), []
    for seams in BEFORE:
        if seams[0] not in undisturbed:
            continue
        middle = (undisturbed[seams[0]] + 1) // 2
        before = [Crash(seam, 1 if n else middle) for n, seam in enumerate(seams)]
        with place() as store:
            for n, crash in enumerate(before):
                workers.run(Job(str(store), scenario, crash.seam, crash.nth, n > 0))
            run = workers.run(Job(str(store), scenario, drain=True))
        found.append(Recovery(scenario, before, passed_in(run)))
    return found


def kills_in_recovery(recovery: Recovery, points: Iterable[str], count: int) -> list[Story]:
    """Return stories with a kill while what was killed before is recovered from."""
    return [
        Story(recovery.scenario, [*recovery.before, Crash(point, nth)])
        for point in points
        for nth in passings(recovery.passed.get(point, 0), count)
    ]


def pairs(workers: Workers, scenario: str, first: Sequence[str], second: Sequence[str]) -> list[Story]:
    """Return a story for each ordered pair of points: a kill in the middle of the first one's passings, then one at the
    second point, which is in the recovery or what follows it."""
    passed = workers.passed(scenario)
    return [
        Story(scenario, [Crash(one, (passed[one] + 1) // 2), Crash(other, 1)])
        for one in first
        if passed[one]
        for other in second
    ]


def sample(all: Sequence[T], count: int, seed: int) -> list[T]:
    """Return so many, or all when there are no more, in an order that the seed decides."""
    return random.Random(seed).sample(all, min(count, len(all)))
