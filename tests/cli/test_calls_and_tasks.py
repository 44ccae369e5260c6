"""Sagas that call others, and tasks, as `saga show` and `saga list` tell them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from saga import Event, Key, Runtime, Saga, VirtualClock, call, each, items, parallel, task, wait

from .conftest import Run


@dataclass(frozen=True, slots=True)
class Trip:
    name: str
    rooms: int = 1


@dataclass(frozen=True, slots=True)
class Arrived(Event):
    name: Key[str]


class Guide(Saga[Trip]):
    """Waits until somebody has arrived, except for nobody."""

    @wait(Arrived)
    def arrived(self) -> str:
        return self.input.name

    flow = arrived


class Travel(Saga[Trip]):
    """Calls a guide for each room, and asks a person."""

    @items
    def rooms(self) -> list[int]:
        return list(range(self.input.rooms))

    @call(Guide)
    def guide(self, room: int) -> Trip:
        return Trip(f"{self.input.name}-{room}")

    @task(answer=bool, within=timedelta(days=2))
    def approve(self) -> str:
        return self.input.name

    flow = parallel(each(rooms, guide, concurrency=100), approve)


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("trips") / "trips"
    with Runtime(store, sagas=[Travel], clock=VirtualClock()) as runtime:
        runtime.start(Travel, Trip("a", 2), id="a")
        runtime.publish(Arrived("a-0"))
        runtime.assign_task("a", "maria")
        runtime.start(Travel, Trip("b", 25), id="b")
        runtime.publish(Arrived("b-24"))
    return store


A = """\
saga        a
status      RUNNING
definition  Travel version 1
started     2026-01-01 00:00:00.000 UTC

Waits for
  approve.1: task approve for maria, until 2026-01-03 00:00:00
  each-1.1/item.2/guide.1: saga a:each-1.1/item.2/guide.1

Calls
  a:each-1.1/item.2/guide.1: RUNNING, Guide 1
  a:each-1.1/item.1/guide.1: COMPLETED, Guide 1

History
"""


def test_a_caller_lists_the_sagas_that_it_has_called(run: Run, trips: Path) -> None:
    assert run("show", "a", store=trips, width=80).stdout.startswith(A)


def test_a_called_saga_says_who_has_called_it(run: Run, trips: Path) -> None:
    out = run("show", "a:each-1.1/item.2/guide.1", store=trips, width=80).stdout
    assert "called by    a\n" in out
    assert "\nCalls\n" not in out


def test_of_many_called_sagas_those_that_have_not_ended_are_shown_first(run: Run, trips: Path) -> None:
    short, full = (run("show", "b", *more, store=trips).stdout for more in ((), ("--full",)))
    assert "and 5 more, see --full" in short
    assert "item.25/guide.1: COMPLETED" not in short
    assert full.count("RUNNING, Guide 1") == 24
    assert "item.25/guide.1: COMPLETED, Guide 1" in full


def test_caller_and_calls_are_fields_of_the_json(run: Run, trips: Path) -> None:
    a = json.loads(run("show", "a", "--json", store=trips).stdout)
    assert a["caller"] is None
    assert a["calls"] == [
        {
            "path": f"each-1.1/item.{n}/guide.1",
            "id": f"a:each-1.1/item.{n}/guide.1",
            "saga": "Guide",
            "version": 1,
            "status": status,
        }
        for n, status in ((1, "COMPLETED"), (2, "RUNNING"))
    ]
    called = json.loads(run("show", a["calls"][0]["id"], "--json", store=trips).stdout)
    assert (called["caller"], called["calls"]) == ("a", [])


def test_the_list_says_which_task_a_saga_waits_for(run: Run, trips: Path) -> None:
    out = run("list", "--saga", "Travel", store=trips).stdout
    assert "task approve for maria, until 2026-01-03 00:00:00 (and 1 more)" in out
    assert "task approve for anybody, until 2026-01-03 00:00:00 (and 24 more)" in out


def test_verify_and_doctor_have_nothing_to_say(run: Run, trips: Path) -> None:
    assert run("verify", store=trips).exit_code == 0
    assert run("doctor", store=trips).exit_code == 0
