"""What a saga waits for, from its replayed journal, and what a person can do about what is parked."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from saga.cli.output import Waiting
from saga.cli.values import first_line, iso, moment
from saga.journal import records_of
from saga.machine import (
    DEADLINE,
    WAKE,
    State,
    Unfitting,
    command_id,
    pending,
    replay,
    timer_name,
)
from saga.machine.records import Suspended
from saga.machine.state import Phase, Visit
from saga.store import JournalRow

__all__ = ["advice", "replayed", "sentence", "waiting_for"]


def replayed(journal: Iterable[JournalRow]) -> State:
    """Return the state that a journal leads to. Raises Unfitting when it cannot be read."""
    try:
        return replay(records_of(journal))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unfitting(str(error)) from error


def waiting_for(state: State, journal: Iterable[JournalRow]) -> list[Waiting]:
    """Return what is in `pending(state)`: one entry for each open visit, and for each deadline of a scope."""
    outside = pending(state)
    found = [] if not state.suspended or state.ended else [_suspended(journal)]
    for path, visit in state.visits.items():
        due = outside.timers.get(timer_name(path, DEADLINE))
        wake = outside.timers.get(timer_name(path, WAKE))
        if path in outside.commands:
            found.append(_command("answer", visit, due))
        elif path in outside.resolves:
            found.append(_command("inquiry", visit, None))
        elif path in outside.waits:
            type_, key = outside.waits[path]
            found.append(Waiting(kind="event", path=path, type=type_, key=key, due_at=iso(due)))
        elif path in outside.tasks:
            task = outside.tasks[path]
            assignee = task.assignee or None
            found.append(Waiting(kind="task", path=path, type=task.type, assignee=assignee, due_at=iso(due)))
        elif path in outside.calls:
            sent, _ = outside.calls[path]
            reverses = visit.undoes is not None and sent.is_reversal
            called = command_id(state.id, visit.undoes.path if reverses and visit.undoes else path)
            found.append(Waiting(kind="saga", path=path, type=sent.type, called=called, due_at=iso(due)))
        elif path in outside.incidents:
            incident = outside.incidents[path]
            since = iso(incident.at)
            found.append(
                Waiting(
                    kind="person", path=path, incident=incident.kind, reason=incident.reason, since_at=since
                )
            )
        elif wake is not None and visit.phase is Phase.BACKOFF:
            found.append(_command("attempt", visit, wake))
        elif wake is not None:
            found.append(Waiting(kind="time", path=path, due_at=iso(wake)))
    for path in state.scopes:
        due = outside.timers.get(timer_name(path, DEADLINE))
        if due is not None:
            found.append(Waiting(kind="deadline", path=path, due_at=iso(due)))
    return found


def _command(kind: str, visit: Visit, due: int | None) -> Waiting:
    assert visit.sent is not None
    attempt = visit.attempt + 1 if kind == "attempt" else visit.attempt
    return Waiting(
        kind=kind,  # type: ignore[arg-type]
        path=visit.path,
        type=visit.sent.type,
        participant=visit.sent.to,
        attempt=attempt,
        due_at=iso(due),
    )


def _suspended(journal: Iterable[JournalRow]) -> Waiting:
    last, at = "", None
    for row in journal:
        for record in records_of([row]):
            if isinstance(record, Suspended):
                last, at = record.reason, row.at_ms
    return Waiting(kind="person", path="", incident="suspended", reason=last, since_at=iso(at))


def sentence(waiting: Waiting) -> str:
    """Return what is waited for in a few words, without the path."""
    until = f", until {moment(waiting.due_at)}" if waiting.due_at else ""
    again = f", attempt {waiting.attempt}" if (waiting.attempt or 1) > 1 else ""
    match waiting.kind:
        case "answer":
            return f"answer of {waiting.participant} to {waiting.type}{again}{until}"
        case "inquiry":
            return f"word from {waiting.participant} what became of {waiting.type}"
        case "attempt":
            return f"attempt {waiting.attempt} of {waiting.type} at {moment(waiting.due_at or '')}"
        case "event":
            return f"{waiting.type} of {waiting.key}{until}"
        case "task":
            element = waiting.path.rpartition("/")[2].rpartition(".")[0]
            return f"task {element} for {waiting.assignee or 'anybody'}{until}"
        case "saga":
            return f"saga {waiting.called}{until}"
        case "time":
            return f"sleeping until {moment(waiting.due_at or '')}"
        case "deadline":
            return f"to be done by {moment(waiting.due_at or '')}"
        case "person":
            return f"a person ({waiting.incident}): {first_line(waiting.reason or '')}"
        case "unknown":
            return waiting.reason or "cannot be told"


_BY_HAND = "mend the cause, then {retry}; or go on without it: {skip}; or tell what was done by hand: {done}"
_UNDO_BY_HAND = (
    "mend the cause, then {retry}; or undo it by hand, then {undone}; or leave it as it is: {skip}"
)
_ADVICE = {
    "function": "mend the function, start the program again, then {retry}",
    "refused": _BY_HAND,
    "failed": _BY_HAND,
    "timeout": _BY_HAND,
    "undo-refused": _UNDO_BY_HAND,
    "undo-failed": _UNDO_BY_HAND,
    "no-handler": "add what is missing to Runtime(contexts=[...], sagas=[...]); then it goes on by itself",
    "down": "the log says why it is down; start the program again, then it goes on by itself",
    "poison": "mend what ends the program, then {retry}; or go on without it: {skip}; or tell what was done: {done}",
    "store": "see what is said, then {retry}; or go on without it: {skip}",
    "suspended": "{resume}",
}


def advice(incident: str, saga_id: str, path: str = "") -> str:
    """Return what a person can do about an incident of this kind; `path` is needed if there are several."""
    step = f", step={path!r}" if path else ""
    text = _ADVICE.get(incident, "see its history: saga show --full {id}")
    return text.format(
        id=saga_id,
        retry=f"runtime.retry({saga_id!r}{step})",
        skip=f"runtime.skip({saga_id!r}, reason{step})",
        done=f"runtime.mark_done({saga_id!r}, answer, reason{step})",
        undone=f"runtime.mark_done({saga_id!r}, None, reason{step})",
        resume=f"runtime.resume({saga_id!r})",
    )
