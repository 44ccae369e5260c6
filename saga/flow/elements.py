"""The leaves of a flow: methods of a saga that say what is sent, and whose value is what came back.

Rules
1. A leaf is a method with a decorator. It returns what is sent (a command, a key, a time, the answer);
   `self.<leaf>` is what came back, and raises `NotReached` before it is there.
2. Decorators only remember what they were given. Whether it makes sense is checked when the class is made
   (`checks`), so that all problems are reported at once.
3. A leaf belongs to one class, `owner`, and has one name, that of the attribute it was first bound to.
4. A condition is a question, not a leaf: it stands in a `choice`, and `self.<condition>` asks it.
   A compensation is not a leaf either: it hangs on its step and runs by itself.

5. A leaf that stands in an `each` takes the item as an argument beside `self`; its value is a `PerItem`.

Leaves know nothing of graphs; `compile` turns them into nodes. The decorators are in `decorators`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, overload

from saga.errors import DefinitionError, NotReached, Problem
from saga.flow.per_item import PerItem
from saga.messages import Command, Event

if TYPE_CHECKING:
    from saga.flow.saga import Saga

__all__ = [
    "Answer",
    "Block",
    "Blocks",
    "Call",
    "CallForItem",
    "Compensation",
    "Condition",
    "ConditionForItem",
    "Element",
    "Items",
    "Method",
    "Publish",
    "Reminder",
    "Retry",
    "Sleep",
    "Step",
    "StepForItem",
    "Task",
    "Wait",
    "arguments_of",
    "takes_item",
]

S = TypeVar("S", bound="Saga[Any]")
R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Block:
    """Anything that may stand in a flow: a leaf, or a block that arranges others."""


Blocks: TypeAlias = "Block | tuple[Blocks, ...]"
"""What a flow is written with: a leaf, a block, or a tuple of them, which is a sequence."""


Reminder: TypeAlias = "tuple[timedelta, Blocks] | tuple[timedelta, Blocks, int]"
"""What `every=` takes: an interval, what happens after each, and at most how often (left out: as long as it lasts)."""


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
                value = load(self.name)
            except KeyError:
                pass
            else:
                if type(value) is not PerItem:  # its items come one by one
                    saga.__dict__[self.name] = value
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
        made.of = self
        if self.owner is not None:
            problem = Problem(
                made.name,
                f"is declared as the compensation of {self.owner.__name__}.{self.name} outside of that class",
                f"write @{self.name}.compensation in the body of {self.owner.__name__}",
            )
            raise DefinitionError(self.owner.__name__, [problem])
        self.compensations.append(made)
        return made


class StepForItem(Step[S, PerItem[R]], Generic[S, T, R]):
    """A step in an `each`. See `step`."""

    def compensation(  # type: ignore[override]  # it takes the item, too
        self,
        function: Callable[[S, T], Command[Any]] | Callable[[S, T, R | None], Command[Any]],
        /,
    ) -> Compensation[S]:
        """Make `function` what undoes this step for an item; see `Step.compensation`."""
        return super().compensation(function)  # type: ignore[arg-type]


class Call(Step[S, R_co]):
    """Runs another saga; its value is the answer of that one. See `call`.

    Without a compensation of its own it is undone by undoing the saga that was called."""

    def __init__(
        self,
        function: Callable[..., object],
        *,
        saga: type[Saga[Any]],
        answer: Any = None,
        timeout: timedelta | None = None,
    ) -> None:
        super().__init__(function, timeout=timeout)  # type: ignore[arg-type]
        self.saga, self.answer = saga, answer


class CallForItem(Call[S, PerItem[R]], Generic[S, T, R]):
    """A call in an `each`. See `call`."""

    def compensation(  # type: ignore[override]  # it takes the item, too
        self,
        function: Callable[[S, T], Command[Any]] | Callable[[S, T, R | None], Command[Any]],
        /,
    ) -> Compensation[S]:
        """Make `function` what undoes this call for an item; see `Step.compensation`."""
        return super().compensation(function)  # type: ignore[arg-type]


class Wait(Element[S, R_co]):
    """Waits for an event with the key its method returns. Its value is the event. See `wait`."""

    def __init__(
        self,
        function: Callable[[S], object],
        *,
        event: type[Event],
        within: timedelta | None = None,
        otherwise: Blocks | None = None,
        every: Reminder | None = None,
    ) -> None:
        super().__init__(function)
        self.event, self.within, self.otherwise, self.every = event, within, otherwise, every


class Task(Element[S, R_co]):
    """Waits for a person's decision, which is its value. See `task`."""

    def __init__(
        self,
        function: Callable[[S], object],
        *,
        answer: Any = None,
        within: timedelta | None = None,
        otherwise: Blocks | None = None,
        every: Reminder | None = None,
    ) -> None:
        super().__init__(function)
        self.answer, self.within, self.otherwise, self.every = answer, within, otherwise, every


class Publish(Element[S, None]):
    """Publishes an event; there is nothing to read from it. See `publish`."""


class Items(Element[S, R_co]):
    """Lists the items of an `each`, which are its value. See `items`."""


class Sleep(Element[S, None]):
    """Waits for a point in time; there is nothing to read from it. See `sleep`."""


class Answer(Element[S, R_co]):
    """Makes the answer of the saga, which is also its value. See `answer`."""


# --- what is no leaf ------------------------------------------------------------------------------


class Compensation(Method, Generic[S]):
    """What undoes a step. Made by `@that_step.compensation`; it runs by itself, when its turn comes."""

    of: Method | None = None
    """The step it undoes."""


class Condition(Method, Generic[S]):
    """A question that a `choice` or `repeat` asks. On an instance it is whether it holds, for other methods to ask; in
    an `each`, where it takes the item, it is a method that is asked with an item."""

    @overload
    def __get__(self, saga: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, saga: S, owner: type, /) -> bool: ...
    def __get__(self, saga: Any, owner: type, /) -> Any:
        """Return the condition (on the class) or whether it holds now (on an instance)."""
        if saga is None:
            return self
        return MethodType(self.function, saga) if takes_item(self) else self.function(saga)


class ConditionForItem(Condition[S], Generic[S, T]):
    """A condition in an `each`. See `condition`; at run time it is a `Condition` like any other."""

    if TYPE_CHECKING:

        @overload  # type: ignore[override]  # it takes the item, too
        def __get__(self, saga: None, owner: type, /) -> Self: ...
        @overload
        def __get__(self, saga: S, owner: type, /) -> Callable[[T], bool]: ...
        def __get__(self, saga: Any, owner: type, /) -> Any: ...


def takes_item(method: Method) -> bool:
    """Return whether a leaf or condition takes the item of an `each` beside `self`."""
    return arguments_of(method) == 2


def arguments_of(method: Method) -> int:
    """Return how many arguments a method takes, `self` included; 0 when it is no function."""
    try:
        return len(inspect.signature(method.function).parameters)
    except (TypeError, ValueError):
        return 0
