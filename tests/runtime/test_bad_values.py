"""What the author's code returns is looked at as closely as what it raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from saga import (
    Command,
    CommandFailed,
    Context,
    Gateway,
    NotDecodable,
    Retry,
    Runtime,
    Saga,
    SagaParked,
    Status,
    answer,
    choice,
    condition,
    sleep,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Confirmed, Desk, File, Job, Keep, texts


class Hostile:
    """A value that resists whoever looks at it."""

    def _resist(self, *_: object) -> Any:
        raise SystemExit("do not touch me")

    __repr__ = __str__ = __bool__ = __eq__ = __hash__ = __format__ = _resist  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Weigh(Command[int]):
    grams: int


@dataclass(frozen=True, slots=True)
class Ask(Command[int]):
    grams: int


@dataclass(frozen=True, slots=True)
class Other(Command[None]):
    pass


VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "wrong type": lambda: "heavy",
    "hostile": Hostile,
    "surrogate": lambda: "\ud800",
    "NaN": lambda: float("nan"),
    "huge": lambda: "x" * 2_000_000,
    "another command": Other,
    "command of a wrong type": lambda: Weigh("heavy"),  # type: ignore[arg-type]
    "class": lambda: Weigh,
    "coroutine": lambda: timedelta,
}


@dataclass(frozen=True, slots=True)
class Trial:
    where: str
    value: str

    def give(self, where: str, good: Any) -> Any:
        return VALUES[self.value]() if where == self.where else good


class Scales(Context):
    trial = Trial("", "")

    @Weigh.handler
    def weigh(self, command: Weigh) -> int:
        return self.trial.give("handler", command.grams)  # type: ignore[no-any-return]


class Scout(Gateway):
    trial = Trial("", "")

    @Ask.handler
    def ask(self, command: Ask) -> int:
        return self.trial.give("gateway", command.grams)  # type: ignore[no-any-return]


ONCE = Retry(attempts=1)


class Weighing(Saga[Trial]):
    @step(retry=ONCE)
    def weigh(self) -> Weigh:
        return self.input.give("step", Weigh(1))  # type: ignore[no-any-return]

    @condition
    def is_heavy(self) -> bool:
        return self.input.give("condition", True)  # type: ignore[no-any-return]

    @step(retry=ONCE)
    def ask(self) -> Ask:
        return Ask(2)

    @sleep
    def nap(self) -> timedelta:
        return self.input.give("sleep", timedelta(0))  # type: ignore[no-any-return]

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.give("key", "a")  # type: ignore[no-any-return]

    @answer
    def sum(self) -> int:
        return self.input.give("answer", self.weigh + self.ask)  # type: ignore[no-any-return]

    flow = (weigh, choice((is_heavy, ask)), nap, confirmed, sum)


FITTING = {("key", value) for value in ("wrong type", "huge")}
"""Any text is a key."""


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("where", ["step", "condition", "sleep", "key", "answer"])
def test_a_value_that_does_not_fit_parks_its_own_saga(
    open_runtime: OpenRuntime, where: str, value: str
) -> None:
    if (where, value) in FITTING:
        pytest.skip("it fits")
    runtime = open_runtime(Scales, Scout, Desk, sagas=[Weighing, Keep])
    handle = runtime.start(Weighing, Trial(where, value), id="a")
    runtime.publish(Confirmed("a"))
    with pytest.raises(SagaParked):
        handle.wait(DEADLINE)
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    assert any("PARKED (function)" in text for text in texts(runtime, "a"))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(("where", "kind"), [("handler", Scales), ("gateway", Scout)])
def test_an_answer_that_does_not_fit_is_a_failed_attempt(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch, where: str, kind: type, value: str
) -> None:
    monkeypatch.setattr(kind, "trial", Trial(where, value))
    runtime = open_runtime(Scales, Scout, sagas=[Weighing])
    outcome = runtime.start(Weighing, Trial("", ""), id="a")
    runtime.publish(Confirmed("a"))
    assert outcome.wait(DEADLINE).status is Status.COMPENSATED
    with pytest.raises(CommandFailed):
        runtime.send(Weigh(1) if kind is Scales else Ask(1), timeout=DEADLINE)
    monkeypatch.setattr(kind, "trial", Trial("", ""))
    assert runtime.send(Weigh(1) if kind is Scales else Ask(1), timeout=DEADLINE) == 1


@pytest.mark.parametrize("when", [datetime(2026, 1, 1), timedelta.max])  # noqa: DTZ001
def test_a_time_that_cannot_be_kept_parks_its_saga(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch, when: Any
) -> None:
    monkeypatch.setitem(VALUES, "when", lambda: when)
    runtime = open_runtime(Scales, Scout, sagas=[Weighing])
    handle = runtime.start(Weighing, Trial("sleep", "when"), id="a")
    with pytest.raises(SagaParked, match="nap returned"):
        handle.wait(DEADLINE)


strict = False


@dataclass(frozen=True, slots=True)
class Changeable:
    """An input that cannot be read any more once its class has become strict."""

    key: str

    def __post_init__(self) -> None:
        if strict:
            raise SystemExit("this is not acceptable any more")


class Changing(Saga[Changeable]):
    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = (confirmed, filing)


class Echo(Saga[Job]):
    @answer
    def value(self) -> Changeable:
        return Changeable(self.input.key)

    flow = value


def test_an_input_that_cannot_be_read_any_more_parks_its_saga_until_it_can(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Changing, Keep]) as runtime:
        runtime.start(Changing, Changeable("a"), id="a")
    monkeypatch.setattr(f"{__name__}.strict", True)
    with Runtime(store, contexts=[Desk], sagas=[Changing, Keep]) as runtime:
        runtime.publish(Confirmed("a"))
        with pytest.raises(SagaParked, match="cannot be read"):
            runtime.handle("a").wait(DEADLINE)
        assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    monkeypatch.setattr(f"{__name__}.strict", False)
    runtime = open_runtime(Desk, sagas=[Changing, Keep])
    assert runtime.handle("a").wait(DEADLINE).completed


def test_an_answer_that_cannot_be_read_any_more_harms_nobody_else(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Runtime(store, sagas=[Echo]) as runtime:
        assert runtime.start(Echo, Job("a"), id="a").wait(DEADLINE).answer == Changeable("a")
    monkeypatch.setattr(f"{__name__}.strict", True)
    runtime = open_runtime(Desk, sagas=[Echo, Keep])
    with pytest.raises(NotDecodable, match="not acceptable"):
        runtime.handle("a").wait(DEADLINE)
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
