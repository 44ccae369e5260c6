"""What the application, the clock and the supervisor ask of the coordinator.

A `Reply` is called once, from the coordinator's thread, when what was asked is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Raw

from saga.coordination.cron import Recurrence
from saga.coordination.outcome import Completion
from saga.flow.definition import Definition
from saga.machine import Stimulus
from saga.store import ScheduleRow

if TYPE_CHECKING:
    from saga.coordination.instances import Instance

__all__ = [
    "Act",
    "Blocked",
    "Cut",
    "DropSchedule",
    "ForgetListener",
    "GivenUp",
    "Heard",
    "LetGo",
    "Look",
    "Lost",
    "Lowered",
    "Publish",
    "Query",
    "Raised",
    "Recover",
    "SetSchedule",
    "Start",
    "StartSagas",
    "Tick",
]


class Start(NamedTuple):
    """One saga to be started."""

    definition: Definition
    id: str
    input: Raw
    value: object
    """The decoded input."""
    tags: Mapping[str, str]
    at: int
    """UTC ms, 0: now."""
    correlation: str = ""
    """The id of the root saga; empty: it is the root itself."""
    causation: str = ""
    event_id: str = ""
    parent: str = ""
    """The id of the saga that calls it."""
    reply_to: str = ""
    """Path of the visit there that waits for it."""


@dataclass(slots=True)
class StartSagas:
    """Start sagas in one commit. The reply's result is the completions, in the same order."""

    starts: list[Start]
    reply: Future[list[Completion]]
    _open: list[None] = field(default_factory=lambda: [None])

    @property
    def is_open(self) -> bool:
        """Whether nobody has claimed it yet."""
        return bool(self._open)

    def claim(self) -> bool:
        """Return True to the first who asks: the coordinator, which then begins, or the caller, who has waited
        long enough and withdraws it."""
        try:
            self._open.pop()
        except IndexError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Act:
    """An operator's action. The reply's result is None; NotAllowed and UnknownSaga are set as exceptions."""

    saga_id: str
    name: str
    stimulus: Stimulus | Callable[[Instance], Stimulus]
    """The stimulus, or what makes it when the saga is at hand (mark_done encodes the answer of its element)."""
    reply: Future[None]


@dataclass(frozen=True, slots=True)
class Publish:
    """An event from outside. The reply's result is whether it is new."""

    event_id: str
    type: str
    key: str | None
    event: Raw
    correlation: str
    reply: Future[bool]
    fresh: bool = False
    """Its id was made for it, so that it cannot be there already."""


@dataclass(frozen=True, slots=True)
class ForgetListener:
    """A context that is not here will not listen any more (to this type of event). The reply's result is to how many
    types it did; UsageError is set as exception when it is here."""

    context: str
    event_type: str | None
    reply: Future[int]


@dataclass(frozen=True, slots=True)
class Cut:
    """Take a snapshot of all files that are written to here, of one moment in the order of messages (ADR 16).

    `take(name)` is called for `saga` at once, and by each context when it has handled what it was sent before; it never
    raises. The reply's result are the contexts that will call it.
    """

    take: Callable[[str], None]
    reply: Future[list[str]]


@dataclass(frozen=True, slots=True)
class LetGo:
    """Let go of sagas (number and id) that ended before a time, and whose commands no context remembers; or, for None,
    of some events that nobody needs and that are as old. The reply's result is how many these were."""

    sagas: list[tuple[int, str]] | None
    before_ms: int
    reply: Future[int]


@dataclass(frozen=True, slots=True)
class SetSchedule:
    """Start a saga again and again. The reply's result is the schedule as it is stored; ScheduleConflict and
    BadSchedule are set as exceptions."""

    row: ScheduleRow
    recurrence: Recurrence
    replace: bool
    reply: Future[ScheduleRow]


@dataclass(frozen=True, slots=True)
class DropSchedule:
    """Start no more runs of a schedule. The reply's result is whether there was one of this name."""

    name: str
    reply: Future[bool]


@dataclass(frozen=True, slots=True)
class Look:
    """Announce how this saga ended, once it has; UnknownSaga when there is none."""

    completion: Completion


@dataclass(frozen=True, slots=True)
class Query:
    """Read something from the coordinator's own connection (a store in memory has no other)."""

    read: Callable[[Any], object]
    reply: Future[Any]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: see which timers are due."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A command could not be delivered: the coordinator's note to itself for its next batch."""

    saga_no: int
    path: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What happened to a saga could not be taken: the coordinator's note to itself to park what is open in it."""

    saga_no: int
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A participant has lost its mailbox and starts anew: what was with it is sent again."""

    participant: str


@dataclass(frozen=True, slots=True)
class Lowered:
    """A participant does not work any more: sagas that need it are parked."""

    participant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Raised:
    """A participant works (again): sagas parked for want of it go on. It listens from these positions on."""

    participant: str
    positions: Mapping[str, int]
    commit_no: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A context's listener is done with these events, which it was busy with when the process ended."""

    context: str
    nos: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recover:
    """Bring everything back to where it was. The reply comes when stored answers, events and due timers were taken
    and every open command is on its way again."""

    reply: Future[None]
