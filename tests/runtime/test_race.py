"""Races: what comes first counts, whatever it is, and the others are not waited for any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from saga import (
    Event,
    Key,
    NotAllowed,
    Runtime,
    Saga,
    VirtualClock,
    answer,
    choice,
    condition,
    race,
    sleep,
    step,
    task,
    wait,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Confirmed, Desk, File, Gate, Job, Script, sound, statuses


@dataclass(frozen=True, slots=True)
class Withdrawn(Event):
    key: Key[str]


class Offer(Saga[Job]):
    """Is confirmed, withdrawn, decided by a person, slept over, or out of time after two days."""

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @wait(Withdrawn)
    def withdrawn(self) -> str:
        return self.input.key

    @task(answer=str)
    def decided(self) -> Job:
        return self.input

    @sleep
    def slept(self) -> timedelta:
        return timedelta(days=self.input.size)

    @answer
    def by_confirmation(self) -> str:
        return f"confirmed {self.confirmed.text}"

    @answer
    def by_withdrawal(self) -> str:
        return "withdrawn"

    @answer
    def by_decision(self) -> str:
        return f"decided {self.decided}"

    @answer
    def by_sleep(self) -> str:
        return "slept"

    @answer
    def by_time(self) -> str:
        return "late"

    flow = race(
        (confirmed, by_confirmation),
        (withdrawn, by_withdrawal),
        (decided, by_decision),
        (slept, by_sleep),
        after=(timedelta(days=2), by_time),
    )


class Late(Saga[Job]):
    """Files, then waits for what may have come meanwhile."""

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @wait(Withdrawn)
    def withdrawn(self) -> str:
        return self.input.key

    @answer
    def by_confirmation(self) -> str:
        return "confirmed"

    @answer
    def by_withdrawal(self) -> str:
        return "withdrawn"

    flow = (filing, race((confirmed, by_confirmation), (withdrawn, by_withdrawal)))


def offer(open_runtime: OpenRuntime, clock: VirtualClock, days: int = 1) -> Runtime:
    runtime = open_runtime(sagas=[Offer], clock=clock)
    runtime.start(Offer, Job("a", size=days), id="a")
    return runtime


def outcome(runtime: Runtime) -> object:
    return runtime.handle("a").wait(DEADLINE).answer


def nothing_is_left(runtime: Runtime, store: Path) -> None:
    """Nobody waits for what has lost, and it changes nothing any more."""
    history = len(runtime.history("a"))
    runtime.publish(Confirmed("a", "too late"))
    runtime.publish(Withdrawn("a"))
    assert runtime.tasks() == []
    with pytest.raises(NotAllowed):
        runtime.complete_task("a", "no")
    assert len(runtime.history("a")) == history
    sound(store)


def test_the_first_event_wins(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = offer(open_runtime, VirtualClock())
    runtime.publish(Withdrawn("a"))
    runtime.publish(Confirmed("a"))
    assert outcome(runtime) == "withdrawn"
    nothing_is_left(runtime, store)


def test_a_decision_wins(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = offer(open_runtime, VirtualClock())
    runtime.complete_task("a", "yes")
    runtime.publish(Confirmed("a"))
    assert outcome(runtime) == "decided yes"
    nothing_is_left(runtime, store)


def test_a_sleep_wins(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = offer(open_runtime, clock, days=1)
    clock.advance(timedelta(days=1))
    assert outcome(runtime) == "slept"
    nothing_is_left(runtime, store)


def test_time_wins_when_nothing_has_come(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = offer(open_runtime, clock, days=9)
    clock.advance(timedelta(days=1, hours=23))
    assert statuses(runtime) == {"a": "RUNNING"}
    clock.advance(timedelta(hours=1))
    assert outcome(runtime) == "late"
    nothing_is_left(runtime, store)


def test_time_that_passed_while_the_process_was_down_wins_over_nothing_and_loses_to_an_event(
    open_runtime: OpenRuntime, store: Path
) -> None:
    clock = VirtualClock()
    with Runtime(store, sagas=[Offer], clock=clock) as runtime:
        runtime.start(Offer, Job("a", size=9), id="a")
        runtime.start(Offer, Job("b", size=9), id="b")
        runtime.publish(Confirmed("b", "in time"))
    clock.advance(timedelta(days=3))
    runtime = open_runtime(sagas=[Offer], clock=clock)
    assert runtime.handle("b").wait(DEADLINE).answer == "confirmed in time"
    assert outcome(runtime) == "late"
    sound(store)


@pytest.mark.parametrize("first", [Confirmed("a"), Withdrawn("a")])
def test_of_two_events_that_were_there_before_the_earlier_one_wins(
    open_runtime: OpenRuntime, script: Script, store: Path, first: Event
) -> None:
    gate = Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Late])
    handle = runtime.start(Late, Job("a"), id="a")
    gate.wait_for_somebody()
    second = Withdrawn("a") if isinstance(first, Confirmed) else Confirmed("a")
    runtime.publish(first)
    runtime.publish(second)
    gate.open()
    assert handle.wait(DEADLINE).answer == type(first).__name__.lower()
    sound(store)


class Rounds(Saga[Job]):
    """Two races after each other, for the same two events."""

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @wait(Withdrawn)
    def withdrawn(self) -> str:
        return self.input.key

    @wait(Confirmed)
    def confirmed_later(self) -> str:
        return self.input.key

    @wait(Withdrawn)
    def withdrawn_later(self) -> str:
        return self.input.key

    @condition
    def never(self) -> bool:
        return False

    @answer
    def text(self) -> str:
        return self.confirmed_later.text

    flow = (
        race((confirmed, ()), (withdrawn, ())),
        race((confirmed_later, text), (withdrawn_later, choice((never, ())))),
    )


def test_an_event_that_lost_a_race_is_there_for_the_next_one(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(sagas=[Rounds])
    handle = runtime.start(Rounds, Job("a"), id="a")
    runtime.publish(Withdrawn("a"))
    runtime.publish(Confirmed("a", "second"))
    assert handle.wait(DEADLINE).answer == "second"
    sound(store)


def test_a_suspended_race_is_decided_when_it_is_resumed(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = offer(open_runtime, clock, days=9)
    runtime.suspend("a", "let me see")
    runtime.publish(Withdrawn("a"))
    runtime.publish(Confirmed("a"))
    clock.advance(timedelta(days=5))
    runtime.resume("a")
    assert outcome(runtime) == "withdrawn"
    sound(store)
