"""A bug of ours, or of a library, costs whoever it happens to, and nobody else; it is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from structlog.testing import capture_logs

from saga import (
    Command,
    Event,
    Gateway,
    Key,
    NotDecodable,
    Rejected,
    Saga,
    StoreFailed,
    VirtualClock,
    sleep,
    step,
)
from saga.machine import stimuli as s

from .bugs import fail_machine
from .conftest import OpenRuntime
from .support import DEADLINE, Desk, File, Job, statuses, texts, until_status


class Filing(Saga[Job]):
    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = filing


@dataclass(frozen=True)
class Found(Event):
    key: Key[str]


class FilingAll(Saga[Found], started_by_event=True):
    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = filing


def test_whoever_starts_a_saga_hears_that_the_machine_has_failed(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[Filing])
    fail_machine(monkeypatch, "a", s.Start)
    with pytest.raises(StoreFailed, match="a start failed: ZeroDivisionError: a bug of ours"):
        runtime.start(Filing, Job("a"), id="a")
    runtime.start(Filing, Job("b"), id="b").wait(DEADLINE)
    runtime.start(Filing, Job("a"), id="a").wait(DEADLINE)
    assert statuses(runtime) == {"a": "COMPLETED", "b": "COMPLETED"}


def test_an_event_whose_saga_cannot_be_started_starts_the_others(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[FilingAll])
    fail_machine(monkeypatch, "FilingAll:runtime:one", s.Start)
    with capture_logs() as logs:
        runtime.publish(Found("a"), id="one")
        runtime.publish(Found("b"), id="two")
        until_status(runtime, "FilingAll:runtime:two", "COMPLETED")
    assert list(statuses(runtime)) == ["FilingAll:runtime:two"]
    assert "start_failed" in [entry["event"] for entry in logs]


def test_an_event_that_is_published_twice_starts_its_saga_once(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[FilingAll])
    for _ in range(2):
        runtime.publish(Found("a"), id="one")
    until_status(runtime, "FilingAll:runtime:one", "COMPLETED")
    assert list(statuses(runtime)) == ["FilingAll:runtime:one"]


def test_a_schedule_whose_next_time_cannot_be_told_is_held_and_the_others_run(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[Filing], clock=clock)
    for name in ("broken", "sound"):
        runtime.schedule(name, Filing, Job(name), cron="0 * * * *")
    import saga.coordination.schedules as schedules

    runs_due = schedules.runs_due
    times = iter((True,))

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(times, False):
            raise ZeroDivisionError("a bug of a library")
        return runs_due(*arguments, **options)

    monkeypatch.setattr(schedules, "runs_due", failing)
    with capture_logs() as logs:
        clock.advance(timedelta(hours=1))
        for _ in range(200):
            if "COMPLETED" in statuses(runtime).values():
                break
            clock.advance(timedelta(milliseconds=1))
    assert len(statuses(runtime)) == 1
    assert any("a bug of a library" in str(entry) for entry in logs)


class Nowhere(tzinfo):
    """A time zone that knows no time."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        raise SystemExit("no time here")

    def dst(self, at: datetime | None) -> None:
        return None

    def tzname(self, at: datetime | None) -> str:
        return "Nowhere"


class Resting(Saga[Job]):
    @sleep
    def rest(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=Nowhere() if self.input.size else UTC)

    flow = rest


def test_a_time_zone_that_raises_parks_the_sleep(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Resting])
    runtime.start(Resting, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert any("return a timedelta or a datetime with a time zone" in text for text in texts(runtime, "a"))


class Interrupting(list[Any]):
    """Cannot be gone through."""

    def __iter__(self) -> Any:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class Sort(Command[None]):
    days: list[datetime]


class Sorting(Saga[Job]):
    @step()
    def sorting(self) -> Sort:
        return Sort(Interrupting([datetime(2030, 1, 1, tzinfo=UTC)]))

    flow = sorting


class Sorter(Gateway):
    @Sort.handler
    def sort(self, command: Sort) -> None: ...


def test_an_interrupt_in_a_value_parks_the_step_that_returned_it(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Sorter, sagas=[Sorting])
    runtime.start(Sorting, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert any(
        "sorting returned what cannot be stored: KeyboardInterrupt" in text for text in texts(runtime, "a")
    )


@dataclass(frozen=True)
class Ask(Command[str]):
    key: str


class Oracle(Gateway):
    """Answers in all kinds of ways."""

    @Ask.handler
    def ask(self, command: Ask) -> str | Rejected:
        match command.key:
            case "refused":
                return Rejected("not today", code="closed")
            case "unreadable":
                raise NotDecodable("Page/1", "it is blank")
            case _:
                return 5  # type: ignore[return-value]


class Asking(Saga[Job]):
    @step()
    def asking(self) -> Ask:
        return Ask(self.input.key)

    @asking.compensation
    def forgetting(self, answer: str | None) -> Ask:
        return Ask("refused")

    flow = asking


def test_a_gateway_may_return_its_refusal(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Oracle, sagas=[Asking])
    outcome = runtime.start(Asking, Job("refused"), id="a").wait(DEADLINE)
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.reason) == ("closed", "not today")


def test_what_a_gateway_cannot_read_was_certainly_not_done(open_runtime: OpenRuntime) -> None:
    """Nothing is undone then; that is retried like any failure first."""
    runtime = open_runtime(Oracle)
    with pytest.raises(Exception, match="it is blank"):
        runtime.send(Ask("unreadable"))
    with pytest.raises(Exception, match="ask answered what cannot be stored"):
        runtime.send(Ask("five"))
