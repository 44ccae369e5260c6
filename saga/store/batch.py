"""What one commit of the coordinator writes, and the rows it reads back.

Rows to be written are plain tuples in the order given here; this is the hot path. What can change several
times in one batch (a saga's status, a wait, a timer, an incident) is kept by its key, so that the last change
counts.

A batch can be divided by saga: `only` gives the part of some sagas. What belongs to no saga is the *shared*
part.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from saga.store.forms import FILLED, JSON, whole

__all__ = [
    "Batch",
    "Definition",
    "DefinitionRow",
    "EventRow",
    "IncidentRow",
    "JournalRow",
    "JournalTuple",
    "NewEvent",
    "NewSaga",
    "Participant",
    "SagaRow",
    "SagaUpdate",
    "ScheduleRow",
    "SuspectKey",
    "SuspectRow",
    "Tag",
    "TaskRow",
    "TimerRow",
    "WaitRow",
]

# --- rows to be written ---

NewSaga: TypeAlias = tuple[int, str, int, str, int, int, "int | None", str, bytes, str, "str | None", int]
"""no, id, definition_no, status, busy (0 or 1), started_ms, ended_ms, input_type, input_digest (16 bytes),
correlation, causation, first_event_no."""

SagaUpdate: TypeAlias = tuple[str, int, "int | None", "str | None", "str | None"]
"""status, busy, ended_ms, refusal_code, refusal_reason: all that changes in the row of a saga."""

Tag: TypeAlias = tuple[int, str, str]
"""saga_no, key, value."""

JournalTuple: TypeAlias = tuple[int, int, int, "str | None", int, bytes, bytes, bytes]
"""saga_no, seq (from 1), at_ms, cause, encoding, records, digest (`digest.chain`), form (b"": none; `forms`)."""

WaitTuple: TypeAlias = tuple[str, "str | None"]
"""type and key of the event."""

TaskTuple: TypeAlias = tuple[str, str, bytes, "str | None", int, "int | None"]
"""task (name of the element), answer_type, subject (JSON), assignee, since_ms, due_ms."""

IncidentTuple: TypeAlias = tuple[str, str, int]
"""kind, reason, since_ms."""

NewEvent: TypeAlias = tuple[int, str, str, "str | None", bytes, int, str, str, "str | None"]
"""no, id, type, key, payload (JSON), at_ms, source (name of the context, or 'runtime'), correlation,
causation.
"""

Definition: TypeAlias = tuple[int, str, int, str, bytes, int]
"""no, name, version, hash, graph (JSON), first_used_ms."""

Participant: TypeAlias = tuple[str, int, int, int]
"""kind ('context' or 'gateway'), next_number (of its next command), commit_no (highest known of its file),
outbox_no (highest of its events that is in the event log)."""

SuspectKey: TypeAlias = tuple[str, str, int]
"""participant, kind ('command', 'event' or 'saga'), no."""

SAGA_PARTS = ("new_sagas", "tags", "journal")
KEYED_PARTS = ("waits", "tasks", "timers", "incidents")


class Batch:
    """What one commit writes. Filled by the coordinator, written by `SagaStore.commit`, then thrown away."""

    __slots__ = (
        "definitions",
        "events",
        "high_ms",
        "incidents",
        "journal",
        "listeners",
        "new_sagas",
        "participants",
        "saga_updates",
        "schedules",
        "suspects",
        "tags",
        "tasks",
        "timers",
        "waits",
    )

    def __init__(self) -> None:
        self.definitions: list[Definition] = []
        self.new_sagas: list[NewSaga] = []
        self.saga_updates: dict[int, SagaUpdate] = {}
        """saga_no → its row. Also for a saga of `new_sagas`."""
        self.tags: list[Tag] = []
        self.journal: list[JournalTuple] = []
        self.waits: dict[tuple[int, str], WaitTuple | None] = {}
        """(saga_no, path) → the wait, or None when it is over."""
        self.tasks: dict[tuple[int, str], TaskTuple | None] = {}
        """(saga_no, path) → the task, or None when it is over."""
        self.timers: dict[tuple[int, str], int | None] = {}
        """(saga_no, name) → due_ms, or None when it is disarmed or has fired."""
        self.incidents: dict[tuple[int, str], IncidentTuple | None] = {}
        """(saga_no, path) → the incident, or None when it is settled."""
        self.events: list[NewEvent] = []
        self.participants: dict[str, Participant] = {}
        """name → its numbers, all of them."""
        self.suspects: list[SuspectKey] = []
        """Those that are none any more."""
        self.schedules: dict[str, ScheduleRow | None] = {}
        """name → the schedule, or None when there is none any more."""
        self.listeners: dict[tuple[str, str], int | None] = {}
        """(context, event type) → its position, or None when it is forgotten."""
        self.high_ms = 0
        """The latest time that this batch knows of; 0: nothing new."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write. A batch with only `high_ms` is empty."""
        return not (
            self.journal
            or self.new_sagas
            or self.saga_updates
            or self.events
            or self.participants
            or self.listeners
            or self.timers
            or self.waits
            or self.tasks
            or self.incidents
            or self.tags
            or self.definitions
            or self.suspects
            or self.schedules
        )

    def sagas(self) -> list[int]:
        """Return the numbers of the sagas that have rows in this batch, in ascending order."""
        numbers = {row[0] for part in SAGA_PARTS for row in getattr(self, part)}
        numbers.update(key[0] for part in KEYED_PARTS for key in getattr(self, part))
        numbers.update(self.saga_updates)
        return sorted(numbers)

    def only(self, saga_nos: Iterable[int], *, shared: bool = False) -> Batch:
        """Return the part of this batch that belongs to the sagas `saga_nos`, and with `shared` what belongs
        to none.

        The shared part (definitions, events, participants, listeners, suspects) must be committed first: sagas refer
        to it. Schedules are in no part, see `split`.
        """
        wanted, part = set(saga_nos), Batch()
        part.high_ms = self.high_ms
        if shared:
            part.definitions, part.events, part.participants, part.listeners = (
                self.definitions,
                self.events,
                self.participants,
                self.listeners,
            )
            part.suspects = self.suspects
        part.new_sagas = [row for row in self.new_sagas if row[0] in wanted]
        part.saga_updates = {no: row for no, row in self.saga_updates.items() if no in wanted}
        part.tags = [row for row in self.tags if row[0] in wanted]
        part.journal = [row for row in self.journal if row[0] in wanted]
        part.waits = {key: row for key, row in self.waits.items() if key[0] in wanted}
        part.tasks = {key: row for key, row in self.tasks.items() if key[0] in wanted}
        part.timers = {key: row for key, row in self.timers.items() if key[0] in wanted}
        part.incidents = {key: row for key, row in self.incidents.items() if key[0] in wanted}
        return part

    def split(self, linked: Iterable[Iterable[int]] = ()) -> list[Batch]:
        """Return the shared part, then one batch for each saga in ascending order, and the schedules last; committed
        in this order, the same. Cut off in the middle, it has started runs of schedules that are due again, and finds
        them by their ids then; the other way round they would be lost.

        `linked`: groups of sagas, none in two of them, that must be committed together, or not at all.
        """
        groups = {no: sorted(group) for group in linked for no in group}
        parts = dict.fromkeys(tuple(groups.get(no, (no,))) for no in self.sagas())
        schedules = Batch()
        schedules.high_ms, schedules.schedules = self.high_ms, self.schedules
        last = [schedules] if self.schedules else []
        return [self.only((), shared=True), *(self.only(nos) for nos in parts), *last]


# --- rows that were read ---


class SagaRow(NamedTuple):
    """The summary of one saga."""

    no: int
    id: str
    definition_no: int
    status: str
    busy: int
    started_ms: int
    ended_ms: int | None
    input_type: str
    input_digest: bytes
    correlation: str
    causation: str | None
    first_event_no: int
    refusal_code: str | None
    refusal_reason: str | None


class JournalRow(NamedTuple):
    """One stimulus of a saga, and the records it led to, as they are stored."""

    saga_no: int
    seq: int
    at_ms: int
    cause: str | None
    encoding: int
    stored: bytes | None
    """None: erased."""
    digest: bytes
    form: bytes | None = None

    @property
    def records(self) -> bytes | None:
        """What has happened, as a JSON array of objects; None when it was erased.

        Raises msgspec.DecodeError when the form is missing or is another one, or the encoding is of a later version.
        """
        if self.stored is None or self.encoding == JSON:
            return self.stored
        if self.encoding != FILLED or self.form is None:
            raise msgspec.DecodeError(
                f"there is no form for it, or its encoding ({self.encoding}) is unknown"
            )
        return whole(self.form, self.stored)

    @property
    def covered(self) -> bytes | None:
        """What its digest covers; None when it was erased."""
        return None if self.stored is None else (self.form or b"") + self.stored


class DefinitionRow(NamedTuple):
    """A process graph as it was when sagas were started with it; `graph` is JSON."""

    no: int
    name: str
    version: int
    hash: str
    graph: bytes
    first_used_ms: int


class EventRow(NamedTuple):
    """An event of the log; `payload` is JSON."""

    no: int
    id: str
    type: str
    key: str | None
    payload: bytes
    at_ms: int
    source: str
    correlation: str
    causation: str | None


class WaitRow(NamedTuple):
    """Which event a saga waits for at `path`."""

    saga_no: int
    path: str
    type: str
    key: str | None


class TaskRow(NamedTuple):
    """What a person is to decide; `subject` is JSON, times are UTC ms."""

    saga_no: int
    path: str
    task: str
    answer_type: str
    subject: bytes
    assignee: str | None
    since_ms: int
    due_ms: int | None


class TimerRow(NamedTuple):
    """A timer that is armed."""

    saga_no: int
    name: str
    due_ms: int


class SuspectRow(NamedTuple):
    """What was being carried out at `stops` unclean ends of runs; `alone`: at how many of them nothing else was."""

    participant: str
    kind: str
    no: int
    stops: int
    alone: int
    last_ms: int

    @property
    def key(self) -> SuspectKey:
        """What it is known by."""
        return self.participant, self.kind, self.no


class IncidentRow(NamedTuple):
    """What a person has to look at."""

    saga_no: int
    path: str
    kind: str
    reason: str
    since_ms: int


class ScheduleRow(NamedTuple):
    """Recurring starts of a saga: what a person has said, then where it stands. Times are UTC ms."""

    name: str
    saga: str
    input_type: str
    input: bytes
    tags: bytes
    """A JSON object."""
    cron: str
    time_zone: str
    missed: str
    overlap: str
    digest: bytes
    """Of all of the above, see `schedule_digest`."""
    since_ms: int
    next_ms: int | None
    last_ms: int | None
    runs: int
    problem: str | None
