"""One turn of the machine: what `decide` works with while it answers one stimulus.

A turn records facts, evolving the state as it goes, and keeps two lists of work: tokens that are on their way
to a node, and scope instances in which something came to an end. The rules that use it are in `advancing`
(forward), `failing` (turning back), `undoing` (backward) and `acting` (operators); they never call each other
in circles, but put work on these lists.
"""

from __future__ import annotations

from typing import Protocol

import msgspec
from msgspec import Raw

from saga.flow.graph import Graph
from saga.machine.evolve import apply, evolve
from saga.machine.records import Ignored, Parked, Record, Started
from saga.machine.state import Done, Item, Sent, State, Visit
from saga.machine.visiting import item_around

__all__ = ["Evaluate", "NotPossible", "Stuck", "Turn"]


class Stuck(Exception):
    """Raised by `Evaluate`: the author's function cannot be used; `kind`: see `records.Parked`."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


class NotPossible(Exception):
    """An operator's action does not fit the state; nothing was recorded. The text says why and what to do."""


class Evaluate(Protocol):
    """The shell's guarded calls of the author's functions, in the state as it is. Each may raise Stuck.

    `item` is that of the innermost `each` that the element is reached in, with what is known in there; else None.
    """

    def command(self, element: str, item: Item | None) -> Sent:
        """Call the function of a step or call; return its command, encoded, with its destination and number."""

    def undo(self, function: str, done: Done) -> Sent:
        """Call a compensation, with the values as they were when `done` was completed."""

    def key(self, element: str, item: Item | None) -> str:
        """Call the function of a wait; return the key."""

    def wake_at(self, element: str, item: Item | None, now_ms: int) -> int:
        """Call the function of a sleep; return the time to wake, in UTC ms."""

    def subject(self, element: str, item: Item | None) -> Raw:
        """Call the function of a task; return what the person is shown, encoded."""

    def event(self, element: str, item: Item | None) -> tuple[str, str | None, Raw]:
        """Call the function of a publish; return the event's type, its key if it has one, and the event, encoded."""

    def items(self, element: str, item: Item | None) -> list[Raw]:
        """Call the function that lists the items of an `each`; return each of them, encoded."""

    def condition(self, name: str, item: Item | None) -> bool:
        """Call a condition."""

    def answer(self, element: str, item: Item | None) -> Raw:
        """Call the function of an answer; return it encoded."""


MOST_MOVES = 10_000
"""How often tokens may move in one turn. A flow that never waits would hold up all sagas, and fill the memory."""


class Turn(msgspec.Struct, gc=False):
    """The state, the time in UTC ms, the facts recorded so far, and the work left."""

    graph: Graph
    state: State
    """None only until `Started` is recorded."""
    now: int
    evaluate: Evaluate
    records: list[Record] = []
    tokens: list[tuple[str, str]] = []
    dirty: dict[str, None] = {}
    left: int = MOST_MOVES
    """How often tokens may still move."""
    items: int = 0
    """How many items were begun in this turn."""

    def record(self, record: Record) -> None:
        """Record a fact: it is applied to the state at once."""
        self.records.append(record)
        apply(self.state, record)

    def begin(self, record: Started) -> None:
        """Record the first fact: now there is a state."""
        self.records.append(record)
        self.state = evolve(None, record)

    def arrive(self, scope: str, node: str) -> None:
        """A token is on its way to `node` in the scope instance `scope`."""
        self.tokens.append((scope, node))

    def touch(self, scope: str) -> None:
        """Something in the scope instance came to an end: see if it is complete, or what is undone next."""
        self.dirty[scope] = None

    def item(self, scope: str) -> Item | None:
        """Return the item that this scope instance is about."""
        return item_around(self.state, scope)

    def path(self, scope: str, element: str) -> str:
        """Return the path of the next visit of `element` in this scope instance."""
        ordinal = self.state.scopes[scope].ordinals.get(element, 0) + 1
        return f"{scope}/{element}.{ordinal}" if scope else f"{element}.{ordinal}"

    def ignore(self, what: str, path: str, why: str) -> None:
        """Record that something changes nothing."""
        self.record(Ignored(what, path, why))

    def park(self, visit: Visit, kind: str, reason: str) -> None:
        """An open visit cannot go on without a person."""
        if visit.incident is not None and visit.incident.kind == kind:
            self.ignore(kind, visit.path, "it is parked for that already")
            return
        self.record(Parked(visit.path, visit.element, visit.scope, kind, reason, self.now))

    def park_token(self, scope: str, element: str, kind: str, reason: str) -> None:
        """A token cannot go on from `element` without a person."""
        self.record(Parked(self.path(scope, element), element, scope, kind, reason, self.now))
