"""A saga whose records make no sense here, such as those of a later version: it stays as it is, and harms nobody."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from saga import (
    NotAllowed,
    Rejected,
    Runtime,
    Saga,
    SagaParked,
    Start,
    StoredDataError,
    VirtualClock,
    call,
    sleep,
    wait,
)
from saga.actors.gateway import _Failed
from saga.machine import stimuli as s
from saga.store import chain

from .conftest import Failpoint, OpenRuntime
from .inside import crew_of
from .support import (
    DEADLINE,
    Await,
    Confirmed,
    Desk,
    Gate,
    Job,
    Keep,
    Landline,
    Receipt,
    Ring,
    Script,
    Telephone,
    entered,
    sound,
    statuses,
    until_status,
    wait_until_it_happened,
)
from .test_calls import Part, Whole, fail_machine
from .test_dying_actors import BUG


class Sleepy(Saga[Job]):
    @sleep
    def nap(self) -> timedelta:
        return timedelta(hours=self.input.size)

    flow = nap


def make_unreadable(store: Path, *ids: str) -> None:
    """Write behind the journals of these sagas what only a later version knows. No runtime has the store open."""
    last = (
        "SELECT saga_no, seq, digest FROM journal JOIN sagas ON sagas.no = saga_no"
        " WHERE id = ? ORDER BY seq DESC LIMIT 1"
    )
    row = "INSERT INTO journal (saga_no, seq, at_ms, encoding, records, digest) VALUES (?, ?, 0, 1, ?, ?)"
    records = '[{"is":"of-a-later-version"}]'
    with closing(sqlite3.connect(store / "saga.db", isolation_level=None)) as connection:
        for id in ids:
            no, seq, digest = connection.execute(last, [id]).fetchone()
            new = chain(digest, no, seq + 1, 0, None, 1, records.encode())
            connection.execute(row, [no, seq + 1, records, new])


def make_readable(store: Path) -> None:
    """Take that back, for all of them."""
    with closing(sqlite3.connect(store / "saga.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM journal WHERE records LIKE '%of-a-later-version%'")


def start_parked(runtime: Runtime, saga: type[Saga[Any]], *ids: str) -> None:
    """Start sagas that come to be parked."""
    runtime.start_many(Start(saga, Job(id), id) for id in ids)
    for id in ids:
        until_status(runtime, id, "PARKED")


@pytest.fixture
def refusing(script: Script) -> Script:
    """The sagas "bad" and "good" are refused, and cannot be undone."""
    for id in ("bad", "good"):
        for what in ("file", "unbook", "phone", "call off unknown"):
            script.on(what, id, OSError("no line") if what == "phone" else Rejected("no", code="no"))
    return script


def test_whoever_waits_for_it_or_acts_on_it_is_told(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    make_unreadable(store, "a")
    runtime = open_runtime(Desk, sagas=[Keep])
    with pytest.raises(StoredDataError, match="the records of saga 'a' make no sense"):
        runtime.handle("a").wait(DEADLINE)
    with pytest.raises(StoredDataError, match="the records of saga 'a' make no sense"):
        runtime.cancel("a")
    assert statuses(runtime) == {"a": "COMPLETED"}
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed


def test_those_that_are_under_way_beside_it_are_recovered(
    open_runtime: OpenRuntime, store: Path, refusing: Script
) -> None:
    with Runtime(store, contexts=[lambda: Desk(refusing)], sagas=[Keep]) as runtime:
        start_parked(runtime, Keep, "bad", "good")
    make_unreadable(store, "bad")
    with capture_logs() as logs:
        runtime = open_runtime(Desk, sagas=[Keep])
    assert {log["saga_id"] for log in logs if log["event"] == "journal_unfitting"} == {"bad"}
    runtime.retry("good")
    assert runtime.handle("good").wait(DEADLINE).status == "COMPENSATED"
    assert statuses(runtime)["bad"] == "PARKED"


def test_those_that_were_parked_beside_it_for_want_of_a_participant_go_on(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Ring]) as runtime:
        start_parked(runtime, Ring, "bad", "good")
    make_unreadable(store, "bad")
    runtime = open_runtime(Telephone, sagas=[Ring])
    assert runtime.handle("good").wait(DEADLINE).completed
    assert statuses(runtime)["bad"] == "PARKED"


def test_those_that_need_a_context_beside_it_are_parked_when_that_is_down(
    open_runtime: OpenRuntime, store: Path, refusing: Script, failpoint: Failpoint
) -> None:
    with Runtime(store, contexts=[lambda: Desk(refusing)], sagas=[Keep]) as runtime:
        start_parked(runtime, Keep, "bad")
    make_unreadable(store, "bad")
    runtime = open_runtime(Desk, sagas=[Keep])
    failpoint.on("desk", "context.before-commit", *[BUG] * 6)
    with pytest.raises(SagaParked, match="desk is down"):
        runtime.start(Keep, Job("good"), id="good").wait(DEADLINE)


def test_what_a_gateway_has_lost_beside_it_is_sent_again(
    open_runtime: OpenRuntime, store: Path, refusing: Script, script: Script
) -> None:
    with Runtime(store, contexts=[lambda: Landline(refusing)], sagas=[Ring]) as runtime:
        start_parked(runtime, Ring, "bad")
    make_unreadable(store, "bad")
    runtime = open_runtime(lambda: Landline(script), sagas=[Ring])
    gate = Gate()
    script.on("phone", "good", gate)
    good = runtime.start(Ring, Job("good"))
    gate.wait_for_somebody()
    crew = crew_of(runtime)
    crew.mailboxes["landline"].post(_Failed(ZeroDivisionError("a bug of ours")))
    other = runtime.start(Ring, Job("other"))  # stands behind what kills the gateway: it is sent again
    gate.open()
    assert good.wait(DEADLINE).completed
    assert other.wait(DEADLINE).completed
    assert statuses(runtime)["bad"] == "PARKED"


def test_timers_beside_it_fire(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    with Runtime(store, sagas=[Sleepy], clock=clock) as runtime:
        runtime.start_many(Start(Sleepy, Job(id), id) for id in ("bad", "good"))
    make_unreadable(store, "bad")
    runtime = open_runtime(sagas=[Sleepy], clock=clock)
    clock.advance(timedelta(hours=2))
    assert runtime.handle("good").wait(DEADLINE).completed
    assert statuses(runtime)["bad"] == "RUNNING"


def test_others_that_wait_for_the_same_event_get_it(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, sagas=[Await]) as runtime:
        runtime.start_many(Start(Await, Job("x"), id) for id in ("bad", "good"))
    make_unreadable(store, "bad")
    runtime = open_runtime(sagas=[Await])
    runtime.publish(Confirmed("x"))
    assert runtime.handle("good").wait(DEADLINE).completed
    assert statuses(runtime)["bad"] == "RUNNING"


def test_a_saga_that_it_has_called_ends_all_the_same(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Whole]) as runtime:
        runtime.start(Whole, Job("a", size=2), id="a")
        wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    make_unreadable(store, "a")
    runtime = open_runtime(Desk, sagas=[Whole])
    with capture_logs() as logs:
        runtime.publish(Confirmed("a-part"))
        assert runtime.handle("a:part.1").wait(DEADLINE).completed
    assert [log["caller"] for log in logs if log["event"] == "caller_not_found"] == ["a"]


class Holding(Saga[Job]):
    """Calls a part, and keeps it until it is confirmed."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part", self.input.size)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    flow = (part, confirmed)


def test_a_saga_that_has_called_it_is_parked_where_it_is_to_be_undone(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Holding]) as runtime:
        runtime.start(Holding, Job("a"), id="a")
        wait_until_it_happened(runtime, "a", "wait-begun")
    make_unreadable(store, "a:part.1")
    runtime = open_runtime(Desk, sagas=[Holding])
    runtime.cancel("a")
    with pytest.raises(SagaParked, match=r"'a:part\.1', which is to be undone, is not there"):
        runtime.handle("a").wait(DEADLINE)
    runtime.skip("a", "undone by hand")
    assert runtime.handle("a").wait(DEADLINE).status == "COMPENSATED"


def test_a_call_that_was_marked_as_done_meanwhile_is_undone_once_it_has_ended(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its version was taken back, a person went on without it, and then its version is there again."""
    with Runtime(store, contexts=[Desk], sagas=[Holding]) as runtime:
        runtime.start(Holding, Job("a", size=2), id="a")
        wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    make_unreadable(store, "a:part.1")
    with Runtime(store, contexts=[Desk], sagas=[Holding]) as runtime:
        fail_machine(monkeypatch, "a", s.Cancel)  # which costs the caller what it knows of its call
        with pytest.raises(NotAllowed):
            runtime.cancel("a")
        until_status(runtime, "a", "PARKED")
        runtime.mark_done("a", Receipt("a-part", 7), "seen to by hand")
        wait_until_it_happened(runtime, "a", "wait-begun")
    make_readable(store)
    runtime = open_runtime(Desk, sagas=[Holding])
    runtime.cancel("a")
    with pytest.raises(SagaParked, match=r"'a:part\.1', which is to be undone, has not ended"):
        runtime.handle("a").wait(DEADLINE)
    runtime.cancel("a:part.1")
    assert runtime.handle("a:part.1").wait(DEADLINE).status == "COMPENSATED"
    runtime.retry("a")
    until_status(runtime, "a", "COMPENSATED")
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)
