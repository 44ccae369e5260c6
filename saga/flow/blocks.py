"""The blocks of a flow: they arrange leaves, and nest freely. A tuple is a sequence.

Rules
1. A block is a frozen value and holds what it was given, unchecked; `checks` reports what is wrong with it.
2. Blocks have no names. In graphs, diagrams and messages they are called by kind and number in reading order,
   such as `choice-1`: see `parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from saga.flow.elements import Block, Blocks, Condition, Items, Reminder, Sleep, Step, Task, Wait

__all__ = [
    "Again",
    "Choice",
    "Compensate",
    "Each",
    "End",
    "Parallel",
    "Race",
    "Refuse",
    "Repeat",
    "Scope",
    "again",
    "choice",
    "compensate",
    "each",
    "end",
    "parallel",
    "race",
    "refuse",
    "repeat",
    "scope",
]


Runner: TypeAlias = "Wait[Any, Any] | Task[Any, Any] | Sleep[Any]"
"""What may take part in a race."""


@dataclass(frozen=True, slots=True)
class Choice(Block):
    """Takes the block of the first condition that holds. See `choice`."""

    cases: tuple[tuple[Condition[Any], Blocks], ...]
    otherwise: Blocks


@dataclass(frozen=True, slots=True)
class Parallel(Block):
    """Goes through all branches at once. See `parallel`."""

    branches: tuple[Blocks, ...]


@dataclass(frozen=True, slots=True)
class Race(Block):
    """Goes on with what comes first. See `race`."""

    ways: tuple[tuple[Runner, Blocks], ...]
    after: tuple[timedelta, Blocks] | None


@dataclass(frozen=True, slots=True)
class Repeat(Block):
    """Goes round until a condition holds. See `repeat`."""

    body: tuple[Blocks, ...]
    until: Condition[Any]
    at_most: int


@dataclass(frozen=True, slots=True)
class Each(Block):
    """Goes through its body once for each item. See `each`."""

    items: Items[Any, Any]
    body: tuple[Blocks, ...]
    concurrency: int


@dataclass(
    frozen=True, slots=True, eq=False
)  # two that look alike are two scopes: `compensate` names one of them
class Scope(Block):
    """A part that fails, times out and is undone as one. See `scope`."""

    body: tuple[Blocks, ...]
    timeout: timedelta | None
    catch: Mapping[str, Blocks]
    compensation: Step[Any, Any] | None
    every: Reminder | None = None
    whenever: tuple[tuple[Wait[Any, Any], Blocks], ...] = ()


@dataclass(frozen=True, slots=True)
class Compensate(Block):
    """Undoes what was done, and goes on. See `compensate`."""

    target: Block | None


@dataclass(frozen=True, slots=True)
class Again(Block):
    """Goes back to the scope. See `again`."""

    at_most: int


@dataclass(frozen=True, slots=True)
class Refuse(Block):
    """Refuses. See `refuse`."""

    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class End(Block):
    """Ends the scope. See `end`."""


def choice(*cases: tuple[Condition[Any], Blocks], otherwise: Blocks = ()) -> Choice:
    """Go through the block of the first condition that holds, tried in order; else through `otherwise`.

    Each case is a pair: `choice((is_large, (check, approve)), (is_gift, wrap), otherwise=pack)`.
    """
    return Choice(cases, otherwise)


def parallel(*branches: Blocks) -> Parallel:
    """Go through all branches (two or more) at once, and on when each of them is done."""
    return Parallel(branches)


def race(*ways: tuple[Runner, Blocks], after: tuple[timedelta, Blocks] | None = None) -> Race:
    """Wait for several things at once, and go on with the first that comes; the others are not waited for any more.

    - `ways`: pairs of a wait, task or sleep, and the block behind it: `race((paid, ship), (cancelled, stop))`. An event
      that was there before counts as it came: the earliest one wins.
    - `after`: `(duration, block)`: the way on when nothing has come by then.
    """
    return Race(ways, after)


def repeat(*body: Blocks, until: Condition[Any], at_most: int) -> Repeat:
    """Go through `body`, a sequence, again and again, until the condition holds, which is asked after each round.

    - `at_most`: how often at most, from 1; then the flow goes on as if the condition held (BPMN's loop maximum).

    Each round is a scope: an `end` in it ends the round. When the saga turns back, what all rounds did is undone.
    """
    return Repeat(body, until, at_most)


def each(items: Items[Any, Any], /, *body: Blocks, concurrency: int = 1) -> Each:
    """Go through `body`, a sequence, once for each item, and on when all are done.

    - `items`: a leaf made with `@items`, which lists them; leaves in `body` take the item as an argument;
    - `concurrency`: how many items at once, from 1; 1: one after the other, in their order.

    Each item is a scope: an `end` in it ends the item. A refusal that is not caught in it leaves the whole `each`.
    """
    return Each(items, body, concurrency)


def compensate(target: Block | None = None, /) -> Compensate:
    """Undo, here and now, what was done so far in the innermost scope (outside of scopes: in the saga), then go on.

    - `target`: a leaf or block of that scope: only what was done by it, or in it. None: everything.

    What is undone is the same as when the saga turns back: what was completed, in reverse, once each. It is not undone
    again later.
    """
    return Compensate(target)


def scope(
    *body: Blocks,
    timeout: timedelta | None = None,
    catch: Mapping[str, Blocks] = {},
    compensation: Step[Any, Any] | None = None,
    every: Reminder | None = None,
    whenever: tuple[Wait[Any, Any], Blocks] | tuple[tuple[Wait[Any, Any], Blocks], ...] = (),
) -> Scope:
    """Make `body`, a sequence, one part: it fails, times out and is undone as a whole.

    - `timeout`: for one visit of the scope; then it is undone and refused with code `timeout`. Positive.
    - `catch`: by code of a refusal, what happens once what was done in the scope is undone; then the flow
      goes on behind the scope. `timeout` and `failed` (a step ran out of attempts) are codes too.
    - `compensation`: a step of the saga, standing here instead of in the flow, whose command undoes the
      completed scope; without it, what was done in it is undone one by one.
    - `every`: `(interval, block)`: what happens beside it, each time the interval has passed; with a third value, at
      most so many times.
    - `whenever`: `(wait, block)`, or several of these pairs: what happens beside it, each time such an event comes;
      several events one after the other.

    What happens beside it belongs to what the scope stands in, and goes on when the scope is done.
    """
    given: Any = whenever
    if not isinstance(given, tuple) or (given and isinstance(given[0], Block)):
        given = (given,)
    return Scope(body, timeout, catch, compensation, every, given)


def again(*, at_most: int) -> Again:
    """Go back to the scope in whose `catch` this stands, at most so many times (from 1) in one visit of what
    the scope stands in. After that its refusal goes on as if it had not been caught."""
    return Again(at_most)


def refuse(reason: str, *, code: str) -> Refuse:
    """Refuse: an enclosing scope catches `code`, else all that was done is undone and the saga is refused."""
    return Refuse(reason, code)


def end() -> End:
    """End the innermost scope (outside of scopes, the saga) at once, as completed."""
    return End()
