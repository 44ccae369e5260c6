"""The leaves of a flow: methods of a saga that say what is sent, and whose value is what came back.

Rules
1. A leaf is a method with a decorator. It returns what is sent (a command, a key, a time, the answer);
   `self.<leaf>` is what came back, and raises `NotReached` before it is there.
2. Decorators only remember what they were given. Whether it makes sense is checked when the class is made
   (`checks`), so that all problems are reported at once.
3. A leaf belongs to one class, `owner`, and has one name, that of the attribute it was first bound to.
4. A condition is a question, not a leaf: it stands in a `choice`, and `self.<condition>` asks it.
   A compensation is not a leaf either: it hangs on its step and runs by itself.

Leaves know nothing of graphs; `compile` turns them into nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, overload

from saga.errors import DefinitionError, NotReached, Problem
from saga.messages import Command, Event

if TYPE_CHECKING:
    from saga.flow.saga import Saga

__all__ = [
    "Answer",
    "Block",
    "Blocks",
    "Compensation",
    "Condition",
    "Element",
    "Method",
    "Retry",
    "Sleep",
    "Step",
    "Wait",
    "answer",
    "condition",
    "sleep",
    "step",
    "wait",
]

S = TypeVar("S", bound="Saga[Any]")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
E = TypeVar("E", bound=Event)


class Block:
    """Anything that may stand in a flow: a leaf, or a block that arranges others."""


Blocks: TypeAlias = "Block | tuple[Blocks, ...]"
"""What a flow is written with: a leaf, a block, or a tuple of them, which is a sequence."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How technical failures of a step are retried; a refusal never is.

    - `attempts`: how often the command is tried in all, from 1;
    - `first`: the pause before the second attempt, positive;
    - `factor`: each next pause is so many times as long, from 1;
    - `max`: the longest pause, at least `first`;
    - `jitter`: the share of a pause, 0 to 1, by which it is varied at random, up or down.

    Values out of range are reported when the saga is defined.
    """

    attempts: int = 5
    first: timedelta = timedelta(milliseconds=100)
    factor: float = 2
    max: timedelta = timedelta(seconds=60)
    jitter: float = 0.1


class Method:
    """A method of a saga with a decorator: a leaf, a compensation or a condition.

    Attributes: `function` (what the author wrote), `name`, `doc`, and `owner` (None until a class holds it).
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.name: str = getattr(function, "__name__", repr(function))
        self.doc: str | None = getattr(function, "__doc__", None)
        self.owner: type[Saga[Any]] | None = None

    def __set_name__(self, owner: type[Saga[Any]], name: str) -> None:
        if self.owner is None:  # `flow = one_leaf` names the leaf a second time
            self.owner, self.name = owner, name

    def __repr__(self) -> str:
        owner = f"{self.owner.__name__}." if self.owner is not None else ""
        return f"<{type(self).__name__.lower()} {owner}{self.name}>"


# --- leaves ---------------------------------------------------------------------------------------


class Element(Method, Block, Generic[S, R_co]):
    """A leaf. On the class it is itself; on an instance it is the value that came back.

    A non-data descriptor: a value that is known lies in the instance's `__dict__` and is found there first.
    """

    def __init__(self, function: Callable[[S], object]) -> None:
        super().__init__(function)

    @overload
    def __get__(self, saga: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, saga: S, owner: type, /) -> R_co: ...
    def __get__(self, saga: Any, owner: type, /) -> Any:
        """Return the leaf (on the class) or its value, loaded when first read. Raises NotReached."""
        if saga is None:
            return self
        load = saga._saga_load
        if load is not None:
            try:
                value = saga.__dict__[self.name] = load(self.name)
            except KeyError:
                pass
            else:
                return value
        raise NotReached(type(saga).__name__, self.name)


class Step(Element[S, R_co]):
    """Sends a command to whoever handles it; its value is the answer. See `step`."""

    def __init__(
        self,
        function: Callable[[S], Command[R_co]],
        *,
        timeout: timedelta | None = None,
        retry: Retry | None = None,
        pivot: bool = False,
    ) -> None:
        super().__init__(function)
        self.timeout, self.retry, self.pivot = timeout, retry, pivot
        self.compensations: list[Compensation[S]] = []
        """What was declared to undo it; more than one is a definition error."""

    def compensation(
        self, function: Callable[[S], Command[Any]] | Callable[[S, R_co | None], Command[Any]], /
    ) -> Compensation[S]:
        """Make `function` what undoes this step: it returns the command that does so.

        It may take the step's answer as an argument, which is None when the outcome of the step is unknown.
        In it, `self.<leaf>` are the values known when the step was completed.
        Raises DefinitionError when the saga was made already: a definition does not change.
        """
        made = Compensation[S](function)
        if self.owner is not None:
            problem = Problem(
                made.name,
                f"is declared as the compensation of {self.owner.__name__}.{self.name} outside of that class",
                f"write @{self.name}.compensation in the body of {self.owner.__name__}",
            )
            raise DefinitionError(self.owner.__name__, [problem])
        self.compensations.append(made)
        return made


class Wait(Element[S, R_co]):
    """Waits for an event with the key its method returns. Its value is the event. See `wait`."""

    def __init__(
        self,
        function: Callable[[S], object],
        *,
        event: type[Event],
        within: timedelta | None = None,
        otherwise: Blocks | None = None,
    ) -> None:
        super().__init__(function)
        self.event, self.within, self.otherwise = event, within, otherwise


class Sleep(Element[S, None]):
    """Waits for a point in time; there is nothing to read from it. See `sleep`."""


class Answer(Element[S, R_co]):
    """Makes the answer of the saga, which is also its value. See `answer`."""


# --- what is no leaf ------------------------------------------------------------------------------


class Compensation(Method, Generic[S]):
    """What undoes a step. Made by `@that_step.compensation`; it runs by itself, when its turn comes."""


class Condition(Method, Generic[S]):
    """A question that a `choice` asks. On an instance it is whether it holds, for other methods to ask."""

    @overload
    def __get__(self, saga: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, saga: S, owner: type, /) -> bool: ...
    def __get__(self, saga: Any, owner: type, /) -> Any:
        """Return the condition (on the class) or whether it holds now (on an instance)."""
        return self if saga is None else self.function(saga)


# --- decorators -----------------------------------------------------------------------------------


def step(
    *, timeout: timedelta | None = None, retry: Retry | None = None, pivot: bool = False
) -> Callable[[Callable[[S], Command[R]]], Step[S, R]]:
    """Make a method a step: it returns a command, `self.<step>` is the answer.

    - `timeout`: from the arrival at the step, across attempts, queueing and downtime; then it has failed with
      code `timeout`. Positive; None: as long as it takes.
    - `retry`: how technical failures are retried; None: as `Retry()` says.
    - `pivot`: once this step is done there is no way back: the saga is only carried forward.
    """
    return lambda function: Step(function, timeout=timeout, retry=retry, pivot=pivot)


def wait(
    event: type[E], *, within: timedelta | None = None, otherwise: Blocks | None = None
) -> Callable[[Callable[[S], object]], Wait[S, E]]:
    """Make a method a wait for an event of this type: it returns the key, `self.<wait>` is the event.

    - `event`: its field marked `Key[...]` is compared with the key.
    - `within`: how long at most, from the arrival at the wait. Positive; None: for ever.
    - `otherwise`: what happens when the time is up; then the flow goes on behind the wait. Without it
      the wait is refused with code `timeout`.
    """
    return lambda function: Wait(function, event=event, within=within, otherwise=otherwise)


def sleep(function: Callable[[S], timedelta | datetime], /) -> Sleep[S]:
    """Make a method a sleep: it returns how long (a timedelta) or until when (an aware datetime)."""
    return Sleep(function)


def answer(function: Callable[[S], R], /) -> Answer[S, R]:
    """Make a method the answer of the saga, when it is reached. Of several, the last one reached counts."""
    return Answer(function)


def condition(function: Callable[[S], bool], /) -> Condition[S]:
    """Make a method a condition for `choice`: it returns whether it holds."""
    return Condition(function)
