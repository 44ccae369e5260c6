"""A bug of ours costs the saga it is about its memory, and nobody else anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from saga import (
    Handle,
    NotAllowed,
    Runtime,
    Saga,
    SagaParked,
    Start,
    StoreFailed,
    VirtualClock,
    publish,
    seams,
    sleep,
    step,
)
from saga.machine import decide
from saga.machine import stimuli as s
from saga.store import Batch, ConstraintFailed, DiskFull, SagaStore

from .bugs import fail_machine, refuse_rows_of
from .conftest import OpenRuntime
from .inside import coordinator_of
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
    entered,
    heard,
    texts,
)


class Sleepy(Saga[Job]):
    @sleep
    def nap(self) -> timedelta:
        return timedelta(seconds=self.input.size)

    flow = nap


def one_of_five_refused(
    open_runtime: OpenRuntime, script: Script, monkeypatch: pytest.MonkeyPatch
) -> tuple[Runtime, list[Handle], Gate]:
    """Return five sagas that are all answered when the gate is opened; the rows of "1" are refused then."""
    gate = Gate()
    script.on("file", "1", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    handles = runtime.start_many(Start(Keep, Job(str(n)), str(n)) for n in range(5))
    gate.wait_for_somebody()
    refuse_rows_of(monkeypatch, runtime, "1")
    return runtime, handles, gate


def retry_when_parked(runtime: Runtime, saga_id: str) -> None:
    """Retry a saga that was given up, as soon as it is parked for that."""
    while "PARKED (poison)" not in "".join(texts(runtime, saga_id)):
        pass
    runtime.retry(saga_id)


def test_rows_that_are_refused_park_their_saga_and_the_others_go_through(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, handles, gate = one_of_five_refused(open_runtime, script, monkeypatch)
    gate.open()
    assert all(handle.wait(DEADLINE).completed for handle in handles if handle.id != "1")
    with pytest.raises(SagaParked, match="refused"):
        handles[1].wait(DEADLINE)
    retry_when_parked(runtime, "1")
    assert handles[1].wait(DEADLINE).completed
    assert entered(store, "1") == ["book", "file"]


def test_a_disk_that_is_full_while_refused_rows_are_traced_is_waited_for(
    open_runtime: OpenRuntime, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, handles, gate = one_of_five_refused(open_runtime, script, monkeypatch)
    commit, full = SagaStore.commit, [True, True]

    def commit_when_there_is_space(store: SagaStore, batch: Batch) -> int:
        if batch.sagas() == [3] and full:  # its rows come right after those that are refused
            full.pop()
            raise DiskFull(store.path)
        return commit(store, batch)

    monkeypatch.setattr(SagaStore, "commit", commit_when_there_is_space)
    gate.open()
    with pytest.raises(SagaParked, match="refused"):
        handles[1].wait(DEADLINE)
    assert all(handle.wait(DEADLINE).completed for handle in handles if handle.id != "1")
    retry_when_parked(runtime, "1")
    assert handles[1].wait(DEADLINE).completed
    assert not full


def test_a_machine_that_fails_parks_the_saga_and_the_answer_is_asked_for_again(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    fail_machine(monkeypatch, "a", s.Completed, "filing.1")
    handle = runtime.start(Keep, Job("a"), id="a")
    with pytest.raises(SagaParked, match="a bug of ours"):
        handle.wait(DEADLINE)
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    retry_when_parked(runtime, "a")
    assert handle.wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file"]


def test_a_saga_that_cannot_be_loaded_holds_up_no_timer_of_others(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(sagas=[Sleepy], clock=clock)
    _, fine = runtime.start_many([Start(Sleepy, Job("a", 1)), Start(Sleepy, Job("b", 2))])
    cache = coordinator_of(runtime).ledger.cache
    load: Callable[[int], Any] = cache.get
    looks: list[int] = []

    def get(no: int) -> Any:
        if no == 1:
            looks.append(no)
            return None
        return load(no)

    monkeypatch.setattr(cache, "get", get)
    clock.advance(timedelta(seconds=1, milliseconds=1))
    clock.advance(timedelta(seconds=1))
    assert fine.wait(DEADLINE).completed
    for n in range(20):
        runtime.publish(Confirmed(str(n)))
    assert len(looks) < 20, "it is not looked at all the time"


def test_an_event_is_offered_again_when_the_saga_that_took_it_was_given_up(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Runtime(store, sagas=[Await]) as runtime:
        handle = runtime.start(Await, Job("a"), id="a")
        refuse_rows_of(monkeypatch, runtime, "a")
        runtime.publish(Confirmed("a"))
        with pytest.raises(SagaParked):
            handle.wait(DEADLINE)
    monkeypatch.setattr(seams, "hook", None)
    runtime = open_runtime(sagas=[Await])
    runtime.publish(Confirmed("a"))
    assert runtime.handle("a").wait(DEADLINE).completed


def test_rows_of_no_saga_that_are_refused_end_the_runtime(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can be given up for them."""
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    batches = [True]

    def hook(seam: str) -> None:
        batch = coordinator_of(runtime).ledger.batch
        if seam == "coordinator.before-commit" and batch.events and batches:
            batches.pop()
            batch.events.append(batch.events[0])  # a number that there is already

    monkeypatch.setattr(seams, "hook", hook)
    with pytest.raises(ConstraintFailed, match="rows of events were refused"):
        runtime.publish(Confirmed("a"))
    runtime.close()
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as after:
        assert [row.status for row in after.list()] == ["COMPLETED"]
        assert after.publish(Confirmed("a"), id="again")


def test_a_saga_that_cannot_even_be_parked_goes_on_in_the_next_life(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> Any:
        if arguments[1] is not None and arguments[1].id == "a" and type(arguments[2]) is not s.Start:
            raise ZeroDivisionError("a bug of ours")
        return decide(*arguments)

    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        monkeypatch.setattr("saga.coordination.ledger.decide", failing)
        with capture_logs() as logs:
            with pytest.raises(SagaParked, match="a bug of ours"):
                runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
            assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    assert "saga_not_parked" in [log["event"] for log in logs]
    monkeypatch.setattr("saga.coordination.ledger.decide", decide)
    assert open_runtime(Desk, sagas=[Keep]).handle("a").wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file"]


def test_who_acts_on_a_saga_hears_that_the_machine_has_failed(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.start(Await, Job("a"), id="a")
    fail_machine(monkeypatch, "a", s.Cancel)
    with pytest.raises(NotAllowed, match="the machine failed, see the log"):
        runtime.cancel("a")
    runtime.cancel("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"


def test_what_was_not_stored_is_not_said_to_be(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(sagas=[Await])
    refuse_rows_of(monkeypatch, runtime, "a")
    with pytest.raises(StoreFailed, match="a start was given up"):
        runtime.start(Await, Job("a"), id="a")
    assert runtime.list() == []
    handle = runtime.handle("a")
    runtime.start(Await, Job("a"), id="a")
    refuse_rows_of(monkeypatch, runtime, "a")
    with pytest.raises(NotAllowed, match="given up"):
        runtime.cancel("a")
    runtime.cancel("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"


class Saying(Saga[Job]):
    """Says that it was booked, and files that."""

    @publish
    def booked(self) -> Booked:
        return Booked(self.input.key)

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = (booked, filing)


def test_what_a_saga_said_before_it_was_given_up_is_not_said_twice(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event went through, its rows did not: it is started anew, and says the same again."""
    runtime = open_runtime(Desk, Journalist, sagas=[Saying])
    refuse_rows_of(monkeypatch, runtime, "a")
    with pytest.raises(StoreFailed, match="a start was given up"):
        runtime.start(Saying, Job("a"), id="a")
    assert heard(store, 1) == ["a"]
    assert runtime.list() == []
    assert runtime.start(Saying, Job("a"), id="a").wait(DEADLINE).completed
    runtime.start(Saying, Job("b")).wait(DEADLINE)
    assert heard(store, 2) == ["a", "b"]
