"""A kill at every seam, in every scenario; and a second one while the first is recovered from.

By default each seam is tried at a few of its passings. `SAGA_EXHAUSTIVE=1` tries all, and pairs of all seams.
"""

from __future__ import annotations

import os
from zlib import crc32

import pytest

from saga.seams import NAMES

from .harness import Crash, Story, Workers, play
from .worker import SCENARIOS

EXHAUSTIVE = bool(os.environ.get("SAGA_EXHAUSTIVE"))
RECOVERY = [name for name in NAMES if name.startswith("recovery.")]


def passings(workers: Workers, scenario: str, seam: str) -> list[int]:
    """Return at which passings of a seam to kill, in a scenario that passes it so often when undisturbed."""
    times = workers.passed(scenario)[seam]
    if EXHAUSTIVE:
        return list(range(1, times + 1))
    if times < 3:
        return list(range(1, times + 1))
    drawn = crc32(f"{scenario} {seam}".encode())
    return sorted({1 + drawn % 3, 2 + drawn % (times - 1)})


@pytest.mark.timeout(600 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("seam", NAMES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kill_at_any_seam_harms_nobody(workers: Workers, scenario: str, seam: str) -> None:
    stories = [Story(scenario, [Crash(seam, nth)]) for nth in passings(workers, scenario, seam)]
    kills = play(workers, stories)
    assert not stories or kills or stories[-1].crashes[0].nth > 1, "it was never killed"


@pytest.mark.timeout(600 if EXHAUSTIVE else 60)
@pytest.mark.parametrize("second", NAMES if EXHAUSTIVE else RECOVERY)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_second_kill_while_the_first_is_recovered_from_harms_nobody(
    workers: Workers, scenario: str, second: str
) -> None:
    seams = NAMES if EXHAUSTIVE else [NAMES[crc32(f"{scenario} {second}".encode()) % 9]]
    stories = []
    for first in seams:
        times = workers.passed(scenario)[first]
        if times:
            stories.append(Story(scenario, [Crash(first, (times + 1) // 2), Crash(second, 1)]))
    play(workers, stories)
