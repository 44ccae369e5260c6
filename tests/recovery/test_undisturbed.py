"""The scenarios without any crash: what they are for happens, and all seams are passed."""

from __future__ import annotations

import pytest

from saga.seams import NAMES

from . import invariants
from .harness import Workers, place
from .worker import SCENARIOS, Job


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_that_nobody_disturbs_comes_to_its_end(workers: Workers, scenario: str) -> None:
    with place() as store:
        run = workers.run(Job(str(store), scenario))
        invariants.check_all(store, [run])
        statuses = dict(run.told("ended"))
    assert statuses
    for id, status in statuses.items():
        if id.startswith(("good", "shaky", "clumsy")) and not (scenario == "cancel" and id == "good-2"):
            assert status == "COMPLETED", id
        else:
            assert status == "COMPENSATED" or id == "good-2", id


def test_every_seam_is_passed_by_some_scenario(workers: Workers) -> None:
    passed = {name for scenario in SCENARIOS for name in workers.passed(scenario)}
    assert passed == {name for name in NAMES if not name.startswith("copy.")}
