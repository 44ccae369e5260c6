"""`saga schedules`, and what `saga doctor` says about schedules that cannot run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saga import Runtime, Saga, VirtualClock, sleep

from . import shop
from .conftest import Run

NIGHT, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)


class Nap(Saga[shop.Order]):
    @sleep
    def nap(self) -> timedelta:
        return DAY

    flow = nap


class Gone(Saga[shop.Order]):
    @sleep
    def nap(self) -> timedelta:
        return DAY

    flow = nap


@pytest.fixture
def scheduled(tmp_path: Path) -> Path:
    """A store with two schedules, of which one cannot start its saga any more; it is closed."""
    store, clock = tmp_path / "shop", VirtualClock(NIGHT)
    order = shop.Order("o", "plain")
    with Runtime(store, sagas=[Nap, Gone], clock=clock) as runtime:
        runtime.schedule(
            "naps", Nap, order, cron="30 2 * * *", time_zone="Europe/Berlin", tags={"region": "north"}
        )
        runtime.schedule("gone", Gone, order, cron="0 3 * * *", missed="all", overlap="skip")
    clock.advance(DAY)
    with Runtime(store, sagas=[Nap], clock=clock):
        pass
    return store


TABLE = """\
NAME  SAGA  CRON        ZONE           NEXT RUN             LAST RUN             RUNS  MISSED
gone  Gone  0 3 * * *   UTC            held                                      0     all, no overlap
naps  Nap   30 2 * * *  Europe/Berlin  2026-01-02 01:30:00  2026-01-01 01:30:00  1     once

gone: no run can be started: Gone is not known to this runtime; add its class to Runtime(sagas=[...])
2 schedules
"""


def test_schedules_are_listed_with_their_next_and_last_runs(run: Run, scheduled: Path) -> None:
    result = run("schedules", store=scheduled, width=120)
    assert (result.stdout, result.exit_code) == (TABLE, 0)


def test_the_same_as_json(run: Run, scheduled: Path) -> None:
    gone, naps = json.loads(run("schedules", "--json", store=scheduled).stdout)["schedules"]
    assert naps == {
        "name": "naps",
        "saga": "Nap",
        "input_type": "Order/1",
        "tags": {"region": "north"},
        "cron": "30 2 * * *",
        "time_zone": "Europe/Berlin",
        "missed": "once",
        "overlap": "allow",
        "since_at": "2026-01-01T00:00:00.000Z",
        "next_at": "2026-01-02T01:30:00.000Z",
        "last_at": "2026-01-01T01:30:00.000Z",
        "last_id": "naps@2026-01-01T01:30:00Z",
        "runs": 1,
        "problem": None,
    }
    assert gone["problem"].startswith("Gone is not known")
    assert (gone["next_at"], gone["last_id"]) == ("2026-01-01T03:00:00.000Z", None)


def test_runs_are_found_by_their_tag(run: Run, scheduled: Path) -> None:
    found = json.loads(run("list", "--tag", "schedule=naps", "--json", store=scheduled).stdout)
    assert [each["id"] for each in found["sagas"]] == ["naps@2026-01-01T01:30:00Z"]
    shown = run("show", "naps@2026-01-01T01:30:00Z", store=scheduled).stdout
    assert "schedule:naps" in shown


def test_a_schedule_that_cannot_run_needs_a_person(run: Run, scheduled: Path) -> None:
    result = run("doctor", "--json", store=scheduled)
    found = json.loads(result.stdout)
    assert [each for each in found["problems"] if each["subject"].startswith("schedule")] == [
        {
            "severity": "warning",
            "subject": "schedule gone",
            "what": "no run can be started: Gone is not known to this runtime; add its class to Runtime(sagas=[...])",
        }
    ]
    assert [each["name"] for each in found["schedules"]] == ["gone", "naps"]
    assert (found["ok"], result.exit_code) == (False, 1)
    assert "schedule gone: no run can be started" in run("doctor", store=scheduled).stdout


def test_a_store_without_schedules_has_none(run: Run) -> None:
    assert run("schedules").stdout == "0 schedules\n"


def test_schedules_are_listed_beside_the_program_that_runs_them(run: Run, tmp_path: Path) -> None:
    with Runtime(tmp_path / "shop", sagas=[Nap], clock=VirtualClock(NIGHT)) as runtime:
        runtime.schedule("naps", Nap, shop.Order("o", "plain"), cron="30 2 * * *")
        [line] = json.loads(run("schedules", "--json", store=tmp_path / "shop").stdout)["schedules"]
    assert line["next_at"] == "2026-01-01T02:30:00.000Z"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(run: Run, scheduled: Path, width: int) -> None:
    for command in ("schedules", "doctor"):
        assert max(map(len, run(command, store=scheduled, width=width).stdout.splitlines())) <= width
