"""What `--json` prints, as types: documented in docs/cli.md, and stable. Fields are only ever added.

Times are ISO 8601 in UTC, `2026-01-31T12:00:00.000Z`; ids are strings; what is not there is null.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import click
import msgspec
from msgspec import Raw

__all__ = [
    "CalledSaga",
    "Checked",
    "ContextFile",
    "Copy",
    "Definition",
    "Deliveries",
    "Doctor",
    "Entry",
    "FailedDelivery",
    "File",
    "Incident",
    "ListenerLine",
    "Listing",
    "Lock",
    "MissingHandler",
    "Problem",
    "Pruning",
    "Refusal",
    "SagaDetails",
    "SagaLine",
    "ScheduleLine",
    "Schedules",
    "SetAside",
    "Store",
    "Traced",
    "TracedEntry",
    "Verification",
    "Waiting",
    "write",
]


class _Output(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all."""


def write(output: _Output) -> None:
    """Write `output` to stdout, indented, with what a terminal might obey as JSON's own escapes."""
    text = msgspec.json.format(msgspec.json.encode(output), indent=2).decode()
    for odd in {character for character in text if not character.isprintable()} - {"\n"}:
        text = text.replace(odd, json.dumps(odd)[1:-1])
    click.echo(text)


class Refusal(_Output, frozen=True, kw_only=True):
    """Why a saga was (or is being) undone."""

    code: str
    reason: str


class Waiting(_Output, frozen=True, kw_only=True):
    """One thing that a saga waits for. Which fields are there depends on `kind`."""

    kind: Literal[
        "answer", "inquiry", "attempt", "event", "task", "saga", "time", "deadline", "person", "unknown"
    ]
    path: str
    """Of the visit, such as `take_payment.1`; empty for the saga as a whole."""
    type: str | None = None
    """Of the command or event."""
    participant: str | None = None
    key: str | None = None
    """Of the event."""
    assignee: str | None = None
    """Who is to decide the task; None: anybody."""
    called: str | None = None
    """Id of the saga that was called."""
    attempt: int | None = None
    due_at: str | None = None
    """When it wakes, or runs out of time."""
    incident: str | None = None
    """Why a person is needed: a kind of incident, or `suspended`."""
    reason: str | None = None
    since_at: str | None = None


class SagaLine(_Output, frozen=True, kw_only=True):
    """One saga of `saga list`."""

    no: int
    """Its place in the order of starts; for `--after`."""
    id: str
    saga: str
    version: int
    status: str
    started_at: str
    ended_at: str | None
    refusal: Refusal | None
    tags: dict[str, str]
    waiting_for: list[Waiting]


class Listing(_Output, frozen=True, kw_only=True):
    """`saga list --json`."""

    sagas: list[SagaLine]
    counts: dict[str, int]
    """Status → number of sagas in the store, or of that definition; every status is there."""
    next_after: int | None
    """For `--after`, when there may be more."""


class Entry(_Output, frozen=True, kw_only=True):
    """One thing that happened to a saga: a record of its journal."""

    seq: int
    at: str
    what: str
    path: str
    text: str
    cause: str | None
    data: dict[str, Any]


class CalledSaga(_Output, frozen=True, kw_only=True):
    """A saga that another one has called, or whose answer to a command it has awaited."""

    path: str
    """Of the visit that called it."""
    id: str
    saga: str
    version: int
    status: str | None
    """None: it is not there; it was given up before it began, or what began it waits for a person."""


class SagaDetails(_Output, frozen=True, kw_only=True):
    """`saga show ID --json`."""

    no: int
    id: str
    saga: str
    version: int
    graph: str
    status: str
    started_at: str
    ended_at: str | None
    lasted_ms: int | None
    refusal: Refusal | None
    tags: dict[str, str]
    correlation: str
    causation: str | None
    caller: str | None
    """Id of the saga that has called it."""
    calls: list[CalledSaga]
    input_type: str
    input: Raw | None
    answer: Raw | None
    waiting_for: list[Waiting]
    history: list[Entry]
    problem: str | None
    """Why its journal cannot be read to the end, when that is so."""


class ScheduleLine(_Output, frozen=True, kw_only=True):
    """One schedule: a saga that is started again and again."""

    name: str
    saga: str
    input_type: str
    tags: dict[str, str]
    """Of every run, beside `schedule` and `due_at`."""
    cron: str
    time_zone: str
    missed: str
    overlap: str
    since_at: str
    next_at: str | None
    """When the next run is due; None: never again."""
    last_at: str | None
    """When the last run that was started was due."""
    last_id: str | None
    runs: int
    """How many were started."""
    problem: str | None
    """Why none can be started."""


class Schedules(_Output, frozen=True, kw_only=True):
    """`saga schedules --json`."""

    schedules: list[ScheduleLine]


class Problem(_Output, frozen=True, kw_only=True):
    """One finding."""

    severity: Literal["error", "warning", "note"]
    subject: str
    what: str


class Checked(_Output, frozen=True, kw_only=True):
    """How much was looked at."""

    files: int
    sagas: int
    seconds: float


class Verification(_Output, frozen=True, kw_only=True):
    """`saga verify --json`."""

    store: str
    ok: bool
    quick: bool
    findings: list[Problem]
    checked: Checked


class Copy(_Output, frozen=True, kw_only=True):
    """`saga backup --json` and `saga restore --json`: the copy that was made."""

    directory: str
    store_id: str
    files: list[str]
    bytes: int


class Pruning(_Output, frozen=True, kw_only=True):
    """`saga prune --json`: what was let go of, or would be."""

    sagas: int
    rows: int
    events: int
    sends: int
    dry_run: bool = False


class Lock(_Output, frozen=True, kw_only=True):
    """Who has the store open, or had it last."""

    held: bool | None
    """None: cannot be told."""
    pid: int | None
    host: str | None
    since: str | None


class Store(_Output, frozen=True, kw_only=True):
    """What saga.db says about itself."""

    directory: str
    id: str
    opened: int
    commits: int
    last_time_at: str | None
    last_end: Literal["closed", "open", "cut-off", "unknown"]
    clock: Literal["system", "scaled"]
    clock_factor: float | None
    network_file_system: bool
    free_bytes: int


class File(_Output, frozen=True, kw_only=True):
    """One file of the store; schema is None when that cannot be read."""

    name: str
    kind: Literal["saga", "context"]
    bytes: int
    wal_bytes: int
    schema: int | None
    known_schema: int


class Incident(_Output, frozen=True, kw_only=True):
    """One thing that a person has to look at."""

    id: str
    saga: str
    version: int
    path: str
    kind: str
    reason: str
    since_at: str | None
    next: str
    """What can be done about it."""


class MissingHandler(_Output, frozen=True, kw_only=True):
    """What sagas are parked for want of: a participant for `command`, or the class of the saga."""

    saga: str
    version: int
    element: str
    command: str | None
    reason: str
    sagas: int
    example: str


class Definition(_Output, frozen=True, kw_only=True):
    """A process graph that sagas were started with."""

    saga: str
    version: int
    graph: str
    first_used_at: str | None
    live: int


class SetAside(_Output, frozen=True, kw_only=True):
    """An event that a listener has given up on."""

    event_no: int
    event_id: str
    event_type: str
    attempts: int
    reason: str


class ContextFile(_Output, frozen=True, kw_only=True):
    """What is in the file of a context, beside its author's tables."""

    name: str
    commands_remembered: int
    events_to_relay: int
    deliveries_to_retry: int
    deliveries_set_aside: int
    set_aside: list[SetAside]
    """The first of them."""


class ListenerLine(_Output, frozen=True, kw_only=True):
    """How far a context has come with one type of event."""

    context: str
    event_type: str
    position: int
    """Number of the last event of this type that it has taken."""
    behind: int
    """How many it has not taken yet."""
    to_retry: int
    set_aside: int
    away: bool
    """The program that opened the store last does not have this context."""


class FailedDelivery(_Output, frozen=True, kw_only=True):
    """An event that a listener has failed on."""

    context: str
    event_no: int
    event_id: str
    event_type: str
    correlation: str
    attempts: int
    failed_at: str
    next_at: str | None
    """When it is tried again; null: it is set aside."""
    reason: str


class Deliveries(_Output, frozen=True, kw_only=True):
    """`saga deliveries --json`."""

    listeners: list[ListenerLine]
    deliveries: list[FailedDelivery]
    next_after: int | None
    """For `--after`, when there may be more."""


class TracedEntry(_Output, frozen=True, kw_only=True):
    """One line of a story."""

    depth: int
    at: str | None
    what: Literal["saga", "command", "answer", "event", "listener", "taken", "note"]
    who: str
    text: str
    id: str | None
    cause: str | None
    type: str | None
    outcome: str | None


class Traced(_Output, frozen=True, kw_only=True):
    """`saga trace ID --json`."""

    correlation: str
    truncated: bool
    entries: list[TracedEntry]


class Suspect(_Output, frozen=True, kw_only=True):
    """What was being carried out when the program was cut off, and has not been to its end since."""

    participant: str
    kind: Literal["command", "event", "saga"]
    no: int
    """Of the command at the participant, of the event it listened to, or of the saga whose function it was."""
    stops: int
    """At how many such ends."""
    alone: int
    """At how many of them nothing else was running."""
    last_at: str | None


class Doctor(_Output, frozen=True, kw_only=True):
    """`saga doctor --json`."""

    ok: bool
    problems: list[Problem]
    """What a person has to look at (errors and warnings), and what is good to know (notes)."""
    versions: dict[str, str | None]
    sqlite_verdict: str
    store: Store | None
    lock: Lock | None
    files: list[File]
    sagas: dict[str, int]
    incidents: dict[str, int]
    """Kind → how many are open."""
    parked: list[Incident]
    """The newest of them."""
    missing_handlers: list[MissingHandler]
    definitions: list[Definition]
    contexts: list[ContextFile]
    suspects: list[Suspect]
    schedules: list[ScheduleLine]
