"""What the coordinator and the participants send each other.

Rules
1. Envelopes are immutable, and carry what is needed to answer them: the saga's number and the path of the visit.
2. Every one may be sent twice, or be lost with its mailbox: what matters is in the journal and in the inboxes.
3. Each carries correlation (the id of the root saga), causation (the id of the message that led to it) and a trace id.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from saga.store import UNNUMBERED

__all__ = [
    "UNSET",
    "Answer",
    "Answers",
    "Consult",
    "Deliver",
    "Direct",
    "Forget",
    "Inquire",
    "Mark",
    "Notify",
    "OutboxTaken",
    "Port",
    "Published",
    "Recall",
    "Recalled",
    "Released",
    "RetryDeliveries",
    "RetryEvent",
]

UNSET: Any = object()
"""No decoded twin travels along; the receiver decodes."""


class Port(Protocol):
    """Where messages to somebody are put; never blocks."""

    def post(self, message: object) -> None:
        """Put one message into the mailbox."""

    def post_many(self, messages: list[Any]) -> None:
        """Put messages into the mailbox, in order."""


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """A command for a participant."""

    command_id: str
    saga_no: int
    path: str
    type: str
    command: Raw
    value: object
    """The decoded command, or UNSET."""
    number: int
    floor: int
    """All commands to this participant with a lower number are over: their inbox rows may go."""
    attempt: int
    correlation: str
    trace: str
    commit_no: int
    """Of saga.db, when the command was sent."""


class Inquire(msgspec.Struct, frozen=True, gc=False):
    """What became of a command? Whoever answers makes sure that the answer stays true."""

    command_id: str
    saga_no: int
    path: str
    number: int
    delivered: bool
    """False when it is certain that the command never left the coordinator."""
    repeated: bool
    """It may have run before the attempt that is open now: in an earlier attempt, or before a restart."""
    floor: int


class Direct(msgspec.Struct, frozen=True):
    """A command that the application sends itself. `reply(outcome, value, reason, code)` is called from the
    participant's thread: outcome `done` with the decoded answer, `refused` or `failed`."""

    command_id: str
    type: str
    command: Raw
    value: object
    reply: Callable[[str, object, str, str], None]
    number: int = UNNUMBERED
    """It has none, see `store.running`."""


class Notify(msgspec.Struct, frozen=True, gc=False):
    """An event of the log, for a context that listens to its type."""

    no: int
    event_id: str
    type: str
    event: Raw
    correlation: str
    attempt: int = 1
    """From 2: a listener has failed on it before, and finds it in its own file."""


class OutboxTaken(msgspec.Struct, frozen=True, gc=False):
    """Everything in the outbox up to this number is in the event log."""

    no: int


class Released(msgspec.Struct, frozen=True, gc=False):
    """The recovery is over: what listeners have failed on may be tried again from now on."""


class RetryEvent(msgspec.Struct, frozen=True, gc=False):
    """Try an event again now, that listeners of the context have failed on before; it is on trial."""

    no: int


class RetryDeliveries(msgspec.Struct, frozen=True):
    """Try the deliveries again that have failed (all of them, or those of one event type). The reply's result is how
    many these are."""

    type: str | None
    reply: Future[int]


class Consult(msgspec.Struct, frozen=True):
    """Read something over the context's own connection (a store in memory has no other)."""

    read: Callable[[Any], object]
    reply: Future[Any]


class Forget(msgspec.Struct, frozen=True):
    """Forget the commands of these sagas, which are over; and of what the application has sent itself some that was
    answered before a time, behind the id `after`. The reply's result is how many of the latter, and where to go on."""

    saga_ids: list[str]
    sent_before_ms: int
    after: str
    reply: Future[tuple[int, str | None]]


class Mark(msgspec.Struct, frozen=True):
    """Here a snapshot of the store cuts through the mailbox: what came before is in it, what comes behind is not.
    `take(name)` is called between two commits; it never raises."""

    take: Callable[[str], None]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came of one envelope. `outcome` is `done`, `refused`, `failed`, or, to an inquiry, `resolved-…`."""

    saga_no: int
    path: str
    outcome: str
    answer: Raw
    value: object
    """The decoded answer, or UNSET."""
    reason: str = ""
    code: str = ""
    unknown: bool = False


class Published(msgspec.Struct, frozen=True, gc=False):
    """An event from a context's outbox."""

    no: int
    """Number in the outbox."""
    event_id: str
    type: str
    key: str | None
    event: Raw
    at: int
    correlation: str
    causation: str


class Answers(msgspec.Struct, frozen=True):
    """What a participant has done in one go; everything in it is on disk there."""

    participant: str
    answers: list[Answer]
    events: list[Published]
    commit_no: int
    """Number of the participant's commit, 0 for a gateway."""
    read_to: int
    """The participant has taken the events of the log up to this number, 0 when it took none now."""


class Recall(msgspec.Struct, frozen=True):
    """After a restart: answer those of these commands (id, saga number, path) that have a stored answer, and tell
    what is in the outbox. Answered with `Answers`, and then `Recalled` with the same number."""

    no: int
    commands: list[tuple[str, int, str]]


class Recalled(msgspec.Struct, frozen=True, gc=False):
    """The `Recall` of this number was answered."""

    no: int
