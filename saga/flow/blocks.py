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
from typing import Any

from saga.flow.elements import Block, Blocks, Condition, Step

__all__ = [
    "Again",
    "Choice",
    "End",
    "Parallel",
    "Refuse",
    "Scope",
    "again",
    "choice",
    "end",
    "parallel",
    "refuse",
    "scope",
]


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
class Scope(Block):
    """A part that fails, times out and is undone as one. See `scope`."""

    body: tuple[Blocks, ...]
    timeout: timedelta | None
    catch: Mapping[str, Blocks]
    compensation: Step[Any, Any] | None


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


def scope(
    *body: Blocks,
    timeout: timedelta | None = None,
    catch: Mapping[str, Blocks] = {},
    compensation: Step[Any, Any] | None = None,
) -> Scope:
    """Make `body`, a sequence, one part: it fails, times out and is undone as a whole.

    - `timeout`: for one visit of the scope; then it is undone and refused with code `timeout`. Positive.
    - `catch`: by code of a refusal, what happens once what was done in the scope is undone; then the flow
      goes on behind the scope. `timeout` and `failed` (a step ran out of attempts) are codes too.
    - `compensation`: a step of the saga, standing here instead of in the flow, whose command undoes the
      completed scope; without it, what was done in it is undone one by one.
    """
    return Scope(body, timeout, catch, compensation)


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
