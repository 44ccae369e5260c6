"""A run of a schedule and the move to the next are one commit: a kill before it, or after, at every one of them."""

from __future__ import annotations

import pytest

from reliability.crash.harness import Workers
from reliability.crash.stories import Crash, Story, play


@pytest.mark.parametrize("scenario", ["recurring", "later"])
@pytest.mark.parametrize(
    "seam", ["coordinator.before-commit", "coordinator.after-commit"]
)  # of odd, of even ones
def test_a_kill_around_any_commit_loses_no_run_and_repeats_none(
    workers: Workers, scenario: str, seam: str
) -> None:
    commits = workers.passed(scenario)[seam]
    first = 1 if seam == "coordinator.before-commit" else 2
    stories = [Story(scenario, [Crash(seam, nth)]) for nth in range(first, commits + 1, 2)]
    assert play(workers, stories) >= len(stories) // 2


def test_runs_that_are_made_up_for_survive_another_kill(workers: Workers) -> None:
    """The first kill leaves runs to the next start, which is killed while it recovers, or starts them."""
    first = Crash("coordinator.before-commit", 8)
    again = [("recovery.recalled", 1), ("recovery.timers-fired", 1), ("coordinator.after-commit", 1)]
    again += [("coordinator.before-commit", nth) for nth in (1, 2, 3)]
    stories = [Story("recurring", [first, Crash(seam, nth)]) for seam, nth in again]
    assert play(workers, stories) > len(stories)
