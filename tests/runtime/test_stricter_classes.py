"""A class that has become stricter since a value of it was stored: who needs it is parked, with what cannot be read."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from saga import (
    Command,
    Context,
    Event,
    Key,
    Rejected,
    Retry,
    Saga,
    call,
    each,
    items,
    step,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Gate, Job, texts, until_status


class Strictness:
    """After so many values nothing is right any more."""

    left: int | None = None

    @classmethod
    def after(cls, values: int | None) -> None:
        cls.left = values

    @classmethod
    def check(cls) -> None:
        if cls.left is None or threading.current_thread().name == "MainThread":
            return
        if cls.left == 0:
            raise ValueError("that is not allowed any more")
        cls.left -= 1


@pytest.fixture(autouse=True)
def lenient() -> Iterator[None]:
    Strictness.after(None)
    yield
    Strictness.after(None)


@dataclass(frozen=True)
class Paper:
    text: str

    def __post_init__(self) -> None:
        Strictness.check()


@dataclass(frozen=True)
class Print(Command[Paper]):
    text: str


@dataclass(frozen=True)
class Shred(Command[None]):
    text: str


@dataclass(frozen=True)
class Fail(Command[None]):
    text: str


@dataclass(frozen=True)
class Written(Event):
    text: Key[str]

    def __post_init__(self) -> None:
        Strictness.check()


class Printer(Context):
    @Print.handler
    def print(self, command: Print) -> Paper:
        return Paper(command.text)

    @Shred.handler
    def shred(self, command: Shred) -> None: ...

    @Fail.handler
    def fail(self, command: Fail) -> None:
        Strictness.after(0)
        raise Rejected("no", code="no")


class Publishing(Saga[Job]):
    @step()
    def printed(self) -> Print:
        return Print(self.input.key)

    @printed.compensation
    def shredded(self, paper: Paper | None) -> Shred:
        return Shred(paper.text if paper else "")

    @step()
    def failed(self) -> Fail:
        return Fail(self.input.key)

    flow = (printed, failed)


class Binding(Saga[Job]):
    @items
    def papers(self) -> list[Paper]:
        return [Paper("a"), Paper("b")]

    @step(retry=Retry(attempts=1))
    def bound(self, paper: Paper) -> Shred:
        Strictness.after(0)
        return Shred(paper.text)

    flow = each(papers, bound)


class Pages(Saga[Paper]):
    @step()
    def shredded(self) -> Shred:
        return Shred(self.input.text)

    flow = shredded


class Calling(Saga[Job]):
    @call(Pages)
    def pages(self) -> Paper:
        paper = Paper(self.input.key)
        Strictness.after(0 if self.input.size == 1 else 1)  # once to be read back, then to be read
        return paper

    flow = pages


class Reading(Saga[Written], started_by_event=True):
    @step()
    def shredded(self) -> Shred:
        return Shred(self.input.text)

    flow = shredded


def test_an_answer_that_cannot_be_read_any_more_parks_its_compensation(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Printer, sagas=[Publishing])
    runtime.start(Publishing, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert any("the answer of printed cannot be read" in text for text in texts(runtime, "a"))
    Strictness.after(None)
    runtime.retry("a", "the class is as it was")
    until_status(runtime, "a", "COMPENSATED")


def test_an_item_that_cannot_be_read_any_more_parks_its_step(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Printer, sagas=[Binding])
    runtime.start(Binding, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert any("the item of bound cannot be read" in text for text in texts(runtime, "a"))
    Strictness.after(None)


def test_an_input_that_cannot_be_read_parks_the_call(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Printer, sagas=[Calling, Pages])
    runtime.start(Calling, Job("a", size=2), id="a")
    until_status(runtime, "a", "PARKED")
    assert any("the input of Pages cannot be read" in text for text in texts(runtime, "a"))
    Strictness.after(None)
    runtime.start(Calling, Job("b", size=1), id="b")
    until_status(runtime, "b", "PARKED")
    assert any("pages returned what cannot be stored" in text for text in texts(runtime, "b"))


def test_an_event_that_cannot_be_read_starts_nothing_and_harms_nobody(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Printer, sagas=[Reading, Publishing])
    Strictness.after(0)
    runtime.publish(Written("a"), id="written-a")
    Strictness.after(None)
    runtime.publish(Written("b"), id="written-b")
    until_status(runtime, "Reading:runtime:written-b", "COMPLETED")
    assert [each.id for each in runtime.list()] == ["Reading:runtime:written-b"]


@dataclass(frozen=True)
class Stamp(Command[None]):
    text: str

    def __post_init__(self) -> None:
        Strictness.check()


class Post(Context):
    gate: Gate | None = None

    @Stamp.handler
    def stamp(self, command: Stamp) -> None:
        if self.gate is not None:
            self.gate()


class Stamping(Saga[Job]):
    @step(retry=Retry(attempts=2, first=timedelta(milliseconds=1)))
    def stamped(self) -> Stamp:
        return Stamp(self.input.key)

    flow = stamped


def test_a_command_under_way_that_cannot_be_read_any_more_has_failed(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(Post, "gate", gate)
    runtime = open_runtime(Post, sagas=[Stamping])
    runtime.start(Stamping, Job("a"), id="a")
    gate.wait_for_somebody()
    later = shutil.copytree(store, tmp_path / "later")  # as a kill would leave it
    gate.open()
    runtime.close()
    Strictness.after(0)
    outcome = open_runtime(Post, sagas=[Stamping], at=later).handle("a").wait(DEADLINE)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "failed"
    assert "that is not allowed any more" in outcome.refusal.reason
