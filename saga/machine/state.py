"""Where one saga is: its scope instances, the visits that are open in them, what was done, what is known.

Rules
1. `State` is built by `evolve` alone, record by record; nobody else writes to it. Live and replayed it is
   the same.
2. A token is an open `Visit`. Its `phase` says what it waits for, and so what must be outside: see `pending`.
3. Every scope instance has its own direction and its own list of what to undo. The top one turns back once,
   never again.
4. A finished visit leaves only its result, and an entry in `done` if it can be undone.
5. These are `msgspec.Struct`s, which are made in a third of the time of dataclasses (their defaults are
   copied). They are left out of garbage collection (`gc=False`), since thousands of sagas may be in memory:
   they form a tree, and no value in them leads back up.
"""

from __future__ import annotations

from enum import Enum, StrEnum

import msgspec
from msgspec import Raw

__all__ = [
    "REVERSAL",
    "Direction",
    "Done",
    "Failure",
    "Incident",
    "Item",
    "Items",
    "Phase",
    "ScopeInstance",
    "Sent",
    "State",
    "Status",
    "Visit",
    "call_to",
    "called",
    "is_call",
]

TOP = ""
"""Path of the top scope instance."""

CALLED = "saga "
"""What a destination begins with that is a saga, no participant: their names have no blanks."""


REVERSAL = "(reversal)"
"""The type of what is sent to undo a saga that was called; no type of an author is called so."""


def call_to(name: str, version: int) -> str:
    """Return the destination of commands that a saga carries out."""
    return f"{CALLED}{name}/{version}"


def is_call(to: str) -> bool:
    """Return whether a destination is a saga."""
    return to.startswith(CALLED)


def called(to: str) -> tuple[str, int]:
    """Return name and version of the saga that a destination is."""
    name, _, version = to.removeprefix(CALLED).rpartition("/")
    return name, int(version)


class Status(StrEnum):
    """What a person sees of a saga; exactly one at a time."""

    RUNNING = "RUNNING"
    COMPENSATING = "COMPENSATING"
    COMPLETED = "COMPLETED"
    COMPENSATED = "COMPENSATED"
    PARKED = "PARKED"
    SUSPENDED = "SUSPENDED"

    @property
    def ended(self) -> bool:
        """Whether a saga of this status is over for ever."""
        return self in _ENDED


_RUNNING, _ENDED = Status.RUNNING, (Status.COMPLETED, Status.COMPENSATED)
"""Looked up once: see `pending`."""


class Direction(Enum):
    """Where a scope instance goes."""

    FORWARD = "forward"
    BACKWARD = "backward"
    """It failed: everything done in it is undone."""
    ENDING = "ending"
    """A terminate end was reached: what is found done from now on is undone, what was done before stays."""


class Phase(Enum):
    """What an open visit waits for."""

    OPEN = "open"
    """The answer to its command."""
    BACKOFF = "backoff"
    """The time of the next attempt."""
    RESOLVING = "resolving"
    """What the participant says about the outcome of its command."""
    WAITING = "waiting"
    """An event."""
    SLEEPING = "sleeping"
    """A point in time."""
    TASK = "task"
    """A person's decision."""
    RACING = "racing"
    """The first of the waits, tasks and sleeps of a race."""
    UNDOING = "undoing"
    """That what was done so far is undone: a compensation in the middle of the flow."""
    PARKED = "parked"
    """A person."""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A command as it was journaled: all that is needed to send it (again)."""

    type: str
    command: Raw
    to: str
    """Name of the participant, or `saga NAME/VERSION` for a saga that carries it out."""
    number: int
    """Number of the command among those to this participant, from 1; 0 for a saga."""

    @property
    def is_call(self) -> bool:
        """Whether another saga carries it out."""
        return self.number == 0

    @property
    def is_reversal(self) -> bool:
        """Whether it is no command of the author, but undoes the saga that was called."""
        return self.number == 0 and self.type == REVERSAL


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a scope turned back: `code` and `reason` of the refusal, and the element it came from."""

    code: str
    reason: str
    element: str


class Incident(msgspec.Struct, frozen=True, gc=False):
    """Why a visit is parked (see `records.Parked`), and since when."""

    kind: str
    reason: str
    at: int


class Done(msgspec.Struct, gc=False):
    """Something that was done and can be undone once."""

    path: str
    element: str
    undo: str
    order: int
    """Position in the order of completion, over the whole saga."""
    answer: Raw | None
    """None: the outcome is unknown, it may not have been done at all."""
    values: dict[str, Raw]
    """The results by element, as they were when it was completed."""
    tries: int = 0
    """How many compensations were sent for it (the operator's retries make new ones)."""
    item: Raw | None = None
    """The item of an `each` that it was done for."""


class Visit(msgspec.Struct, gc=False):
    """One arrival at one element that is not over yet: a token."""

    path: str
    element: str
    scope: str
    phase: Phase
    sent: Sent | None = None
    attempt: int = 1
    earlier: int = 0
    """How many of the attempts were made before a person began anew; they do not count."""
    unknown: bool = False
    """An attempt ended without telling whether it had an effect."""
    inquired: bool = False
    """Its outcome is inquired: the command must not be sent any more."""
    inquiries: int = 0
    """How often its outcome was inquired: so that another inquiry can be told from the one before."""
    lost: Failure | None = None
    """What is thrown when the inquiry finds that it was not done; None: it was out of time."""
    due: int | None = None
    """The deadline of the visit."""
    wake: int | None = None
    """When a sleep or a pause before the next attempt ends."""
    event: str = ""
    """For a wait the type of the event, for a task that of the decision."""
    key: str = ""
    """For a wait the key of the event, for a task who is to decide."""
    subject: Raw | None = None
    """For a task: what the person is shown."""
    since: int = 0
    """For a task: when it was opened."""
    race: str = ""
    """Path of the race that it takes part in."""
    host: str = ""
    """Path of the scope instance it belongs to as a boundary event: it goes when that goes."""
    remind: int | None = None
    """When the next reminder is due."""
    reminded: int = 0
    target: str = ""
    """For a compensation in the middle of the flow: the element that is undone; "" for everything."""
    until: int = 0
    """For the same: what was completed up to this order is undone."""
    undoes: Done | None = None
    """For a compensation: what it undoes."""
    incident: Incident | None = None
    item: Item | None = None
    """The item it is about, when it does not stand in the scope of the item any more."""


class Item(msgspec.Struct, gc=False):
    """One item of an `each`, and what is known in its scope."""

    path: str
    """Of its scope instance."""
    index: int
    """From 0."""
    value: Raw
    results: dict[str, Raw]
    """The results as they are seen from inside. Replaced, never written into, as in `State`."""
    own: dict[str, Raw] = {}
    """Those that came to be in here."""


class Items(msgspec.Struct, gc=False):
    """The items of an `each` that is under way."""

    values: list[Raw]
    begun: int = 0
    results: dict[str, dict[int, Raw]] = {}
    """Element → index of the item → its value, of the items that are completed."""


class ScopeInstance(msgspec.Struct, gc=False):
    """One visit of a scope; the top one has the path ""."""

    path: str
    element: str
    parent: str | None
    due: int | None = None
    direction: Direction = Direction.FORWARD
    failure: Failure | None = None
    open: int = 0
    """How many visits and inner scope instances are open in it."""
    done: list[Done] = []
    keep: int = 0
    """While ending: entries of `done` up to this order stay."""
    ordinals: dict[str, int] = {}
    """How often each element was visited in this instance."""
    joins: dict[str, int] = {}
    """How many tokens have reached each join."""
    caught: dict[str, Failure] = {}
    """What each inner scope failed with last."""
    remind: int | None = None
    """When the next reminder is due."""
    reminded: int = 0
    watches: dict[str, str] = {}
    """Waits beside it whose event is being dealt with, and their keys: they are waited for again after that."""
    hosts: bool = False
    """There are, or were, waits that are boundary events of it."""
    round: int = 0
    """Which round of a `repeat` it is, from 1."""
    items: Items | None = None
    """It is an `each` as a whole; its items are scope instances in it."""
    item: Item | None = None
    """It is one item of the `each` that is its parent."""
    undoing: int = 0
    """How many compensations in the middle of the flow are under way in it."""


class State(msgspec.Struct, gc=False):
    """One saga. Made by `evolve(None, Started(...))`."""

    id: str
    saga: str
    version: int
    graph: str
    input_type: str
    input: Raw
    started_ms: int
    correlation: str
    causation: str
    tags: dict[str, str]
    scopes: dict[str, ScopeInstance]
    visits: dict[str, Visit] = {}
    results: dict[str, Raw] = {}
    """Element → its latest value. Replaced, never written into: `Done.values` shares it."""
    collected: dict[str, list[str]] = {}
    """`each` → the elements it has collected values of. They are forgotten when it begins anew: it may not come to all
    of them again, nor have as many items."""
    used_events: set[str] = set()
    order: int = 0
    answer: Raw | None = None
    failure: Failure | None = None
    """Why the saga as a whole turned back."""
    pivoted: bool = False
    """A pivot was passed: there is no way back."""
    suspended: bool = False
    held: list[Raw] = []
    answered: set[str] = set()
    """Visits of which the participant was heard while the saga was suspended."""
    ended: Status | None = None
    ignored: int = 0
    parent: str = ""
    """Id of the saga that has called it."""
    reply_to: str = ""
    """Path of the visit there that waits for it."""

    @property
    def top(self) -> ScopeInstance:
        """The top scope instance."""
        return self.scopes[TOP]

    @property
    def status(self) -> Status:
        """The status of the saga."""
        return self.status_with(any(visit.phase is Phase.PARKED for visit in self.visits.values()))

    def status_with(self, parked: bool) -> Status:
        """The status of the saga, for one who knows whether any of its visits is parked."""
        if self.ended is not None:
            return self.ended
        if self.suspended:
            return Status.SUSPENDED
        if parked:
            return Status.PARKED
        return _RUNNING if self.failure is None else Status.COMPENSATING
