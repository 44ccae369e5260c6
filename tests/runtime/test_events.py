"""Events: into the log once, to every saga that waits for them, and to every listener once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import (
    Context,
    Event,
    Key,
    NotEncodable,
    Runtime,
    Saga,
    SagaConflict,
    Start,
    Status,
    VirtualClock,
    WaitTimeout,
    answer,
    parallel,
    step,
    wait,
)
from saga.coordination import pruning

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Await,
    Booked,
    Confirmed,
    Desk,
    File,
    Gate,
    Job,
    Journalist,
    Keep,
    Script,
    heard,
    rows,
    texts,
)


class FileBooking(Saga[Booked], started_by_event=True):
    """Files what was booked."""

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = (filing,)


class Twice(Saga[Job]):
    """Wait for two confirmations of the same key."""

    @wait(Confirmed)
    def first(self) -> str:
        return self.input.key

    @wait(Confirmed)
    def second(self) -> str:
        return self.input.key

    @answer
    def both(self) -> str:
        return f"{self.first.text} {self.second.text}"

    flow = (first, second, both)


@dataclass(frozen=True, slots=True)
class Counted(Event):
    number: Key[int]


class Number(Saga[Job]):
    @wait(Counted)
    def counted(self) -> int:
        return self.input.size

    flow = (counted,)


# --- waiting sagas ---


def test_an_event_wakes_the_saga_that_waits_for_its_key(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    one, other = runtime.start_many([Start(Await, Job("a")), Start(Await, Job("b"))])
    assert runtime.publish(Confirmed("a"))
    assert one.wait(DEADLINE).completed
    with pytest.raises(WaitTimeout):
        other.wait(0.02)


def test_an_event_satisfies_every_saga_that_waits_for_it(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handles = runtime.start_many(Start(Await, Job("a")) for _ in range(20))
    runtime.publish(Confirmed("a"))
    assert all(handle.wait(DEADLINE).completed for handle in handles)


def test_an_event_that_comes_before_the_wait_is_kept(open_runtime: OpenRuntime, script: Script) -> None:
    gate = Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Early])
    handle = runtime.start(Early, Job("a"))
    gate.wait_for_somebody()
    runtime.publish(Confirmed("a", "early"))
    gate.open()
    assert handle.wait(DEADLINE).answer == "early"


class Early(Saga[Job]):
    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @answer
    def text(self) -> str:
        return self.confirmed.text

    flow = (filing, confirmed, text)


def test_an_event_from_before_the_saga_is_not_its_affair(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    runtime.publish(Confirmed("a"))
    handle = runtime.start(Await, Job("a"))
    with pytest.raises(WaitTimeout):
        handle.wait(0.02)
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed


def test_an_event_is_used_once_by_a_saga(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Twice])
    handle = runtime.start(Twice, Job("a"), id="a")
    runtime.publish(Confirmed("a", "one"))
    with pytest.raises(WaitTimeout):
        handle.wait(0.02)
    runtime.publish(Confirmed("a", "two"))
    assert handle.wait(DEADLINE).answer == "one two"


class Both(Saga[Job]):
    """Wait for two confirmations of the same key at the same time."""

    @wait(Confirmed)
    def first(self) -> str:
        return self.input.key

    @wait(Confirmed)
    def second(self) -> str:
        return self.input.key

    @answer
    def both(self) -> list[str]:
        return sorted([self.first.text, self.second.text])

    flow = (parallel(first, second), both)


def test_an_event_is_used_once_by_a_saga_that_waits_for_it_twice(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Both])
    handle = runtime.start(Both, Job("a"))
    runtime.publish(Confirmed("a", "one"))
    assert [row.status for row in runtime.list()] == ["RUNNING"]
    runtime.publish(Confirmed("a", "two"))
    assert handle.wait(DEADLINE).answer == ["one", "two"]


def test_an_event_does_not_start_a_saga_whose_id_is_taken(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[FileBooking])
    taken = runtime.start(FileBooking, Booked("by hand"), id="FileBooking:runtime:one")
    runtime.publish(Booked("by event"), id="one")
    assert taken.wait(DEADLINE).completed
    assert [row.id for row in runtime.list()] == ["FileBooking:runtime:one"]


def test_two_events_that_come_together_are_used_in_their_order(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Twice])
    handle = runtime.start(Twice, Job("a"), id="a")
    for n in range(5):
        runtime.publish(Confirmed("a", str(n)))
    assert handle.wait(DEADLINE).answer == "0 1"


def test_keys_need_not_be_text(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Number])
    handle = runtime.start(Number, Job("a", 42))
    runtime.publish(Counted(41))
    runtime.publish(Counted(42))
    assert handle.wait(DEADLINE).completed
    assert "event" in texts(runtime, handle.id)[-2]


def test_a_wait_outlives_a_restart(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, sagas=[Await]) as runtime:
        runtime.start(Await, Job("a"), id="a")
    runtime = open_runtime(sagas=[Await])
    runtime.publish(Confirmed("a"))
    assert runtime.handle("a").wait(DEADLINE).completed


# --- publishing ---


def test_an_event_that_is_published_twice_with_one_id_counts_once(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, sagas=[Twice]) as runtime:
        handle = runtime.start(Twice, Job("a"), id="a")
        assert runtime.publish(Confirmed("a", "one"), id="e1")
        assert not runtime.publish(Confirmed("a", "again"), id="e1")
    runtime = open_runtime(sagas=[Twice])
    assert not runtime.publish(Confirmed("a", "again"), id="e1")
    assert runtime.publish(Confirmed("a", "two"), id="e2")
    handle = runtime.handle("a")
    assert handle.wait(DEADLINE).answer == "one two"


def test_an_event_that_cannot_be_stored_is_refused(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    with pytest.raises(NotEncodable):
        runtime.publish(Confirmed("\ud800"))
    with pytest.raises(NotEncodable):
        runtime.publish(Confirmed("a"), id="")


# --- sagas that events start ---


def test_an_event_of_a_context_starts_a_saga(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep, FileBooking])
    runtime.start(Keep, Job("a")).wait(DEADLINE)
    assert runtime.handle("FileBooking:desk:1").wait(DEADLINE).completed


def test_an_event_starts_a_saga_once(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[FileBooking]) as runtime:
        runtime.publish(Booked("a"), id="e1")
        assert runtime.handle("FileBooking:runtime:e1").wait(DEADLINE).completed
    runtime = open_runtime(Desk, sagas=[FileBooking])
    runtime.publish(Booked("a"), id="e1")
    assert [row.id for row in runtime.list()] == ["FileBooking:runtime:e1"]
    with pytest.raises(SagaConflict):
        runtime.start(FileBooking, Booked("b"), id="FileBooking:runtime:e1")


# --- listeners ---


def test_a_listener_hears_every_event_once_and_in_order(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, Journalist)
    for n in range(30):
        runtime.publish(Booked(str(n)))
    assert heard(store, 30) == [str(n) for n in range(30)]


def test_a_listener_goes_on_where_it_was(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Journalist]) as runtime:
        runtime.publish(Booked("a"))
        heard(store, 1)
    with Runtime(store, contexts=[Desk]) as runtime:  # the journalist is away
        runtime.publish(Booked("b"))
    open_runtime(Journalist).publish(Booked("c"))
    assert heard(store, 3) == ["a", "b", "c"]


def test_a_new_listener_hears_everything_from_the_beginning(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk]) as runtime:
        for key in "abc":
            runtime.publish(Booked(key))
    open_runtime(Journalist)
    assert heard(store, 3) == ["a", "b", "c"]


def test_a_new_listener_may_begin_now(open_runtime: OpenRuntime, store: Path) -> None:
    class Journalist(Context):
        listen_from = "now"
        migrations = pages

        @Booked.listener
        def hear(self, event: Booked) -> None:
            self.db.execute("INSERT INTO heard VALUES (?)", [event.key])

    with Runtime(store, contexts=[Desk]) as runtime:
        runtime.publish(Booked("old"))
    with Runtime(store, contexts=[Journalist]) as runtime:
        runtime.publish(Booked("a"))
        assert heard(store, 1) == ["a"]
    with Runtime(store, contexts=[Desk]) as runtime:
        runtime.publish(Booked("b"))
    open_runtime(Journalist)
    assert heard(store, 2) == ["a", "b"]


pages = Migrations("pages")


@pages()
def paper(db: Database) -> None:
    db.execute("CREATE TABLE heard (key TEXT NOT NULL)")


def set_aside(store: Path) -> list[tuple[int | None, int]]:
    return rows(store, "journalist", "SELECT due_ms, attempt FROM _saga_retries ORDER BY event_no")


def wait_for_attempt(script: Script, key: str, times: int, clock: VirtualClock) -> None:
    """Let time pass until the listener has been tried so often on this event."""
    until = time.monotonic() + DEADLINE
    while not script.wait_for("hear", key, times, 0.01):
        assert time.monotonic() < until, f"it was tried {script.calls['hear', key]} times"
        clock.advance(timedelta(seconds=1))


def test_a_listener_that_fails_is_tried_again_and_holds_up_nothing(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    script.on("hear", "b", ValueError("no ink"), SystemExit(3), None)
    for key in "abc":
        runtime.publish(Booked(key))
    assert heard(store, 2) == ["a", "c"]
    wait_for_attempt(script, "b", 3, clock)
    assert heard(store, 3) == ["a", "c", "b"]


def test_an_event_that_fails_too_often_is_set_aside_until_somebody_wants_it_again(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    script.on("hear", "a", *[ValueError("no ink")] * 5, None)
    runtime.publish(Booked("a"))
    wait_for_attempt(script, "a", 5, clock)
    runtime.publish(Booked("b"))
    assert heard(store, 1) == ["b"]
    assert set_aside(store) == [(None, 5)]
    clock.advance(timedelta(days=1))
    runtime.retry_deliveries(Journalist, Booked)
    assert heard(store, 2) == ["b", "a"]
    assert set_aside(store) == []


def test_what_was_set_aside_outlives_a_restart(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    script.on("hear", "a", *[ValueError("no ink")] * 5, None)
    with Runtime(store, contexts=[lambda: Journalist(script)], clock=clock) as runtime:
        runtime.publish(Booked("a"))
        wait_for_attempt(script, "a", 5, clock)
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    runtime.retry_deliveries(Journalist)
    assert heard(store, 1) == ["a"]


def test_the_log_is_pruned_but_for_what_is_still_needed(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "EVENTS_BETWEEN_PRUNINGS", 10)
    clock = VirtualClock()
    runtime = open_runtime(Desk, lambda: Journalist(script), sagas=[Await], clock=clock)
    script.on("hear", "5", ValueError("no ink"), None)
    for n in range(40):
        runtime.publish(Booked(str(n)))
        heard(store, n + (n < 5))
    ((first, count),) = rows(store, "saga", "SELECT min(no), count(*) FROM events")
    assert first > 6, "the event that failed is kept by its listener, and need not be in the log"
    wait_for_attempt(script, "5", 2, clock)
    heard(store, 40)
    waiting = runtime.start(Await, Job("a"), id="a")
    for n in range(40, 80):
        runtime.publish(Booked(str(n)))
        heard(store, n + 1)
    ((first, count),) = rows(store, "saga", "SELECT min(no), count(*) FROM events")
    assert first == 41, "what a live saga may still wait for is kept"
    runtime.publish(Confirmed("a"))
    assert waiting.wait(DEADLINE).status is Status.COMPLETED
    for n in range(80, 120):
        runtime.publish(Booked(str(n)))
        heard(store, n + 1)
    ((first, count),) = rows(store, "saga", "SELECT min(no), count(*) FROM events")
    assert count < 25


def test_more_than_is_pruned_at_once_is_pruned_with_the_next_commits(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "EVENTS_BETWEEN_PRUNINGS", 40)
    for place in ("saga.coordination.pruning", "saga.store.saga_store"):
        monkeypatch.setattr(f"{place}.PRUNED_AT_ONCE", 4)
    runtime = open_runtime()
    for n in range(60):
        runtime.publish(Booked(str(n)))
    ((count,),) = rows(store, "saga", "SELECT count(*) FROM events")
    assert count < 10
