"""What one commit of a context writes, and the rows it reads back. Rows to be written are plain tuples."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = [
    "FILE_COLUMNS",
    "OUTBOX_COLUMNS",
    "RETRY_COLUMNS",
    "RETRY_READ",
    "ContextChanges",
    "InboxRow",
    "InboxTuple",
    "OutboxRow",
    "OutboxTuple",
    "RetryRow",
    "RetryTuple",
    "StoreState",
]

FILE_COLUMNS = "store_id, name, epoch, commit_no, coordinator_commit_no, floor, outbox_no"
OUTBOX_COLUMNS = "no, event_id, type, key, payload, at_ms, correlation, causation"
RETRY_COLUMNS = "event_no, event_type, attempt, due_ms, reason, failed_ms, event_id, correlation, payload"
RETRY_READ = RETRY_COLUMNS.replace("payload", "CAST(payload AS BLOB)")

InboxTuple: TypeAlias = tuple[str, "int | None", str, "bytes | None", "str | None", "str | None", int]
"""command_id, number (None: sent by the application), outcome ('done', 'refused' or 'tombstone'), answer
(JSON), code, reason, at_ms. A refusal has a code, nothing else has; only what is done has an answer.
"""

OutboxTuple: TypeAlias = tuple[str, str, "str | None", bytes, int, str, "str | None"]
"""event_id, type, key, payload (JSON), at_ms, correlation, causation. The store gives them their numbers."""

RetryTuple: TypeAlias = tuple[int, "int | None", str, int, str, str, bytes]
"""attempt (how many have failed), due_ms (None: set aside), reason, failed_ms, event_id, correlation, payload
(JSON).
"""


class StoreState(NamedTuple):
    """What saga.db says to a context at its opening; see `SagaStore`."""

    store_id: str
    epoch: int
    commit_no: int
    """Of saga.db, now."""
    acknowledged: int
    """The commit number of this context that saga.db has heard of, 0: none."""
    outbox_no: int
    """The number in this context's outbox up to which events are in the event log."""


class InboxRow(NamedTuple):
    """How a command ended; `answer` is JSON."""

    command_id: str
    number: int | None
    outcome: str
    answer: bytes | None
    code: str | None
    reason: str | None
    at_ms: int


class OutboxRow(NamedTuple):
    """An event that was published here; `payload` is JSON."""

    no: int
    event_id: str
    type: str
    key: str | None
    payload: bytes
    at_ms: int
    correlation: str
    causation: str | None


class RetryRow(NamedTuple):
    """An event that a listener of this context has failed on `attempt` times; due_ms is None when it is set
    aside.
    """

    event_no: int
    event_type: str
    attempt: int
    due_ms: int | None
    reason: str
    failed_ms: int
    event_id: str
    correlation: str
    payload: bytes
    """JSON."""


class ContextChanges:
    """What one commit of a context writes, beside what user code wrote."""

    __slots__ = (
        "coordinator_commit_no",
        "floor",
        "forgot",
        "inbox",
        "outbox",
        "positions",
        "relayed_no",
        "retries",
        "retries_due",
        "sent",
    )

    def __init__(self) -> None:
        self.inbox: list[InboxTuple] = []
        self.sent: list[tuple[str, str]] = []
        """command_id, type of those in `inbox` that the application has sent."""
        self.outbox: list[OutboxTuple] = []
        self.positions: dict[str, int] = {}
        """event type → number of the last event in the log that was taken."""
        self.retries: dict[tuple[int, str], RetryTuple | None] = {}
        """(event_no, event_type) → the retry, or None when it is settled."""
        self.retries_due = False
        """Whether `ContextStore.retry_now` was called."""
        self.forgot = False
        """Whether `ContextStore.forget_sagas` or `forget_sent` has forgotten anything."""
        self.floor = 0
        """No command with a lower number is open; 0: as before."""
        self.coordinator_commit_no = 0
        """The highest commit number of saga.db that was heard of; 0: as before."""
        self.relayed_no = 0
        """Outbox rows up to this number are in the event log and can be forgotten; 0: none."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that needs a commit. `floor` and `coordinator_commit_no` alone do not."""
        return not (
            self.inbox
            or self.outbox
            or self.positions
            or self.retries
            or self.relayed_no
            or self.retries_due
            or self.forgot
        )
