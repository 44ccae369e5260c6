"""`compensate`: a part is undone in the middle of the flow, once, and the flow goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga import (
    Rejected,
    Runtime,
    Saga,
    SagaParked,
    call,
    compensate,
    each,
    items,
    refuse,
    scope,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Confirmed,
    Desk,
    Gate,
    Job,
    Script,
    Unbook,
    code_of,
    entered,
    sound,
    statuses,
    until_status,
)


class Rebook(Saga[Job]):
    """Books twice, undoes the first, books a third time; a large one is refused in the end."""

    @step()
    def first(self) -> Book:
        return Book("first")

    @first.compensation
    def unfirst(self) -> Unbook:
        return Unbook("first", self.first.number)

    @step()
    def second(self) -> Book:
        return Book("second")

    @second.compensation
    def unsecond(self) -> Unbook:
        return Unbook("second", self.second.number)

    @step()
    def third(self) -> Book:
        return Book(self.input.key)

    flow = (first, second, compensate(first), third)


def test_a_step_is_undone_in_the_middle_and_the_flow_goes_on(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Rebook])
    assert runtime.start(Rebook, Job("a"), id="a").wait(DEADLINE).completed
    assert [entered(store, key) for key in ("first", "second", "a")] == [
        ["book", "unbook"],
        ["book"],
        ["book"],
    ]
    sound(store)


def test_what_was_undone_in_the_middle_is_not_undone_again(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("book", "a", Rejected("full", code="full"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Rebook])
    assert code_of(runtime.start(Rebook, Job("a"), id="a").wait(DEADLINE)) == "full"
    assert [entered(store, key) for key in ("first", "second")] == [["book", "unbook"]] * 2
    assert script.order[-1] == ("unbook", "second")
    sound(store)


def test_a_compensation_in_the_middle_that_is_refused_is_parked_and_retried(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("unbook", "first", Rejected("not now", code="later"), None)
    runtime = open_runtime(lambda: Desk(script), sagas=[Rebook])
    handle = runtime.start(Rebook, Job("a"), id="a")
    with pytest.raises(SagaParked, match="not now"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    until_status(runtime, "a", "COMPLETED")
    assert entered(store, "second") == ["book"]
    sound(store)


def test_a_cancel_during_a_compensation_in_the_middle_undoes_the_rest(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    gate = Gate()
    script.on("unbook", "first", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Rebook])
    handle = runtime.start(Rebook, Job("a"), id="a")
    gate.wait_for_somebody()
    runtime.cancel("a")
    gate.open()
    assert code_of(handle.wait(DEADLINE)) == "cancelled"
    assert [entered(store, key) for key in ("first", "second", "a")] == [["book", "unbook"]] * 2 + [[]]
    sound(store)


def test_a_compensation_in_the_middle_goes_on_after_a_restart(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("unbook", "first", Rejected("not now", code="later"))
    with Runtime(store, contexts=[lambda: Desk(script)], sagas=[Rebook]) as runtime:
        runtime.start(Rebook, Job("a"), id="a")
        until_status(runtime, "a", "PARKED")
    runtime = open_runtime(Desk, sagas=[Rebook])
    runtime.retry("a")
    until_status(runtime, "a", "COMPLETED")
    assert entered(store, "second") == ["book"]
    sound(store)


class Part(Saga[Job]):
    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    flow = booking


class Parts(Saga[Job]):
    """Calls a saga for each item, undoes them all, and waits."""

    @items
    def numbers(self) -> list[int]:
        return list(range(self.input.size))

    @call(Part)
    def part(self, number: int) -> Job:
        return Job(f"{self.input.key}{number}")

    @step()
    def kept(self) -> Book:
        return Book("kept")

    @kept.compensation
    def unkept(self) -> Unbook:
        return Unbook("kept", self.kept.number)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    flow = (kept, scope(each(numbers, part, concurrency=2), compensate()), confirmed)


def test_called_sagas_are_undone_in_the_middle_within_their_scope(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(Desk, sagas=[Parts])
    handle = runtime.start(Parts, Job("a", size=4), id="a")
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed
    assert [entered(store, f"a{n}") for n in range(4)] == [["book", "unbook"]] * 4
    assert entered(store, "kept") == ["book"]
    assert sorted(statuses(runtime).values()) == ["COMPENSATED"] * 4 + ["COMPLETED"]
    sound(store)


class Nothing(Saga[Job]):
    """There is nothing to be undone."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    flow = (scope(compensate(), booking), refuse("no", code="no"))


def test_without_anything_to_be_undone_the_flow_goes_on(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Nothing])
    assert code_of(runtime.start(Nothing, Job("a"), id="a").wait(DEADLINE)) == "no"
    assert entered(store, "a") == ["book", "unbook"]
    sound(store)
