"""Whatever the author's code raises, wherever: its own saga ends as declared, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from saga import (
    Command,
    Context,
    Gateway,
    Retry,
    Runtime,
    Saga,
    SagaParked,
    Start,
    Status,
    VirtualClock,
    WaitTimeout,
    answer,
    choice,
    condition,
    sleep,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Booked, Confirmed, Journalist, Script, heard, texts


class Hostile(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit("do not look at me")

    __repr__ = __str__


class HostileBase(BaseException):
    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


FAULTS: dict[str, Callable[[], BaseException]] = {
    "Exception": lambda: Exception("a fault"),
    "SystemExit": lambda: SystemExit(7),
    "KeyboardInterrupt": KeyboardInterrupt,
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "GeneratorExit": GeneratorExit,
    "StopIteration": StopIteration,
    "CancelledError": asyncio.CancelledError,
    "Hostile": Hostile,
    "HostileBase": HostileBase,
}


@dataclass(frozen=True, slots=True)
class Do(Command[str]):
    where: str
    fault: str


@dataclass(frozen=True, slots=True)
class Undo(Command[None]):
    where: str
    fault: str


@dataclass(frozen=True, slots=True)
class Dial(Command[str]):
    where: str
    fault: str


@dataclass(frozen=True, slots=True)
class DialAtOnce(Command[str]):
    where: str
    fault: str


@dataclass(frozen=True, slots=True)
class DialAsync(Command[str]):
    where: str
    fault: str


@dataclass(frozen=True, slots=True)
class HangUp(Command[None]):
    where: str


def fail(place: str, where: str, fault: str) -> None:
    if place == where:
        raise FAULTS[fault]()


class Office(Context):
    @Do.handler
    def do(self, command: Do) -> str:
        fail("handler", command.where, command.fault)
        return "done"

    @Undo.handler
    def undo(self, command: Undo) -> None:
        fail("undo handler", command.where, command.fault)

    @HangUp.handler
    def hang_up(self, command: HangUp) -> None:
        return None


class Serial(Gateway):
    @Dial.handler
    def dial(self, command: Dial) -> str:
        fail("gateway", command.where, command.fault)
        return "dialled"


class Pooled(Gateway):
    concurrency = 3

    @DialAtOnce.handler
    def dial(self, command: DialAtOnce) -> str:
        fail("pool", command.where, command.fault)
        return "dialled"


class Looped(Gateway):
    concurrency = 3

    @DialAsync.handler
    async def dial(self, command: DialAsync) -> str:
        await asyncio.sleep(0)
        fail("loop", command.where, command.fault)
        return "dialled"


@dataclass(frozen=True, slots=True)
class Trip:
    where: str
    fault: str


ONCE = Retry(attempts=2, first=timedelta(milliseconds=1), jitter=0)


class Everything(Saga[Trip]):
    """Has a function of each kind; one of them raises."""

    def fail(self, place: str) -> None:
        fail(place, self.input.where, self.input.fault)

    @step(retry=ONCE)
    def do(self) -> Do:
        self.fail("step")
        return Do(self.input.where, self.input.fault)

    @do.compensation
    def undo(self) -> Undo:
        self.fail("compensation")
        return Undo(self.input.where, self.input.fault)

    @condition
    def is_fine(self) -> bool:
        self.fail("condition")
        return True

    @step(retry=ONCE)
    def dial(self) -> Dial:
        return Dial(self.input.where, self.input.fault)

    @dial.compensation
    def hang_up(self, dialled: str | None) -> HangUp:
        return HangUp(self.input.where)

    @step(retry=ONCE)
    def dial_at_once(self) -> DialAtOnce:
        return DialAtOnce(self.input.where, self.input.fault)

    @dial_at_once.compensation
    def hang_up_at_once(self, dialled: str | None) -> HangUp:
        return HangUp(self.input.where)

    @step(retry=ONCE)
    def dial_async(self) -> DialAsync:
        return DialAsync(self.input.where, self.input.fault)

    @dial_async.compensation
    def hang_up_async(self, dialled: str | None) -> HangUp:
        return HangUp(self.input.where)

    @sleep
    def nap(self) -> timedelta:
        self.fail("sleep")
        return timedelta(0)

    @wait(Confirmed, within=timedelta(seconds=1))
    def confirmed(self) -> str:
        self.fail("key")
        return self.input.where

    @answer
    def result(self) -> str:
        self.fail("answer")
        return "all of it"

    flow = (
        do,
        choice((is_fine, dial)),
        dial_at_once,
        dial_async,
        nap,
        confirmed,
        result,
    )


PARKING = ["step", "condition", "sleep", "key", "answer"]
"""What raises there parks its own saga."""
FAILING = ["handler", "gateway", "pool", "loop"]
"""What raises there is a failed attempt; the saga is undone."""
STUCK = ["compensation", "undo handler"]
"""What raises there on the way back parks the saga."""


def finish(runtime: Runtime, clock: VirtualClock, id: str) -> Status:
    """Return the status in which a saga comes to rest, time passing."""
    for _ in range(1_000):
        try:
            return runtime.handle(id).wait(0.01).status
        except SagaParked:
            return Status.PARKED
        except WaitTimeout:
            clock.advance(timedelta(milliseconds=500))
    raise AssertionError(texts(runtime, id))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_user_code_raises_harms_its_own_saga_only(open_runtime: OpenRuntime, fault: str) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Office, Serial, Pooled, Looped, sagas=[Everything], clock=clock)
    runtime.start_many(Start(Everything, Trip(where, fault), where) for where in PARKING + FAILING)
    runtime.start(Everything, Trip("nowhere", fault), id="nowhere")
    for where in ("answer", "nowhere"):
        runtime.publish(Confirmed(where))
    assert {where: finish(runtime, clock, where) for where in PARKING} == dict.fromkeys(
        PARKING, Status.PARKED
    )
    assert {where: finish(runtime, clock, where) for where in FAILING} == dict.fromkeys(
        FAILING, Status.COMPENSATED
    )
    assert runtime.handle("nowhere").wait(DEADLINE).answer == "all of it"
    for where in STUCK:  # nobody confirms, so they turn back, and cannot
        runtime.start(Everything, Trip(where, fault), id=where)
        assert finish(runtime, clock, where) is Status.PARKED
    runtime.start(Everything, Trip("nowhere", fault), id="after")
    runtime.publish(Confirmed("nowhere"))
    assert runtime.handle("after").wait(DEADLINE).completed


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_listener_raises_keeps_the_event_for_later(
    open_runtime: OpenRuntime, store: Any, script: Script, fault: str
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    script.on("hear", "a", FAULTS[fault](), None)
    runtime.publish(Booked("a"))
    runtime.publish(Booked("b"))
    assert heard(store, 1) == ["b"]
    while not script.wait_for("hear", "a", 2, 0.01):
        clock.advance(timedelta(seconds=1))
    assert heard(store, 2) == ["b", "a"]
