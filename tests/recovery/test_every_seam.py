"""A kill at every seam, in some scenarios; and a second one while the first is recovered from.

Each seam is tried in a few scenarios that pass it, at one of its passings; `run.py reliability crash --all` tries all.
"""

from __future__ import annotations

from zlib import crc32

import pytest

from reliability.crash import plan
from reliability.crash.businesses import SCENARIOS
from reliability.crash.harness import Workers
from reliability.crash.points import running
from reliability.crash.stories import Crash, Story, play

POINTS = running()
RECOVERY = [point for point in POINTS if point.startswith("recovery.")]
STORIES = 2
"""For each seam."""


@pytest.fixture(scope="module")
def recoveries(workers: Workers) -> list[plan.Recovery]:
    """Recoveries that pass what nobody passes undisturbed."""
    return [each for scenario in ("single", "overdue") for each in plan.recoveries(workers, scenario)]


def draw(text: str, count: int) -> int:
    return crc32(text.encode()) % count


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_seam_harms_nobody(
    workers: Workers, recoveries: list[plan.Recovery], point: str
) -> None:
    passing = [scenario for scenario in SCENARIOS if workers.passed(scenario)[point]]
    stories = []
    for n in range(min(STORIES, len(passing))):
        scenario = passing[(draw(point, len(passing)) + n * len(passing) // STORIES) % len(passing)]
        nth = 1 + draw(f"{scenario} {point}", workers.passed(scenario)[point])
        stories.append(Story(scenario, [Crash(point, nth)]))
    if not stories:  # only recoveries pass it
        stories = [kill for each in recoveries for kill in plan.kills_in_recovery(each, [point], 1)]
    assert stories, f"{point} is passed by no scenario: add one in which it is"
    kills = play(workers, stories)
    assert kills or stories[0].crashes[0].nth > 1, "it was never killed"


@pytest.mark.parametrize("second", RECOVERY)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_second_kill_while_the_first_is_recovered_from_harms_nobody(
    workers: Workers, scenario: str, second: str
) -> None:
    passed = workers.passed(scenario)
    first = [point for point in POINTS if passed[point] and point not in RECOVERY]
    one = first[draw(f"{scenario} {second}", len(first))]
    play(workers, [Story(scenario, [Crash(one, (passed[one] + 1) // 2), Crash(second, 1)])])
