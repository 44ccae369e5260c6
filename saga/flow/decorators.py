"""The decorators that make a method a leaf of a flow: what is sent, what comes back, what is waited for.

Each takes a method of a saga. In an `each`, the method takes the item as an argument beside `self`, and the value of
the leaf is a `PerItem`. Decorators only remember; what is wrong is reported when the class is made.

Type checkers see a `StepForItem` where a step takes an item; at run time it is a `Step` like any other. So it is with
calls and conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from inspect import isfunction
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from saga.flow.elements import (
    Answer,
    Blocks,
    Call,
    CallForItem,
    Condition,
    ConditionForItem,
    Items,
    Publish,
    Reminder,
    Retry,
    Sleep,
    Step,
    StepForItem,
    Task,
    Wait,
)
from saga.flow.per_item import PerItem
from saga.messages import Command, Event

if TYPE_CHECKING:
    from saga.flow.saga import Saga

__all__ = ["answer", "call", "condition", "items", "publish", "sleep", "step", "task", "wait"]

S = TypeVar("S", bound="Saga[Any]")
T = TypeVar("T")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - I as in input
E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)
R_co = TypeVar("R_co", covariant=True)
I_contra = TypeVar("I_contra", contravariant=True)


class MakesStep(Protocol):
    """What `step(...)` returns."""

    @overload
    def __call__(self, function: Callable[[S], Command[R]], /) -> Step[S, R]: ...
    @overload
    def __call__(self, function: Callable[[S, T], Command[R]], /) -> StepForItem[S, T, R]: ...


class MakesWait(Protocol[E_co]):
    """What `wait(...)` returns."""

    @overload
    def __call__(self, function: Callable[[S], object], /) -> Wait[S, E_co]: ...
    @overload
    def __call__(self, function: Callable[[S, T], object], /) -> Wait[S, PerItem[E_co]]: ...


class MakesTask(Protocol[R_co]):
    """What `task(...)` returns."""

    @overload
    def __call__(self, function: Callable[[S], object], /) -> Task[S, R_co]: ...
    @overload
    def __call__(self, function: Callable[[S, T], object], /) -> Task[S, PerItem[R_co]]: ...


class MakesCall(Protocol[I_contra, R]):
    """What `call(...)` returns."""

    @overload
    def __call__(self, function: Callable[[S], I_contra], /) -> Call[S, R]: ...
    @overload
    def __call__(self, function: Callable[[S, T], I_contra], /) -> CallForItem[S, T, R]: ...


def step(*, timeout: timedelta | None = None, retry: Retry | None = None, pivot: bool = False) -> MakesStep:
    """Make a method a step: it returns a command, `self.<step>` is the answer.

    - `timeout`: from the arrival at the step, across attempts, queueing and downtime; then it has failed with
      code `timeout`. Positive; None: as long as it takes.
    - `retry`: how technical failures are retried; None: as `Retry()` says.
    - `pivot`: once this step is done there is no way back: the saga is only carried forward.
    """

    def make(function: Any) -> Any:
        return Step(function, timeout=timeout, retry=retry, pivot=pivot)

    return make


def wait(
    event: type[E],
    *,
    within: timedelta | None = None,
    otherwise: Blocks | None = None,
    every: Reminder | None = None,
) -> MakesWait[E]:
    """Make a method a wait for an event of this type: it returns the key, `self.<wait>` is the event.

    - `event`: its field marked `Key[...]` is compared with the key.
    - `within`: how long at most, from the arrival at the wait. Positive; None: for ever.
    - `otherwise`: what happens when the time is up; then the flow goes on behind the wait. Without it
      the wait is refused with code `timeout`.
    - `every`: `(interval, block)`: what happens meanwhile, each time the interval has passed, such as a reminder; the
      wait goes on. With a third value, at most so many times.
    """

    if isfunction(event):  # @wait without its parentheses: see `functions`
        return Wait(event, event=None)

    def make(function: Any) -> Any:
        return Wait(function, event=event, within=within, otherwise=otherwise, every=every)

    return make


@overload
def task(
    *,
    within: timedelta | None = None,
    otherwise: Blocks | None = None,
    every: Reminder | None = None,
) -> MakesTask[None]: ...
@overload
def task(
    *,
    answer: type[R],
    within: timedelta | None = None,
    otherwise: Blocks | None = None,
    every: Reminder | None = None,
) -> MakesTask[R]: ...
def task(
    *,
    answer: Any = None,
    within: timedelta | None = None,
    otherwise: Blocks | None = None,
    every: Reminder | None = None,
) -> MakesTask[Any]:
    """Make a method a task for a person: it returns what the person is shown, `self.<task>` is the decision.

    - `answer`: the type of the decision; None: it is only to be done. See `Runtime.tasks` and
      `Runtime.complete_task`.
    - `within`, `otherwise`, `every`: as for `wait`.
    """

    def make(function: Any) -> Any:
        return Task(function, answer=answer, within=within, otherwise=otherwise, every=every)

    return make


@overload
def call(saga: type[Saga[I]], *, timeout: timedelta | None = None) -> MakesCall[I, Any]: ...
@overload
def call(saga: type[Saga[I]], *, answer: type[R], timeout: timedelta | None = None) -> MakesCall[I, R]: ...
def call(saga: type[Saga[I]], *, answer: Any = None, timeout: timedelta | None = None) -> MakesCall[I, Any]:
    """Make a method a call of another saga: it returns the input of that one, `self.<call>` is its answer.

    - `answer`: the type of the answer, for type checkers; it must be what that saga answers.
    - `timeout`: as for `step`; then the called saga is cancelled.

    When the called saga is refused, so is the call, with its code. When this saga turns back, a called saga that runs
    is cancelled, and one that has completed is undone, unless a `@that_call.compensation` says what undoes it.
    """

    if isfunction(saga):
        return Call(saga, saga=None)

    def make(function: Any) -> Any:
        return Call(function, saga=saga, answer=answer, timeout=timeout)

    return make


@overload
def sleep(function: Callable[[S], timedelta | datetime], /) -> Sleep[S]: ...
@overload
def sleep(function: Callable[[S, T], timedelta | datetime], /) -> Sleep[S]: ...
def sleep(function: Any, /) -> Sleep[Any]:
    """Make a method a sleep: it returns how long (a timedelta) or until when (an aware datetime)."""
    return Sleep(function)


@overload
def publish(function: Callable[[S], Event], /) -> Publish[S]: ...
@overload
def publish(function: Callable[[S, T], Event], /) -> Publish[S]: ...
def publish(function: Any, /) -> Publish[Any]:
    """Make a method a publication: it returns an event, which is in the event log once the saga has got here."""
    return Publish(function)


@overload
def items(function: Callable[[S], list[T]], /) -> Items[S, list[T]]: ...
@overload
def items(function: Callable[[S], tuple[T, ...]], /) -> Items[S, tuple[T, ...]]: ...
@overload
def items(function: Callable[[S, R], list[T]], /) -> Items[S, PerItem[list[T]]]: ...
@overload
def items(function: Callable[[S, R], tuple[T, ...]], /) -> Items[S, PerItem[tuple[T, ...]]]: ...
def items(function: Any, /) -> Items[Any, Any]:
    """Make a method the list of items of an `each`: it returns a list or tuple, which is also its value."""
    return Items(function)


def answer(function: Callable[[S], R], /) -> Answer[S, R]:
    """Make a method the answer of the saga, when it is reached. Of several, the last one reached counts."""
    return Answer(function)


@overload
def condition(function: Callable[[S], bool], /) -> Condition[S]: ...
@overload
def condition(function: Callable[[S, T], bool], /) -> ConditionForItem[S, T]: ...
def condition(function: Any, /) -> Condition[Any]:
    """Make a method a condition for `choice` and `repeat`: it returns whether it holds.

    Other methods may ask it: `if self.is_large`; one that takes an item is asked with it: `self.is_large(item)`.
    """
    return Condition(function)
