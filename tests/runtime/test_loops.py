"""Loops: `repeat` goes round until its condition holds, and all rounds are undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga import Rejected, Runtime, Saga, SagaParked, answer, condition, refuse, repeat, step, wait
from saga.flow import end

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Confirmed,
    Desk,
    Job,
    Receipt,
    Script,
    Unbook,
    code_of,
    entered,
    sound,
    statuses,
    wait_until_it_happened,
)


class Rounds(Saga[Job]):
    """Books, until it gets a number above its size; five times at most."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    @condition
    def is_enough(self) -> bool:
        return self.booking.number > self.input.size

    @answer
    def number(self) -> int:
        return self.booking.number

    flow = (repeat(booking, until=is_enough, at_most=5), number)


def numbered(script: Script, *numbers: int) -> None:
    script.on("book", "a", *[lambda n=n: Receipt("a", n) for n in numbers])


def test_a_loop_goes_round_until_its_condition_holds(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    numbered(script, 1, 2, 9)
    runtime = open_runtime(lambda: Desk(script), sagas=[Rounds])
    assert runtime.start(Rounds, Job("a", size=5), id="a").wait(DEADLINE).answer == 9
    assert entered(store, "a") == ["book"] * 3
    sound(store)


def test_a_loop_goes_round_so_often_at_most(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Rounds])
    assert runtime.start(Rounds, Job("a", size=100), id="a").wait(DEADLINE).completed
    assert entered(store, "a") == ["book"] * 5


def test_all_rounds_are_undone_in_reverse_each_with_its_own_values(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    taken: list[int] = []
    numbered(script, 1, 2, 3)
    script.on("book", "a", lambda: Receipt("a", 1), lambda: Receipt("a", 2), Rejected("full", code="full"))
    runtime = open_runtime(lambda: Watching(script, taken), sagas=[Rounds])
    assert code_of(runtime.start(Rounds, Job("a", size=100), id="a").wait(DEADLINE)) == "full"
    assert taken == [2, 1]
    sound(store)


class Watching(Desk):
    """Notes which numbers are taken back."""

    def __init__(self, script: Script, taken: list[int]) -> None:
        super().__init__(script)
        self.taken = taken

    @Unbook.handler
    def unbook(self, command: Unbook) -> None:
        self.taken.append(command.number)


class Asking(Saga[Job]):
    """Waits in every round, and leaves a round early when it was told so."""

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @step()
    def booking(self) -> Book:
        return Book(self.confirmed.text)

    @condition
    def is_done(self) -> bool:
        return self.confirmed.text == "done"

    flow = repeat(confirmed, booking, until=is_done, at_most=100)


def test_every_round_waits_for_an_event_of_its_own(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Asking])
    handle = runtime.start(Asking, Job("a"), id="a")
    for text in ("one", "two", "done"):
        runtime.publish(Confirmed("a", text))
    assert handle.wait(DEADLINE).completed
    assert [entered(store, text) for text in ("one", "two", "done")] == [["book"]] * 3
    sound(store)


def test_a_loop_goes_on_in_its_round_after_a_restart(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Asking]) as runtime:
        runtime.start(Asking, Job("a"), id="a")
        runtime.publish(Confirmed("a", "one"))
        wait_until_it_happened(runtime, "a", "step-completed")
    runtime = open_runtime(Desk, sagas=[Asking])
    runtime.publish(Confirmed("a", "done"))
    assert runtime.handle("a").wait(DEADLINE).completed
    assert (entered(store, "one"), entered(store, "done")) == (["book"], ["book"])
    sound(store)


class Doubtful(Saga[Job]):
    """Has a condition that cannot be asked as long as the test says so."""

    asked = 0

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @condition
    def is_enough(self) -> bool:
        Doubtful.asked += 1
        return bool(1 // (Doubtful.asked - 1))

    flow = repeat(booking, until=is_enough, at_most=3)


def test_a_condition_that_raises_parks_the_round_and_is_asked_again(
    open_runtime: OpenRuntime, store: Path
) -> None:
    Doubtful.asked = 0
    runtime = open_runtime(Desk, sagas=[Doubtful])
    handle = runtime.start(Doubtful, Job("a"), id="a")
    with pytest.raises(SagaParked, match="ZeroDivisionError"):
        handle.wait(DEADLINE)
    sound(store)
    runtime.retry("a")
    assert handle.wait(DEADLINE).completed
    assert entered(store, "a") == ["book"]
    sound(store)


class Leaving(Saga[Job]):
    """Every round is left before its second step."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @condition
    def never(self) -> bool:
        return False

    flow = (repeat(booking, end(), until=never, at_most=3), refuse("no", code="no"))


def test_an_end_in_a_round_ends_the_round(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Leaving])
    assert code_of(runtime.start(Leaving, Job("a"), id="a").wait(DEADLINE)) == "no"
    assert entered(store, "a") == ["book"] * 3
    assert statuses(runtime) == {"a": "COMPENSATED"}
