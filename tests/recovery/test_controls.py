"""Does the harness bite? Without a protection that the runtime has, the invariants must fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reliability.crash import shop_invariants as invariants
from reliability.crash.harness import ROOT, Run, Workers, place
from reliability.crash.job import Job
from reliability.crash.stories import Crash, Story, play

KILLS = [Crash("context.after-commit", nth) for nth in range(1, 8)]
"""Some of them take effects whose answer has not left; which ones, is up to the threads."""


def test_without_the_inbox_an_effect_happens_twice(workers: Workers) -> None:
    with pytest.raises(AssertionError, match="happened 2 times"):
        play(workers, [Story("success", [kill], without="inbox") for kill in KILLS])


def test_with_the_inbox_the_same_kills_do_no_harm(workers: Workers) -> None:
    assert play(workers, [Story("success", [kill]) for kill in KILLS]) > 3


def test_a_start_that_is_acknowledged_too_early_is_lost(workers: Workers) -> None:
    story = Story("success", [Crash("coordinator.before-commit", 2)], without="acknowledgement")
    with pytest.raises(AssertionError, match="lost: "):
        story.play(workers)


def test_a_run_that_is_not_in_one_commit_with_the_move_to_the_next_is_lost(workers: Workers) -> None:
    story = Story("recurring", [Crash("schedule.moved", 1)], without="schedule")
    with pytest.raises(AssertionError, match="good-"):
        story.play(workers)


def test_a_process_of_its_own_is_killed_and_recovered_from_like_a_fork(workers: Workers) -> None:
    """Workers are forks of one process, to save time; here is one that is started like any other program."""
    with place() as store:
        job = Job(str(store), "refusal", "context.after-commit", 5)
        program = f"from reliability.crash.worker import *; main({job!r})"
        process = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
        )
        run = Run(job, process.returncode, process.stdout + process.stderr)
        run.check()
        assert run.killed
        end = workers.run(Job(str(store), "refusal", drain=True))
        invariants.check_all(store, [run, end])
