"""The journal of one saga, as a person reads it: one entry for each record, in a sentence.

It needs the journal only, neither the author's code nor a running process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from saga.codec import decoding
from saga.machine import decode_records
from saga.machine import records as r
from saga.machine.state import REVERSAL
from saga.store import JournalRow
from saga.times import utc

__all__ = ["HistoryEntry", "read_history"]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to a saga.

    - `seq`: the row of the journal, from 1; one row may hold several entries;
    - `at`: when, UTC; `what`: the kind of record, such as `step-completed` (see `saga.machine.records`);
    - `path`: the visit it is about, such as `take_payment.1`, empty for the saga as a whole;
    - `text`: the entry as a sentence; `cause`: the id of the message that led to it, or None;
    - `data`: the record itself, as plain JSON values.
    """

    seq: int
    at: datetime
    what: str
    path: str
    text: str
    cause: str | None
    data: dict[str, Any]


_plain: Callable[[bytes], list[dict[str, Any]]] = decoding(msgspec.json.Decoder(list[dict[str, Any]]))


def read_history(rows: Iterable[JournalRow]) -> Iterator[HistoryEntry]:
    """Yield the entries of a journal in order. A row whose payload was erased gives one entry that says so."""
    for row in rows:
        at = utc(row.at_ms)
        records = row.records
        if records is None:
            yield HistoryEntry(row.seq, at, "erased", "", "what happened was erased", row.cause, {})
            continue
        plain = _plain(records)
        for record, data in zip(decode_records(records), plain, strict=True):
            path = getattr(record, "path", "")
            yield HistoryEntry(row.seq, at, data["is"], path, _text(record), row.cause, data)


def _time(ms: int) -> str:
    return utc(ms).strftime("%Y-%m-%d %H:%M:%S")


def _first_line(reason: str) -> str:
    lines = reason.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _text(record: r.Record) -> str:
    return _TEXTS[type(record)](record)


def _started(x: r.Started) -> str:
    tags = "".join(f" {key}={value}" for key, value in x.tags.items())
    return f"started {x.saga} version {x.version}{tags}"


def _within(due: int | None) -> str:
    return f", until {_time(due)}" if due is not None else ""


def _scope_entered(x: r.ScopeEntered) -> str:
    return f"{x.path} entered{f', round {x.round}' if x.round else ''}{_within(x.due)}"


def _by(person: str) -> str:
    return f" by {person}" if person else ""


def _reminded(x: r.Reminded) -> str:
    following = "the last one" if x.remind is None else f"the next one at {_time(x.remind)}"
    return f"{x.path}: reminder {x.times}, {following}"


def _published(x: r.EventPublished) -> str:
    return f"{x.path}: published {x.type}{f' of {x.key}' if x.key is not None else ''}"


def _scope_failed(x: r.ScopeFailed) -> str:
    what = "the saga" if not x.path else x.path
    after = "; then it goes on where that is caught" if x.caught else ""
    return f"{what} turns back: {_first_line(x.reason)} [{x.code}]{after}"


_VIA = {"answer": "", "resolve": ", as the inquiry found", "hand": ", by hand"}

_TEXTS: dict[type, Callable[[Any], str]] = {
    r.Started: _started,
    r.Ended: lambda x: f"ended: {x.status}",
    r.Reversed: lambda x: "the saga that called it is undone, and so this one is undone, too",
    r.Suspended: lambda x: f"suspended: {x.reason}",
    r.Held: lambda x: "something arrived, held until the saga is resumed",
    r.Resumed: lambda x: f"resumed: {x.reason}",
    r.Acted: lambda x: f"operator: {x.action} {x.path}: {x.reason}".replace(" :", ":"),
    r.Ignored: lambda x: f"{x.what} for {x.path} ignored: {x.why}",
    r.ScopeEntered: _scope_entered,
    r.EachBegun: lambda x: f"{x.path} entered, items: {len(x.items)}",
    r.ItemBegun: lambda x: f"{x.path}: item {x.index + 1} begun",
    r.ScopeLeft: lambda x: f"{x.path} completed",
    r.ScopeFailed: _scope_failed,
    r.ScopeUndone: lambda x: f"{x.path} is undone",
    r.Terminated: lambda x: f"{x.path or 'the saga'} ends at {x.element}",
    r.Chosen: lambda x: f"{x.element}: {x.case}",
    r.JoinReached: lambda x: f"a branch has reached {x.element}",
    r.Looped: lambda x: f"{x.element}: again, for the {x.times}. time",
    r.CommandSent: lambda x: f"{x.path}: {x.type} to {x.to}{_within(x.due)}",
    r.AttemptFailed: lambda x: (
        f"{x.path}: attempt {x.attempt} failed: {_first_line(x.reason)}"
        + (f"; again at {_time(x.retry_at)}" if x.retry_at is not None else "")
    ),
    r.AttemptBegun: lambda x: f"{x.path}: attempt {x.attempt}",
    r.StepCompleted: lambda x: f"{x.path} done{_VIA.get(x.via, '')}",
    r.StepRefused: lambda x: f"{x.path} refused: {x.reason} [{x.code}]",
    r.StepFailed: lambda x: (
        f"{x.path} failed: {_first_line(x.reason)} [{x.code}]"
        + ("; it may have been done all the same" if x.unknown else "")
    ),
    r.Resolving: lambda x: f"{x.path}: inquiring what became of it ({_first_line(x.why)})",
    r.StepDropped: lambda x: f"{x.path}: {_first_line(x.why)}",
    r.StepSkipped: lambda x: f"{x.path} skipped: {x.reason}",
    r.WaitBegun: lambda x: f"{x.path}: waiting for {x.event} of {x.key}{_within(x.due)}",
    r.TaskOpened: lambda x: f"{x.path}: a person is to decide{_within(x.due)}",
    r.TaskAssigned: lambda x: f"{x.path}: assigned to {x.to or 'nobody in particular'}{_by(x.by)}",
    r.TaskDone: lambda x: f"{x.path}: decided{_by(x.by)}",
    r.RaceBegun: lambda x: f"{x.path}: waiting for what comes first{_within(x.due)}",
    r.RaceOver: lambda x: f"{x.path}: {f'{x.by} came first' if x.by else 'nothing came in time'}",
    r.Reminded: _reminded,
    r.EventPublished: _published,
    r.EventTaken: lambda x: f"{x.path}: event {x.event_id} is there",
    r.WaitExpired: lambda x: f"{x.path}: the time is up",
    r.SleepBegun: lambda x: f"{x.path}: sleeping{_within(x.due)}",
    r.Woke: lambda x: f"{x.path}: woke up",
    r.Answered: lambda x: f"{x.path}: the answer is made",
    r.CompensationBegun: lambda x: f"{x.path}: undoing {x.target or 'everything'} done so far",
    r.CompensationDone: lambda x: f"{x.path}: that is undone, the flow goes on",
    r.UndoSent: lambda x: (
        f"{x.path}: undoing {x.of}: "
        + (f"{x.to} undoes what it did" if x.type == REVERSAL else f"{x.type} to {x.to}")
    ),
    r.UndoCompleted: lambda x: f"{x.path} undone{_VIA.get(x.via, '')}",
    r.UndoSkipped: lambda x: f"{x.path} not undone: {x.reason}",
    r.Parked: lambda x: f"{x.path} PARKED ({x.kind}): {_first_line(x.reason)}",
    r.Unparked: lambda x: f"{x.path} goes on",
}
"""Every kind of record has its sentence; a test sees to it."""
