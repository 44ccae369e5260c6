"""The scenarios without any crash: what they are for happens, and all seams are passed, by some in a recovery."""

from __future__ import annotations

import pytest

from reliability.crash import plan
from reliability.crash.businesses import SCENARIOS, SHOP, business_of
from reliability.crash.harness import Workers, place
from reliability.crash.job import Job
from reliability.crash.points import running


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_that_nobody_disturbs_comes_to_its_end(workers: Workers, scenario: str) -> None:
    with place() as store:
        run = workers.run(Job(str(store), scenario))
        business_of(scenario).check_all(store, [run])
        statuses = dict(run.told("ended"))
    assert statuses or scenario not in SHOP.scenarios, "trips are told by their books"
    for id, status in statuses.items():
        if scenario == "mixed":  # time passes meanwhile: some are in time, some are not
            assert status in ("COMPLETED", "COMPENSATED"), id
        elif id.startswith(("good", "shaky", "clumsy", "inquiry")) and not (
            scenario == "cancel" and id == "good-2"
        ):
            assert status == "COMPLETED", id
        else:
            assert status == "COMPENSATED" or id == "good-2", id


def test_every_seam_is_passed_by_some_scenario(workers: Workers) -> None:
    passed = {name for scenario in SCENARIOS for name in workers.passed(scenario)}
    for scenario in ("single", "overdue"):
        passed |= {name for each in plan.recoveries(workers, scenario) for name in each.passed}
    forgotten = set(running()) - passed
    assert not forgotten, f"add a scenario that passes {forgotten}"
