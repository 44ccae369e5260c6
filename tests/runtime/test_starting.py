"""Starting sagas: idempotent by id, many in one commit, checked at the call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saga import (
    DefinitionError,
    NotEncodable,
    Runtime,
    Saga,
    SagaConflict,
    Start,
    Status,
    UnknownSaga,
    VirtualClock,
    WaitTimeout,
    wait,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Arrange, Await, Confirmed, Desk, Job, Keep, Script, Telephone, entered


def test_a_saga_runs_to_its_end(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    outcome = runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    assert (outcome.id, outcome.status, outcome.answer, outcome.refusal) == (
        "a",
        Status.COMPLETED,
        None,
        None,
    )
    assert entered(store, "a") == ["book", "file"]


def test_an_id_is_made_up_when_none_is_given(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    first, second = runtime.start(Keep, Job("a")), runtime.start(Keep, Job("a"))
    assert first.id != second.id


def test_the_same_start_twice_is_one_saga(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    first = runtime.start(Keep, Job("a"), id="a")
    first.wait(DEADLINE)
    again = runtime.start(Keep, Job("a"), id="a")
    assert again.wait(DEADLINE) == first.wait(DEADLINE)
    assert entered(store, "a") == ["book", "file"]


def test_the_same_id_with_another_input_is_a_conflict(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    with pytest.raises(SagaConflict):
        runtime.start(Keep, Job("b"), id="a")


def test_the_same_id_with_another_saga_is_a_conflict(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Telephone, sagas=[Keep, Await])
    runtime.start(Keep, Job("a"), id="a")
    with pytest.raises(SagaConflict):
        runtime.start(Await, Job("a"), id="a")


def test_a_start_is_remembered_over_a_restart(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        before = runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    runtime = open_runtime(Desk, sagas=[Keep])
    assert runtime.start(Keep, Job("a"), id="a").wait(DEADLINE) == before
    with pytest.raises(SagaConflict):
        runtime.start(Keep, Job("a", 2), id="a")
    assert entered(store, "a") == ["book", "file"]


def test_many_are_started_in_their_order(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    handles = runtime.start_many(Start(Keep, Job(str(n)), f"job-{n}") for n in range(200))
    assert [handle.id for handle in handles] == [f"job-{n}" for n in range(200)]
    assert all(handle.wait(DEADLINE).completed for handle in handles)


def test_of_many_all_are_started_or_none(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("b"), id="b")
    with pytest.raises(SagaConflict):
        runtime.start_many([Start(Keep, Job("a"), "a"), Start(Keep, Job("other"), "b")])
    with pytest.raises(UnknownSaga):
        runtime.handle("a").wait(DEADLINE)


def test_many_with_the_same_id_twice_are_one_saga_or_a_conflict(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    one, two = runtime.start_many([Start(Keep, Job("a"), "a"), Start(Keep, Job("a"), "a")])
    assert one.wait(DEADLINE) == two.wait(DEADLINE)
    with pytest.raises(SagaConflict):
        runtime.start_many([Start(Keep, Job("c"), "c"), Start(Keep, Job("d"), "c")])
    assert [row.id for row in runtime.list()] == ["a"]


def test_a_start_may_lie_in_the_future(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    handle = runtime.start(Keep, Job("a"), id="a", at=datetime(2026, 1, 2, tzinfo=UTC))
    clock.advance(timedelta(hours=23, minutes=59))
    with pytest.raises(WaitTimeout):
        handle.wait(0.05)
    assert entered(store, "a") == []
    clock.advance(timedelta(minutes=1))
    assert handle.wait(DEADLINE).completed


def test_a_start_in_the_future_is_kept_over_a_restart_and_begins_when_it_fell_due(
    open_runtime: OpenRuntime, store: Path
) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    with Runtime(store, contexts=[Desk], sagas=[Keep], clock=clock) as runtime:
        for key, day in (("a", 2), ("b", 4)):
            runtime.start(Keep, Job(key), id=key, at=datetime(2026, 1, day, tzinfo=UTC))
    clock.advance(timedelta(days=2))
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    assert runtime.handle("a").wait(DEADLINE).completed
    assert entered(store, "b") == []
    clock.advance(timedelta(days=1))
    assert runtime.handle("b").wait(DEADLINE).completed


def test_a_start_in_the_past_begins_at_once(open_runtime: OpenRuntime) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    assert runtime.start(Keep, Job("a"), at=datetime(2025, 1, 1, tzinfo=UTC)).wait(DEADLINE).completed


def test_the_deadline_of_a_start_in_the_future_counts_from_there(open_runtime: OpenRuntime) -> None:
    class Hurry(Saga[Job], deadline=timedelta(hours=1)):
        @wait(Confirmed)
        def confirmed(self) -> str:
            return self.input.key

        flow = confirmed

    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    runtime = open_runtime(sagas=[Hurry], clock=clock)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    late, in_time = [runtime.start(Hurry, Job(key), id=key, at=at) for key in ("late", "in-time")]
    clock.advance(timedelta(days=1, minutes=59))
    runtime.publish(Confirmed("in-time"))
    assert in_time.wait(DEADLINE).completed
    with pytest.raises(WaitTimeout):
        late.wait(0.05)
    clock.advance(timedelta(minutes=1))
    refusal = late.wait(DEADLINE).refusal
    assert refusal is not None
    assert refusal.code == "timeout"


def test_a_start_in_the_future_can_be_cancelled_before(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    handle = runtime.start(Keep, Job("a"), id="a", at=datetime(2026, 1, 2, tzinfo=UTC))
    runtime.cancel("a")
    assert handle.wait(DEADLINE).status is Status.COMPENSATED
    clock.advance(timedelta(days=2))
    assert entered(store, "a") == []


def test_what_cannot_be_stored_is_refused_at_the_call(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    for bad in (Job("\ud800"), Job(3), "no job"):  # type: ignore[arg-type]
        with pytest.raises(NotEncodable):
            runtime.start(Keep, bad, id="a")  # type: ignore[arg-type]
    for id in ("", "a\nb", "x" * 501, 7):
        with pytest.raises(NotEncodable):
            runtime.start(Keep, Job("a"), id=id)  # type: ignore[arg-type]
    with pytest.raises(NotEncodable):
        runtime.start(Keep, Job("a"), tags={"a": 1})  # type: ignore[dict-item]
    with pytest.raises(NotEncodable):
        runtime.start(Keep, Job("a"), at=datetime(2026, 1, 1))  # noqa: DTZ001
    assert runtime.list() == []


def test_a_saga_that_was_not_given_is_refused(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    with pytest.raises(DefinitionError):
        runtime.start(Arrange, Job("a"))


def test_a_handle_of_a_saga_that_was_started_before(open_runtime: OpenRuntime, script: Script) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    assert runtime.handle("a").wait(DEADLINE).completed
