"""One saga: what its journal says, and where its rows say something else. No file is opened here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from saga.machine import Record, State, Unfitting, decode_records, evolve, pending
from saga.machine import records as r
from saga.machine.pending import Pending, Task
from saga.store.inspection import StoredSaga

__all__ = ["Replay", "Told", "differences", "replay_journal"]

NOTHING = Pending()


@dataclass(frozen=True, slots=True)
class Told:
    """What a journal says that a participant has said about a command."""

    outcomes: tuple[str, ...]
    """One of these stands in the inbox."""
    answer: bytes | None = None
    """The answer, if that was recorded."""
    refusal: tuple[str, str] | None = None
    """Code and reason of the refusal, if they were recorded."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal says."""

    state: State
    ended_ms: int | None
    sent: dict[str, tuple[str, int]]
    """Path of the visit → participant and number of its command; a saga that was called is none."""
    told: dict[str, Told]
    """Path of the visit → what the participant has said."""


def replay_journal(stored: StoredSaga) -> Replay:
    """Replay the journal of a saga. Raises Unfitting when it makes no sense, or lacks what was erased."""
    state: State | None = None
    ended_ms: int | None = None
    sent: dict[str, tuple[str, int]] = {}
    told: dict[str, Told] = {}
    for row in stored.journal:
        if row.stored is None:
            raise Unfitting(f"row {row.seq} cannot be read: it was erased")
        try:
            records = decode_records(row.records or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unfitting(f"row {row.seq} cannot be read: {error}") from error
        for record in records:
            _note(record, sent, told)
            state = evolve(state, record)
            if isinstance(record, r.Ended | r.Reversed):
                ended_ms = row.at_ms if isinstance(record, r.Ended) else None
    if state is None:
        raise Unfitting("there is no record")
    return Replay(state, ended_ms, sent, told)


def _note(record: Record, sent: dict[str, tuple[str, int]], told: dict[str, Told]) -> None:
    """Note which commands went out, and what their participants have said."""
    match record:
        case r.CommandSent() | r.UndoSent() if record.number:  # else another saga carries it out
            sent[record.path] = (record.to, record.number)
        case r.StepCompleted(via="answer" | "resolve"):
            told[record.path] = Told(("done",), answer=bytes(record.answer))
        case r.UndoCompleted(via="answer"):
            told[record.path] = Told(("done",))
        case r.StepRefused():
            told[record.path] = Told(("refused",), refusal=(record.code, record.reason))
        case r.Parked(kind="refused" | "undo-refused") if record.path in sent:
            told[record.path] = Told(("refused",))
        case r.StepDropped() | r.StepFailed(unknown=False):
            told[record.path] = Told(("tombstone", "refused"))
        case _:
            pass


def differences(stored: StoredSaga, replayed: Replay) -> Iterator[str]:
    """Yield where the rows of a saga are not those that `coordination.ledger` derives from its journal."""
    yield from _row_differences(stored, replayed)
    outside = pending(replayed.state)
    yield from _compare("tag", stored.tags, replayed.state.tags)
    timers = {timer.name: timer.due_ms for timer in stored.timers}
    yield from _compare("timer", timers, outside.timers)
    waits = {wait.path: (wait.type, wait.key) for wait in stored.waits}
    yield from _compare("wait", waits, outside.waits)
    tasks = {each.path: each[2:] for each in stored.tasks}
    yield from _compare("task", tasks, {path: _task_row(task) for path, task in outside.tasks.items()})
    incidents = {each.path: (each.kind, each.reason, each.since_ms) for each in stored.incidents}
    open_now = {path: (each.kind, each.reason, each.at) for path, each in outside.incidents.items()}
    yield from _compare("incident", incidents, open_now)
    if outside == NOTHING and replayed.state.ended is None and not replayed.state.suspended:
        yield "it has not ended, and waits for nothing"


def _task_row(task: Task) -> tuple[object, ...]:
    subject = bytes(task.subject)
    return task.element, task.type, subject, task.assignee or None, task.since, task.due


def _row_differences(stored: StoredSaga, replayed: Replay) -> Iterator[str]:
    row, state = stored.row, replayed.state
    failure = state.failure
    busy = state.ended is None and any(
        visit.sent is not None and not visit.sent.is_call for visit in state.visits.values()
    )
    columns: dict[str, tuple[object, object]] = {
        "id": (row.id, state.id),
        "status": (row.status, state.status.value),
        "busy": (row.busy, int(busy)),
        "started_ms": (row.started_ms, state.started_ms),
        "ended_ms": (row.ended_ms, replayed.ended_ms),
        "input_type": (row.input_type, state.input_type),
        "input_digest": (row.input_digest.hex(), blake2b(bytes(state.input), digest_size=16).hexdigest()),
        "correlation": (row.correlation, state.correlation),
        "causation": (row.causation, state.causation or None),
        "refusal_code": (row.refusal_code, failure.code if failure else None),
        "refusal_reason": (row.refusal_reason, failure.reason if failure else None),
    }
    for column, (found, wanted) in columns.items():
        if found != wanted:
            yield f"its {column} is {found!r}, by its journal {wanted!r}"


def _compare(what: str, found: Mapping[str, object], wanted: Mapping[str, object]) -> Iterator[str]:
    for key, value in wanted.items():
        if key not in found:
            yield f"it lacks the {what} {key!r}"
        elif found[key] != value:
            yield f"its {what} {key!r} is {found[key]!r}, by its journal {value!r}"
    for key in found:
        if key not in wanted:
            yield f"it has the {what} {key!r}, which its journal does not know"
