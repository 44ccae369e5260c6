"""A bug of ours costs the saga it is about its memory, and nobody else anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from saga import Runtime, Saga, SagaParked, Start, VirtualClock, seams, sleep
from saga.coordination.coordinator import Coordinator
from saga.machine import decide
from saga.machine import stimuli as s

from .conftest import OpenRuntime
from .support import DEADLINE, Await, Confirmed, Desk, Gate, Job, Keep, Script, entered, texts


class Sleepy(Saga[Job]):
    @sleep
    def nap(self) -> timedelta:
        return timedelta(seconds=self.input.size)

    flow = nap


def coordinator(runtime: Runtime) -> Coordinator:
    crew = runtime._crew
    assert crew is not None
    assert crew._coordinator is not None
    return crew._coordinator


def spoil(monkeypatch: pytest.MonkeyPatch, runtime: Runtime, saga_no: int, times: int = 1) -> None:
    """Let the next batches that are about a saga hold a row that the schema refuses."""
    left = [saga_no] * times

    def hook(seam: str) -> None:
        if seam != "coordinator.before-commit" or threading.current_thread().name != "saga-coordinator":
            return
        batch = coordinator(runtime).ledger.batch
        if left and any(row[0] == left[0] for row in batch.journal):
            batch.incidents[left.pop(), "x"] = ("kind", "reason", "no time")  # type: ignore[assignment]

    monkeypatch.setattr(seams, "hook", hook)


def test_rows_that_are_refused_park_their_saga_and_the_others_go_through(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    script.on("file", "1", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    handles = runtime.start_many(Start(Keep, Job(str(n)), str(n)) for n in range(5))
    gate.wait_for_somebody()
    spoil(monkeypatch, runtime, 2)
    gate.open()
    assert all(handle.wait(DEADLINE).completed for handle in handles if handle.id != "1")
    with pytest.raises(SagaParked, match="refused"):
        handles[1].wait(DEADLINE)
    while "PARKED (poison)" not in "".join(texts(runtime, "1")):
        pass
    runtime.retry("1")
    assert handles[1].wait(DEADLINE).completed
    assert entered(store, "1") == ["book", "file"]


def test_a_machine_that_fails_parks_the_saga_and_the_answer_is_asked_for_again(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: Any) -> Any:
        if isinstance(arguments[2], s.Completed) and arguments[2].path == "filing.1":
            monkeypatch.setattr("saga.coordination.ledger.decide", decide)
            raise ZeroDivisionError("a bug of ours")
        return decide(*arguments)

    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    monkeypatch.setattr("saga.coordination.ledger.decide", failing)
    handle = runtime.start(Keep, Job("a"), id="a")
    with pytest.raises(SagaParked, match="a bug of ours"):
        handle.wait(DEADLINE)
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    while "PARKED (poison)" not in "".join(texts(runtime, "a")):
        pass
    runtime.retry("a")
    assert handle.wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file"]


def test_a_saga_that_cannot_be_loaded_holds_up_no_timer_of_others(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(sagas=[Sleepy], clock=clock)
    _, fine = runtime.start_many([Start(Sleepy, Job("a", 1)), Start(Sleepy, Job("b", 2))])
    cache = coordinator(runtime).ledger.cache
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
        spoil(monkeypatch, runtime, 1)
        runtime.publish(Confirmed("a"))
        with pytest.raises(SagaParked):
            handle.wait(DEADLINE)
    monkeypatch.setattr(seams, "hook", None)
    runtime = open_runtime(sagas=[Await])
    runtime.publish(Confirmed("a"))
    assert runtime.handle("a").wait(DEADLINE).completed
