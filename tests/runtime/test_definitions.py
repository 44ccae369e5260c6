"""Versions of a saga side by side, and a definition that was changed under living sagas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from saga import (
    DefinitionChanged,
    DefinitionError,
    Event,
    Key,
    Outcome,
    Runtime,
    Saga,
    answer,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Book, Confirmed, Desk, File, Job


class First(Saga[Job], name="Order", version=1):
    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @answer
    def version(self) -> str:
        return "first"

    flow = (confirmed, version)


class Second(Saga[Job], name="Order", version=2):
    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @answer
    def version(self) -> str:
        return "second"

    flow = (confirmed, filing, version)


class FirstChanged(Saga[Job], name="Order", version=1):
    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @answer
    def version(self) -> str:
        return "first, changed"

    flow = (confirmed, booking, version)


class FirstReworded(Saga[Job], name="Order", version=1):
    """Another docstring is not another definition."""

    @wait(Confirmed)
    def confirmed(self) -> str:
        """Reworded."""
        return self.input.key

    @answer
    def version(self) -> str:
        return "first"

    flow = (confirmed, version)


def finish(runtime: Runtime, id: str) -> Outcome:
    runtime.publish(Confirmed(id))
    return runtime.handle(id).wait(DEADLINE)


def test_two_versions_live_side_by_side(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[First]) as runtime:
        runtime.start(First, Job("old"), id="old")
    runtime = open_runtime(Desk, sagas=[First, Second])
    runtime.start(Second, Job("new"), id="new")
    assert finish(runtime, "old").answer == "first"
    assert finish(runtime, "new").answer == "second"
    assert [(row.id, row.version) for row in runtime.list()] == [("new", 2), ("old", 1)]


def test_a_definition_that_was_changed_under_living_sagas_is_refused(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[First]) as runtime:
        runtime.start(First, Job("a"), id="a")
    with pytest.raises(DefinitionChanged, match="booking") as caught:
        Runtime(store, contexts=[Desk], sagas=[FirstChanged]).open()
    assert "version" in str(caught.value)
    runtime = open_runtime(Desk, sagas=[First])  # nothing was spoilt by the attempt
    assert finish(runtime, "a").answer == "first"


def test_a_definition_may_be_changed_when_none_of_its_sagas_lives(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[First]) as runtime:
        runtime.start(First, Job("a"), id="a")
        finish(runtime, "a")
    runtime = open_runtime(Desk, sagas=[FirstChanged])
    runtime.start(FirstChanged, Job("b"), id="b")
    assert finish(runtime, "b").answer == "first, changed"


def test_another_docstring_is_not_another_definition(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, sagas=[First]) as runtime:
        runtime.start(First, Job("a"), id="a")
    assert finish(open_runtime(sagas=[FirstReworded]), "a").answer == "first"


def test_two_classes_of_one_name_and_version_are_refused() -> None:
    with pytest.raises(DefinitionError, match="second saga Order of version 1"):
        Runtime(":memory:", sagas=[First, FirstReworded])


@dataclass(frozen=True)
class Ordered(Event):
    number: Key[str]


def test_an_event_starts_the_newest_version_in_whichever_order_they_are_given(
    open_runtime: OpenRuntime,
) -> None:
    class Old(Saga[Ordered], name="Deliver", version=1, started_by_event=True):
        @answer
        def version(self) -> str:
            return "old"

        flow = version

    class New(Saga[Ordered], name="Deliver", version=2, started_by_event=True):
        @answer
        def version(self) -> str:
            return "new"

        flow = version

    for order in ([Old, New], [New, Old]):
        runtime = open_runtime(sagas=order, at=":memory:")
        runtime.publish(Ordered("a"), id="a")
        assert runtime.handle("Deliver:runtime:a").wait(DEADLINE).answer == "new"
