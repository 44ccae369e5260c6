"""Schedules: each run once and never early, missed ones by policy, and one that cannot run holds up nobody."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

import pytest

from saga import (
    BadSchedule,
    DefinitionError,
    NotEncodable,
    NotInstalled,
    Runtime,
    Saga,
    ScaledClock,
    Schedule,
    ScheduleConflict,
    Status,
    StoreFailed,
    VirtualClock,
    sleep,
    step,
)
from saga.coordination.requests import Query
from saga.store import Batch, ConstraintFailed, SagaStore
from saga.verification import verify_store

from .conftest import OpenRuntime
from .support import DEADLINE, Await, Desk, File, Job, Keep, entered

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Report(Saga[Job]):
    """File under the time at which it was due."""

    @step()
    def filing(self) -> File:
        return File(f"{self.tags['schedule']} {self.tags['due_at']} {self.input.key}")

    flow = filing


class Later(Saga[Job]):
    """Sleep for so many hours."""

    @sleep
    def nap(self) -> timedelta:
        return timedelta(hours=self.input.size)

    flow = nap


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def runtime(open_runtime: OpenRuntime, clock: VirtualClock) -> Runtime:
    return open_runtime(Desk, sagas=[Report, Later, Keep], clock=clock)


Session = Callable[..., AbstractContextManager[Runtime]]


@pytest.fixture
def session(store: Path, clock: VirtualClock) -> Session:
    """Open a runtime on the store, to be closed again."""
    return lambda *sagas: Runtime(store, contexts=[Desk], sagas=sagas or (Report, Later), clock=clock)


def due(*moments: str, name: str = "nightly") -> list[str]:
    """Return ids of runs in 2026: `due("01-02 03:00")`."""
    return [f"{name}@2026-{moment.replace(' ', 'T')}:00Z" for moment in moments]


def ids(runtime: Runtime) -> list[str]:
    """Return the ids of all sagas, in the order of their starts."""
    return [row.id for row in reversed(runtime.list(limit=5_000))]


def runs_until(runtime: Runtime, moment: datetime) -> Schedule:
    """Wait until the next run of the one schedule is due after this time; return it."""
    until = time.monotonic() + DEADLINE
    while True:
        (schedule,) = runtime.schedules()
        if schedule.next_at is None or schedule.next_at > moment:
            return schedule
        assert time.monotonic() < until, schedule


def now(clock: VirtualClock) -> datetime:
    return datetime.fromtimestamp(clock.now_ms() / 1000, UTC)


# --- runs -----------------------------------------------------------------------------------------


def test_a_saga_is_started_again_and_again(runtime: Runtime, clock: VirtualClock, store: Path) -> None:
    made = runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *", tags={"region": "north"})
    assert made.next_at == datetime(2026, 1, 1, 3, tzinfo=UTC)
    for _ in range(3):
        clock.advance(DAY)
        runs_until(runtime, now(clock))
    expected = due("01-01 03:00", "01-02 03:00", "01-03 03:00")
    assert ids(runtime) == expected
    for id in expected:
        assert runtime.handle(id).wait(DEADLINE).completed
    assert entered(store, "nightly 2026-01-02T03:00:00Z a") == ["file"]
    [row] = runtime.list(tags={"due_at": "2026-01-03T03:00:00Z"})
    assert row.tags == {"region": "north", "schedule": "nightly", "due_at": "2026-01-03T03:00:00Z"}
    assert runtime.schedules() == [
        Schedule(
            name="nightly",
            saga="Report",
            input_type="Job/1",
            tags={"region": "north"},
            cron="0 3 * * *",
            time_zone="UTC",
            missed="once",
            overlap="allow",
            since=datetime(2026, 1, 1, tzinfo=UTC),
            next_at=datetime(2026, 1, 4, 3, tzinfo=UTC),
            last_at=datetime(2026, 1, 3, 3, tzinfo=UTC),
            last_id=expected[-1],
            runs=3,
            problem=None,
        )
    ]
    assert list(verify_store(store)) == []


def test_no_run_is_early(runtime: Runtime, clock: VirtualClock) -> None:
    runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    clock.advance(3 * HOUR - timedelta(milliseconds=1))
    runtime.schedules()
    runtime.start(Keep, Job("b"), id="b").wait(DEADLINE)  # whatever comes by, it is not time yet
    assert ids(runtime) == ["b"]
    clock.advance(timedelta(milliseconds=1))
    runs_until(runtime, now(clock))
    assert ids(runtime) == ["b", *due("01-01 03:00")]
    assert runtime.history(due("01-01 03:00")[0])[0].at == datetime(2026, 1, 1, 3, tzinfo=UTC)


def test_a_clock_that_jumps_back_neither_repeats_a_run_nor_brings_one_forward(
    open_runtime: OpenRuntime,
) -> None:
    class Jumping(VirtualClock):
        def jump(self, by: timedelta) -> None:
            self._now += by // timedelta(milliseconds=1)

    clock = Jumping(datetime(2026, 1, 1, 2, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Report, Keep], clock=clock)
    runtime.schedule("nightly", Report, Job("a"), cron="0 3,4 * * *", missed="all")
    clock.advance(HOUR)
    runs_until(runtime, now(clock))
    clock.jump(-2 * HOUR)
    clock.advance(2 * HOUR)  # three o'clock again
    runtime.start(Keep, Job("b"), id="b").wait(DEADLINE)
    assert ids(runtime) == [*due("01-01 03:00"), "b"]
    clock.advance(HOUR)
    runs_until(runtime, now(clock))
    assert ids(runtime) == [*due("01-01 03:00"), "b", *due("01-01 04:00")]


def test_two_schedules_run_in_the_order_in_which_they_are_due(runtime: Runtime, clock: VirtualClock) -> None:
    runtime.schedule("a", Report, Job("a"), cron="0 4 * * *")
    runtime.schedule("b", Report, Job("b"), cron="0 3 * * *")
    clock.advance(5 * HOUR)
    for id in (*due("01-01 03:00", name="b"), *due("01-01 04:00", name="a")):
        _until(lambda wanted=id: wanted in ids(runtime))
    assert ids(runtime) == [*due("01-01 03:00", name="b"), *due("01-01 04:00", name="a")]


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < until


def test_it_runs_on_a_scaled_clock(open_runtime: OpenRuntime) -> None:
    clock = ScaledClock(100_000, datetime(2026, 1, 1, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Report], clock=clock)
    runtime.schedule("hourly", Report, Job("a"), cron="0 * * * *")
    _until(lambda: runtime.schedules()[0].runs >= 2)
    assert all(runtime.handle(id).wait(DEADLINE).completed for id in ids(runtime)[:2])


def test_it_runs_in_a_store_in_memory(open_runtime: OpenRuntime, clock: VirtualClock) -> None:
    runtime = open_runtime(Desk, sagas=[Report], clock=clock, at=":memory:")
    runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    clock.advance(DAY)
    runs_until(runtime, now(clock))
    assert runtime.handle(due("01-01 03:00")[0]).wait(DEADLINE).completed
    assert runtime.unschedule("nightly")
    assert runtime.schedules() == []


def test_a_run_whose_id_is_taken_counts_as_started(runtime: Runtime, clock: VirtualClock) -> None:
    runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    runtime.start(Keep, Job("b"), id=due("01-01 03:00")[0]).wait(DEADLINE)
    clock.advance(DAY)
    schedule = runs_until(runtime, now(clock))
    assert (schedule.runs, schedule.last_at, schedule.problem) == (0, None, None)
    clock.advance(DAY)
    assert runs_until(runtime, now(clock)).last_id == due("01-02 03:00")[0]


def test_the_input_of_a_run_is_its_own(open_runtime: OpenRuntime, clock: VirtualClock, store: Path) -> None:
    """Else what one run does to a list in it would be there for the next."""

    @dataclass(frozen=True)
    class Names:
        names: list[str]

    class Collect(Saga[Names]):
        @step()
        def filing(self) -> File:
            self.input.names.append("x")
            return File(" ".join(self.input.names))

        flow = filing

    runtime = open_runtime(Desk, sagas=[Collect], clock=clock)
    runtime.schedule("nightly", Collect, Names(["a"]), cron="0 3 * * *")
    for id in due("01-01 03:00", "01-02 03:00"):
        clock.advance(DAY)
        runs_until(runtime, now(clock))
        assert runtime.handle(id).wait(DEADLINE).completed
    assert entered(store, "a x") == ["file", "file"]


# --- missed runs ----------------------------------------------------------------------------------

MISSED = {
    "skip": [],
    "once": due("01-04 03:00"),
    "all": due("01-01 03:00", "01-02 03:00", "01-03 03:00", "01-04 03:00"),
}


@pytest.mark.parametrize("missed", MISSED)
def test_what_was_missed_while_nobody_was_there_is_made_up_for_by_policy(
    session: Session, clock: VirtualClock, missed: str
) -> None:
    with session() as runtime:
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *", missed=missed)  # type: ignore[arg-type]
    clock.advance(timedelta(days=3, hours=12))
    with session() as runtime:  # it is open when that has been made up for
        assert ids(runtime) == MISSED[missed]
        assert runtime.schedules()[0].next_at == datetime(2026, 1, 5, 3, tzinfo=UTC)
        clock.advance(DAY)
        runs_until(runtime, now(clock))
        assert ids(runtime) == MISSED[missed] + due("01-05 03:00")


IN_TIME = {**MISSED, "skip": due("01-04 03:00")}


@pytest.mark.parametrize("missed", IN_TIME)
def test_of_several_that_fall_due_at_once_in_a_live_process_the_last_was_not_missed(
    runtime: Runtime, clock: VirtualClock, missed: str
) -> None:
    runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *", missed=missed)  # type: ignore[arg-type]
    clock.advance(timedelta(days=3, hours=12))
    runs_until(runtime, now(clock))
    assert ids(runtime) == IN_TIME[missed]


def test_of_very_many_missed_runs_the_latest_thousand_are_made_up_for(
    session: Session, clock: VirtualClock
) -> None:
    with session() as runtime:
        runtime.schedule("a", Report, Job("a"), cron="* * * * *", missed="all")
    clock.advance(timedelta(minutes=2_500, seconds=30))
    with session() as runtime:
        found = ids(runtime)
        schedule = runtime.schedules()[0]
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=1_501)
    assert found == [f"a@{first + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}" for n in range(1_000)]
    assert (schedule.runs, schedule.next_at) == (1_000, first + timedelta(minutes=1_000))


def test_many_missed_runs_do_not_hold_up_others(session: Session, clock: VirtualClock) -> None:
    with session() as runtime:
        runtime.schedule("a", Report, Job("a"), cron="* * * * *", missed="all")
        runtime.schedule("b", Report, Job("b"), cron="*/5 * * * *", missed="all")
    clock.advance(timedelta(minutes=500))
    with session() as runtime:
        assert {schedule.name: schedule.runs for schedule in runtime.schedules()} == {"a": 500, "b": 100}


def test_a_year_of_seconds_is_passed_over_quickly(session: Session, clock: VirtualClock) -> None:
    with session() as runtime:
        for missed in ("skip", "once", "all"):
            runtime.schedule(missed, Report, Job("a"), cron="* * * * * *", missed=missed)  # type: ignore[arg-type]
    clock.advance(timedelta(days=365))
    began = time.monotonic()
    with session() as runtime:
        runs = {schedule.name: schedule.runs for schedule in runtime.schedules()}
        assert time.monotonic() - began < 10
        assert runs == {"skip": 0, "once": 1, "all": 1_000}
        for name in runs:
            runtime.unschedule(name)


# --- overlap --------------------------------------------------------------------------------------


def test_runs_may_overlap(runtime: Runtime, clock: VirtualClock) -> None:
    runtime.schedule("nightly", Later, Job("a", 30), cron="0 3 * * *")
    clock.advance(2 * DAY)
    clock.advance(DAY)
    assert runs_until(runtime, now(clock)).runs >= 1
    clock.advance(DAY)
    schedule = runs_until(runtime, now(clock))
    assert schedule.last_id == due("01-04 03:00")[0]


def test_a_run_is_left_out_while_the_one_before_goes_on(runtime: Runtime, clock: VirtualClock) -> None:
    runtime.schedule("nightly", Later, Job("a", 30), cron="0 3 * * *", overlap="skip")
    for _ in range(4):
        clock.advance(DAY)
        runs_until(runtime, now(clock))
    assert ids(runtime) == due("01-01 03:00", "01-03 03:00")
    assert runtime.schedules()[0].runs == 2


def test_a_run_that_has_ended_by_the_same_moment_is_not_overlapped(
    runtime: Runtime, clock: VirtualClock
) -> None:
    """Timers come before schedules."""
    runtime.schedule("nightly", Later, Job("a", 24), cron="0 3 * * *", overlap="skip")
    for _ in range(3):
        clock.advance(DAY)
        runs_until(runtime, now(clock))
    assert ids(runtime) == due("01-01 03:00", "01-02 03:00", "01-03 03:00")


def test_of_missed_runs_that_may_not_overlap_the_first_is_started(
    session: Session, clock: VirtualClock
) -> None:
    with session() as runtime:
        runtime.schedule("nightly", Later, Job("a", 30), cron="0 3 * * *", missed="all", overlap="skip")
    clock.advance(3 * DAY)
    with session() as runtime:
        assert ids(runtime) == due("01-01 03:00")


# --- the call -------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing_also_after_a_restart(session: Session, clock: VirtualClock) -> None:
    for again in range(2):
        with session() as runtime:
            made = runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *", tags={"b": "1", "a": "2"})
            clock.advance(HOUR)
            same = runtime.schedule(
                "nightly", Report, Job("a"), cron=" 0 3  * * *", tags={"a": "2", "b": "1"}
            )
            assert same == made == runtime.schedules()[0]
            assert made.since == datetime(2026, 1, 1, tzinfo=UTC), again


CHANGES = {
    "saga": {"saga": Later},
    "input": {"input": Job("b")},
    "cron": {"cron": "0 4 * * *"},
    "time_zone": {"time_zone": "Europe/Berlin"},
    "missed": {"missed": "all"},
    "overlap": {"overlap": "skip"},
    "tags": {"tags": {"a": "b"}},
}


@pytest.mark.parametrize("argument", CHANGES)
def test_another_one_of_the_same_name_is_a_conflict_unless_it_is_to_replace_it(
    runtime: Runtime, clock: VirtualClock, argument: str
) -> None:
    given = {"saga": Report, "input": Job("a"), "cron": "0 3 * * *"}
    before = runtime.schedule("nightly", **given)  # type: ignore[arg-type]
    clock.advance(HOUR)
    changed = given | CHANGES[argument]
    with pytest.raises(ScheduleConflict, match=rf"another {argument}; .* replace=True") as caught:
        runtime.schedule("nightly", **changed)  # type: ignore[arg-type]
    assert caught.value.differences == (argument,)
    assert runtime.schedules() == [before]
    after = runtime.schedule("nightly", **changed, replace=True)  # type: ignore[arg-type]
    assert runtime.schedules() == [after]
    assert after.since == before.since + HOUR


def test_what_was_started_is_remembered_when_a_schedule_is_replaced(
    runtime: Runtime, clock: VirtualClock
) -> None:
    runtime.schedule("nightly", Later, Job("a", 100), cron="0 3 * * *", overlap="skip")
    clock.advance(DAY)
    runs_until(runtime, now(clock))
    replaced = runtime.schedule("nightly", Later, Job("a", 1), cron="0 4 * * *", overlap="skip", replace=True)
    assert (replaced.runs, replaced.last_id) == (1, due("01-01 03:00")[0])
    clock.advance(DAY)
    runs_until(runtime, now(clock))
    assert ids(runtime) == due("01-01 03:00")  # it still goes on


def test_after_unschedule_no_run_is_started_and_those_that_began_go_on(
    runtime: Runtime, clock: VirtualClock
) -> None:
    runtime.schedule("nightly", Later, Job("a", 30), cron="0 3 * * *")
    clock.advance(DAY)
    runs_until(runtime, now(clock))
    assert runtime.unschedule("nightly")
    assert not runtime.unschedule("nightly")
    clock.advance(2 * DAY)
    assert runtime.handle(due("01-01 03:00")[0]).wait(DEADLINE).status is Status.COMPLETED
    assert ids(runtime) == due("01-01 03:00")
    assert runtime.schedules() == []


BAD = {
    "no cron": ({"cron": "every day"}, "cron='every day': wrong number of fields"),
    "a minute too many": ({"cron": "60 * * * *"}, "bad minute"),
    "a word": ({"cron": "@daily"}, "wrong number of fields"),
    "nothing": ({"cron": ""}, "cron=''"),
    "no text": ({"cron": None}, "cron=None: write five fields"),
    "a day that never comes": ({"cron": "0 0 30 2 *"}, "bad day-of-month"),
    "a weekday that never comes": ({"cron": "0 0 * 2 MON#5,L"}, "cron="),
    "very much": ({"cron": "0," * 1_000 + "0 * * * *"}, "cron='0,0,"),
    "no zone": ({"time_zone": "Europe/Atlantis"}, "time_zone='Europe/Atlantis': there is no such zone"),
    "half a zone": ({"time_zone": "Europe"}, "there is no such zone"),
    "a path": ({"time_zone": "../../etc/passwd"}, "there is no such zone"),
    "an empty zone": ({"time_zone": ""}, "there is no such zone"),
    "no text as a zone": ({"time_zone": None}, "there is no such zone"),
    "no policy": ({"missed": "twice"}, "missed='twice': write one of 'skip', 'once', 'all'"),
    "no overlap": ({"overlap": "wait"}, "overlap='wait': write one of 'allow', 'skip'"),
    "a tag of ours": ({"tags": {"due_at": "now"}}, "'due_at' is given to each run"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_what_makes_no_sense_is_refused_at_the_call(
    runtime: Runtime, arguments: dict[str, object], message: str
) -> None:
    given: dict[str, object] = {"cron": "0 3 * * *", **arguments}
    with pytest.raises(BadSchedule) as caught:
        runtime.schedule("nightly", Report, Job("a"), **given)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert runtime.schedules() == []


def test_a_time_that_never_comes_is_refused(open_runtime: OpenRuntime) -> None:
    """After the year 9999 there is none."""
    clock = VirtualClock(datetime(9999, 12, 31, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Report], clock=clock)
    with pytest.raises(BadSchedule, match="no such time"):
        runtime.schedule("never", Report, Job("a"), cron="0 0 1 1 *")
    assert runtime.schedules() == []


def test_names_inputs_and_sagas_that_cannot_be_stored_are_refused(runtime: Runtime) -> None:
    for name in ("", "a\nb", "x" * 480, 7):
        with pytest.raises(NotEncodable, match="name"):
            runtime.schedule(name, Report, Job("a"), cron="0 3 * * *")  # type: ignore[arg-type]
    with pytest.raises(NotEncodable):
        runtime.schedule("a", Report, Job(3), cron="0 3 * * *")  # type: ignore[arg-type]
    with pytest.raises(NotEncodable):
        runtime.schedule("a", Report, Job("a"), cron="0 3 * * *", tags={"a": 1})  # type: ignore[dict-item]
    with pytest.raises(DefinitionError):
        runtime.schedule("a", Await, Job("a"), cron="0 3 * * *")
    runtime.schedule("x" * 479, Report, Job("a"), cron="0 3 * * *")


def test_what_is_missing_is_said_when_the_library_is_not_there(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cronsim", None)
    with pytest.raises(NotInstalled, match=r"pip install 'saga-actors\[cron\]'"):
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")


# --- those that cannot run ------------------------------------------------------------------------


def test_without_its_class_a_schedule_is_held_and_goes_on_when_that_is_back(
    session: Session, clock: VirtualClock, store: Path
) -> None:
    with session() as runtime:
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *", missed="all")
        runtime.schedule("other", Later, Job("a"), cron="0 3 * * *")
    with session(Later) as runtime:
        nightly, other = runtime.schedules()
        assert nightly.problem == "Report is not known to this runtime; add its class to Runtime(sagas=[...])"
        assert other.problem is None
        clock.advance(2 * DAY)
        _until(lambda: runtime.schedules()[1].runs > 0)
        assert runtime.schedules()[0] == nightly
    assert list(verify_store(store)) == []
    with session() as runtime:
        assert [id for id in ids(runtime) if id.startswith("nightly")] == due("01-01 03:00", "01-02 03:00")
        assert runtime.schedules()[0].problem is None


def test_a_schedule_whose_input_has_another_type_is_held_until_it_is_replaced(
    session: Session, clock: VirtualClock
) -> None:
    @dataclass(frozen=True)
    class Assignment:
        what: str

    class Second(Saga[Assignment], name="Report", version=2):
        @sleep
        def nap(self) -> timedelta:
            return HOUR

        flow = nap

    with session() as runtime:
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    clock.advance(DAY)
    with session(Report, Second) as runtime:
        (held,) = runtime.schedules()
        assert held.problem is not None
        assert "its input is a Job/1, and Report version 2 takes a Assignment/1" in held.problem
        with pytest.raises(BadSchedule, match="the newest version in this runtime, which is 2"):
            runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
        with pytest.raises(ScheduleConflict, match="another input_type, input;"):
            runtime.schedule("nightly", Second, Assignment("a"), cron="0 3 * * *")
        runtime.schedule("nightly", Second, Assignment("a"), cron="0 3 * * *", replace=True)
        clock.advance(DAY)
        assert runs_until(runtime, now(clock)).problem is None
        assert [(row.id, row.version) for row in runtime.list()] == [(due("01-02 03:00")[0], 2)]


def test_a_newer_version_of_the_saga_is_started_once_it_is_there(
    session: Session, clock: VirtualClock
) -> None:
    class Newer(Saga[Job], name="Later", version=2):
        @sleep
        def nap(self) -> timedelta:
            return HOUR

        flow = nap

    with session() as runtime:
        runtime.schedule("nightly", Later, Job("a"), cron="0 3 * * *", missed="all")
        clock.advance(DAY)
        runs_until(runtime, now(clock))
    clock.advance(DAY)
    with session(Later, Newer) as runtime:
        runtime.schedule("nightly", Newer, Job("a"), cron="0 3 * * *", missed="all")  # the same
        assert [row.version for row in reversed(runtime.list())] == [1, 2]


def test_an_input_that_cannot_be_read_any_more_holds_its_schedule_only(
    session: Session, clock: VirtualClock
) -> None:
    strict = False

    @dataclass(frozen=True)
    class Picky:
        name: str

        def __post_init__(self) -> None:
            if strict:
                raise ValueError("names have become shorter")

    class Pick(Saga[Picky]):
        @sleep
        def nap(self) -> timedelta:
            return HOUR

        flow = nap

    with session(Pick, Report) as runtime:
        runtime.schedule("nightly", Pick, Picky("a"), cron="0 3 * * *")
        runtime.schedule("other", Report, Job("a"), cron="0 3 * * *")
        strict = True
        clock.advance(DAY)  # it has become so while the process lives
        _until(lambda: all(each.problem or each.runs for each in runtime.schedules()))
        nightly, other = runtime.schedules()
        assert (nightly.runs, other.runs, other.problem) == (0, 1, None)
        assert nightly.problem is not None
        assert "names have become shorter" in nightly.problem
        assert nightly.next_at == datetime(2026, 1, 1, 3, tzinfo=UTC)
        clock.advance(DAY)
        _until(lambda: runtime.schedules()[1].runs == 2)
    with session(Pick, Report) as runtime:  # and when it is opened
        assert "names have become shorter" in (runtime.schedules()[0].problem or "")
        strict = False
        runtime.schedule("nightly", Pick, Picky("a"), cron="0 3 * * *")  # the same: it goes on
        _until(lambda: runtime.schedules()[0].runs == 1)
        assert due("01-02 03:00")[0] in ids(runtime)


def test_without_the_library_schedules_are_held_and_all_else_goes_on(
    session: Session, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session() as runtime:
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    clock.advance(DAY)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "cronsim", None)
        with session() as runtime:
            assert "pip install 'saga-actors[cron]'" in (runtime.schedules()[0].problem or "")
            assert runtime.start(Later, Job("a", 0)).wait(DEADLINE).completed
    with session() as runtime:
        assert due("01-01 03:00")[0] in ids(runtime)


def test_a_machine_that_fails_on_one_run_holds_its_schedule_only(
    runtime: Runtime, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saga.coordination import ledger

    decide = ledger.decide

    def fail(graph: object, state: object, stimulus: object, *others: object) -> object:
        if getattr(stimulus, "id", "").startswith("nightly"):
            raise AssertionError("a bug")
        return decide(graph, state, stimulus, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "decide", fail)
    runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    runtime.schedule("other", Report, Job("a"), cron="0 3 * * *")
    clock.advance(DAY)
    _until(lambda: runtime.schedules()[1].runs == 1)
    assert "a bug" in (runtime.schedules()[0].problem or "")
    assert runtime.handle(due("01-01 03:00", name="other")[0]).wait(DEADLINE).completed
    assert ids(runtime) == due("01-01 03:00", name="other")


def test_a_changed_byte_in_a_schedule_is_seen_and_mended_when_it_is_given_again(
    session: Session, clock: VirtualClock, store: Path
) -> None:
    with session() as runtime:
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    with closing(sqlite3.connect(store / "saga.db")) as connection:
        connection.execute("UPDATE schedules SET cron = '* * * * *'")
        connection.commit()
    assert ["does not fit its digest" in finding.what for finding in verify_store(store)] == [True]
    clock.advance(DAY)
    with session() as runtime:
        assert "digest" in (runtime.schedules()[0].problem or "")
        assert ids(runtime) == []
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
        schedule = runs_until(runtime, now(clock))
        assert (schedule.cron, schedule.problem) == ("0 3 * * *", None)
        assert ids(runtime) == due("01-01 03:00")
    assert list(verify_store(store)) == []


# --- time zones -----------------------------------------------------------------------------------


def test_runs_follow_the_clock_of_their_zone_in_spring(open_runtime: OpenRuntime) -> None:
    """On 29 March 2026 there is no half past two in Berlin: it comes at three, an hour before seven."""
    clock = VirtualClock(datetime(2026, 3, 28, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Report], clock=clock)
    runtime.schedule("n", Report, Job("a"), cron="30 2 * * *", time_zone="Europe/Berlin", missed="all")
    clock.advance(3 * DAY)
    runs_until(runtime, now(clock))
    assert ids(runtime) == due("03-28 01:30", "03-29 01:00", "03-30 00:30", name="n")


def test_runs_follow_the_clock_of_their_zone_in_autumn(open_runtime: OpenRuntime) -> None:
    """On 25 October 2026 half past two comes twice in Berlin, and the run the first time only."""
    clock = VirtualClock(datetime(2026, 10, 24, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Report], clock=clock)
    runtime.schedule("n", Report, Job("a"), cron="30 2 * * *", time_zone="Europe/Berlin")
    for _ in range(288):  # whichever moment it is looked at
        clock.advance(timedelta(minutes=15))
        runs_until(runtime, now(clock))
    assert ids(runtime) == due("10-24 00:30", "10-25 00:30", "10-26 01:30", name="n")


# --- one commit -----------------------------------------------------------------------------------


def test_a_run_and_the_move_to_the_next_are_one_commit_and_a_commit_has_some_runs_only(
    runtime: Runtime, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[tuple[int, int]] = []
    commit = SagaStore.commit

    def watched(self: SagaStore, batch: Batch) -> int:
        runs = [row.runs for row in batch.schedules.values() if row is not None]
        commits.append((len(batch.new_sagas), sum(runs)))
        return commit(self, batch)

    monkeypatch.setattr(SagaStore, "commit", watched)
    runtime.schedule("a", Report, Job("a"), cron="* * * * *", missed="all")
    clock.advance(timedelta(minutes=200))
    runs_until(runtime, now(clock))
    started = [each for each in commits if each[0]]
    assert [runs for _, runs in started] == list(accumulate(sagas for sagas, _ in started))
    assert started[-1][1] == 200
    assert len(started) >= 3


def test_a_run_whose_rows_are_refused_does_not_come_again(runtime: Runtime, clock: VirtualClock) -> None:
    """The schema refuses a batch as a whole; in pieces, only the run is left out, and the schedule moves on."""

    def refuse(connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.sagas WHEN new.id GLOB 'nightly@*01-01*'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )

    runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
    reply: Future[None] = Future()
    runtime._open_crew().post(Query(refuse, reply))
    reply.result(DEADLINE)
    clock.advance(DAY)
    runs_until(runtime, now(clock))
    clock.advance(DAY)
    runs_until(runtime, now(clock))
    assert ids(runtime) == due("01-02 03:00")


def test_cut_off_between_a_run_and_the_move_to_the_next_a_run_is_not_started_again(
    session: Session, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    """Only what the schema refuses is written in pieces; the id of the run is what is left to go by."""
    commit = SagaStore.commit

    def cut_off(self: SagaStore, batch: Batch) -> int:
        if batch.schedules and batch.new_sagas:
            raise ConstraintFailed("saga.db", "new_sagas", "refused")
        if batch.schedules:
            raise StoreFailed("saga.db", "power failure")
        return commit(self, batch)

    with session() as runtime:
        runtime.schedule("nightly", Report, Job("a"), cron="0 3 * * *")
        with monkeypatch.context() as patched:
            patched.setattr(SagaStore, "commit", cut_off)
            clock.advance(DAY)
            with pytest.raises(StoreFailed):
                _until(lambda: not runtime.schedules())
    with session() as runtime:
        assert ids(runtime) == due("01-01 03:00")
        assert runtime.handle(due("01-01 03:00")[0]).wait(DEADLINE).completed
        assert runtime.schedules()[0].next_at == datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert entered(store, "nightly 2026-01-01T03:00:00Z a") == ["file"]
