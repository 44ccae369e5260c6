"""Tasks: what persons are to decide is listed, assigned and decided once, by who may have it wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saga import (
    NotAllowed,
    NotEncodable,
    OpenTask,
    Runtime,
    Saga,
    Start,
    Status,
    UnknownSaga,
    VirtualClock,
    answer,
    each,
    items,
    parallel,
    refuse,
    step,
    task,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Await,
    Book,
    Desk,
    File,
    Job,
    code_of,
    entered,
    sound,
    texts,
    until_open,
)


@dataclass(frozen=True, slots=True)
class Decision:
    granted: bool
    note: str = ""


class Ask(Saga[Job]):
    """Asks somebody, for a day at most."""

    @task(answer=Decision, within=timedelta(days=1))
    def approve(self) -> Job:
        return self.input

    @answer
    def note(self) -> str:
        return self.approve.note

    flow = (approve, note)


def test_a_task_is_listed_until_it_is_decided(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))
    runtime = open_runtime(sagas=[Ask], clock=clock)
    handle = runtime.start(Ask, Job("a"), id="a")
    assert runtime.tasks() == [
        OpenTask(
            saga_id="a",
            saga="Ask",
            task="approve",
            path="approve.1",
            subject={"key": "a", "size": 1},
            answer_type="Decision/1",
            assignee=None,
            since=datetime(2026, 3, 1, tzinfo=UTC),
            due_at=datetime(2026, 3, 2, tzinfo=UTC),
        )
    ]
    runtime.complete_task("a", Decision(True, "fine"), by="maria")
    assert handle.wait(DEADLINE).answer == "fine"
    assert runtime.tasks() == []
    assert any("maria" in text for text in texts(runtime, "a"))
    sound(store)


def test_tasks_of_a_store_in_memory_are_listed_and_decided(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Ask], at=":memory:")
    handle = runtime.start(Ask, Job("a"), id="a")
    assert [each.path for each in runtime.tasks(saga=Ask, task="approve", assignee="")] == ["approve.1"]
    runtime.assign_task("a", "maria")
    assert runtime.tasks(assignee="") == []
    runtime.complete_task("a", Decision(True, "fine"))
    assert handle.wait(DEADLINE).answer == "fine"


class AskTwo(Saga[Job]):
    """Asks two at the same time; one of them is only told."""

    @task()
    def read(self) -> str:
        return f"read {self.input.key}"

    @task(answer=int)
    def count(self) -> Job:
        return self.input

    flow = parallel(read, count)


def test_tasks_are_found_by_saga_name_and_assignee(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Ask, AskTwo])
    runtime.start_many([Start(Ask, Job("a"), "a"), Start(AskTwo, Job("b"), "b"), Start(Ask, Job("c"), "c")])
    runtime.assign_task("b", "maria", task="count", by="boss")
    assert [each.saga_id for each in runtime.tasks()] == ["a", "b", "b", "c"]
    assert [each.saga_id for each in runtime.tasks(limit=1)] == ["a"]
    assert [each.saga_id for each in runtime.tasks(saga="Ask")] == ["a", "c"]
    assert [each.task for each in runtime.tasks(saga=AskTwo, task="read")] == ["read"]
    assert [(each.saga_id, each.task) for each in runtime.tasks(assignee="maria")] == [("b", "count")]
    assert [each.task for each in runtime.tasks(saga=AskTwo, assignee="")] == ["read"]
    runtime.assign_task("b", "", task="count")
    assert runtime.tasks(assignee="maria") == []


def test_of_several_tasks_it_must_be_said_which_is_meant(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[AskTwo])
    handle = runtime.start(AskTwo, Job("b"), id="b")
    with pytest.raises(NotAllowed, match=r"say which one of read\.1, count\.1"):
        runtime.complete_task("b")
    with pytest.raises(NotAllowed, match="'other' is not an open task"):
        runtime.complete_task("b", task="other")
    runtime.complete_task("b", task="read")
    runtime.complete_task("b", 3, task="count.1")
    assert handle.wait(DEADLINE).completed


def test_a_decision_of_a_wrong_type_changes_nothing(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(sagas=[Ask, AskTwo])
    runtime.start(Ask, Job("a"), id="a")
    runtime.start(AskTwo, Job("b"), id="b")
    before = (texts(runtime, "a"), texts(runtime, "b"))
    with pytest.raises(NotEncodable, match="Decision") as wrong:
        runtime.complete_task("a", "yes")
    assert "complete_task of approve.1 in saga 'a'" in "".join(wrong.value.__notes__)
    with pytest.raises(NotEncodable):
        runtime.complete_task("b", "three", task="count")
    with pytest.raises(NotEncodable):
        runtime.complete_task("b", "it has no answer", task="read")
    assert (texts(runtime, "a"), texts(runtime, "b")) == before
    assert len(runtime.tasks()) == 3
    sound(store)


def test_a_task_is_decided_once(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[AskTwo])
    runtime.start(AskTwo, Job("b"), id="b")
    runtime.complete_task("b", 3, task="count")
    with pytest.raises(NotAllowed, match="'count' is not an open task"):
        runtime.complete_task("b", 4, task="count")
    runtime.complete_task("b", task="read")
    runtime.handle("b").wait(DEADLINE)
    with pytest.raises(NotAllowed, match="COMPLETED"):
        runtime.complete_task("b", task="read")
    with pytest.raises(NotAllowed, match="COMPLETED"):
        runtime.assign_task("b", "maria")


def test_tasks_of_sagas_that_are_not_there_or_have_none(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    runtime.start(Await, Job("a"), id="a")
    with pytest.raises(UnknownSaga):
        runtime.complete_task("nobody")
    with pytest.raises(NotAllowed, match="nothing in it is an open task"):
        runtime.complete_task("a")
    with pytest.raises(NotAllowed, match="nothing in it is an open task"):
        runtime.assign_task("a", "maria")


def test_a_task_of_a_suspended_saga_waits_until_it_is_resumed(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Ask])
    runtime.start(Ask, Job("a"), id="a")
    runtime.suspend("a", "let me see")
    assert len(runtime.tasks()) == 1
    with pytest.raises(NotAllowed, match="resume it first"):
        runtime.complete_task("a", Decision(True))
    runtime.resume("a")
    runtime.complete_task("a", Decision(True))
    assert runtime.handle("a").wait(DEADLINE).completed


def test_a_task_that_nobody_decides_in_time_is_refused(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(sagas=[Ask], clock=clock)
    handle = runtime.start(Ask, Job("a"), id="a")
    clock.advance(timedelta(hours=23, minutes=59))
    assert len(runtime.tasks()) == 1
    clock.advance(timedelta(minutes=1))
    assert code_of(handle.wait(DEADLINE)) == "timeout"
    assert runtime.tasks() == []
    with pytest.raises(NotAllowed):
        runtime.complete_task("a", Decision(True))
    sound(store)


class AskOrBook(Saga[Job]):
    """Books when nobody has decided."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @task(answer=bool, within=timedelta(days=1), otherwise=booking)
    def approve(self) -> Job:
        return self.input

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = (approve, filing)


def test_a_late_task_leads_another_way(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[AskOrBook], clock=clock)
    handle = runtime.start(AskOrBook, Job("a"), id="a")
    clock.advance(timedelta(days=1))
    assert handle.wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file"]


def test_a_task_that_was_open_before_a_restart_is_decided_after_it(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, sagas=[Ask]) as runtime:
        runtime.start(Ask, Job("a"), id="a")
        runtime.assign_task("a", "maria")
    runtime = open_runtime(sagas=[Ask])
    assert [each.assignee for each in runtime.tasks()] == ["maria"]
    runtime.complete_task("a", Decision(True, "fine"))
    assert runtime.handle("a").wait(DEADLINE).answer == "fine"
    sound(store)


def test_a_task_whose_class_is_gone_is_listed_and_not_decided(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, sagas=[Ask]) as runtime:
        runtime.start(Ask, Job("a"), id="a")
    runtime = open_runtime()
    assert len(runtime.tasks()) == 1
    with pytest.raises(NotAllowed, match=r"add it to Runtime\(sagas="):
        runtime.complete_task("a", Decision(True))


class AskEach(Saga[Job]):
    """Asks for every item."""

    @items
    def numbers(self) -> list[int]:
        return list(range(self.input.size))

    @task(answer=bool)
    def approve(self, number: int) -> int:
        return number

    @answer
    def granted(self) -> list[bool]:
        return list(self.approve)

    flow = (each(numbers, approve, concurrency=3), granted)


def test_tasks_of_items_are_decided_by_their_paths(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(sagas=[AskEach])
    handle = runtime.start(AskEach, Job("a", size=4), id="a")
    first, second, third = until_open(runtime, 3)
    assert [each.subject for each in (first, second, third)] == [0, 1, 2]
    runtime.complete_task("a", False, task=second.path)
    *_, fourth = until_open(runtime, 3)
    for each_task, granted in ((fourth, False), (first, True), (third, True)):
        runtime.complete_task("a", granted, task=each_task.path)
    assert handle.wait(DEADLINE).answer == [True, False, True, False]
    sound(store)


class Given(Saga[Job]):
    """Asks, and turns back meanwhile."""

    @task(answer=bool)
    def approve(self) -> Job:
        return self.input

    flow = parallel(approve, refuse("no", code="no"))


def test_a_task_is_gone_when_its_saga_turns_back(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Given])
    assert runtime.start(Given, Job("a")).wait(DEADLINE).status is Status.COMPENSATED
    assert runtime.tasks() == []
