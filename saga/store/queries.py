"""What the coordinator asks of saga.db, on its own connection.

Where many things are looked up at once, they are given as one JSON array: one statement, whatever their
number.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from saga.errors import CorruptStore
from saga.store.batch import (
    DefinitionRow,
    EventRow,
    JournalRow,
    Participant,
    SagaRow,
    ScheduleRow,
    SuspectRow,
    TimerRow,
)
from saga.store.digest import FIRST, chain

__all__ = [
    "EVENT_COLUMNS",
    "JOURNAL_COLUMNS",
    "SAGA_COLUMNS",
    "SCHEDULE_COLUMNS",
    "SUSPECTS",
    "WITHOUT_FORMS",
    "SagaQueries",
    "verified",
]

T = TypeVar("T")

IDS_AT_ONCE = 500
"""How many ids one look-up takes."""

JOURNALS_AT_ONCE = 200
"""How many sagas have their journals read together; more of them are not read any faster."""

SAGA_COLUMNS = (
    "no, id, definition_no, status, busy, started_ms, ended_ms, input_type, input_digest, correlation,"
    " causation, first_event_no, refusal_code, refusal_reason"
)
_ROW = "saga_no, seq, at_ms, cause, encoding, CAST(records AS BLOB), digest"
JOURNAL_COLUMNS = f"{_ROW}, (SELECT CAST(text AS BLOB) FROM forms WHERE no = form_no)"
WITHOUT_FORMS = f"{_ROW}, NULL"
"""The same for the journal of a store that no version with forms has opened yet."""
SUSPECTS = (
    "SELECT participant, kind, no, stops, alone, last_ms FROM suspects"
    " ORDER BY stops DESC, participant, kind, no"
)
EVENT_COLUMNS = "no, id, type, key, CAST(payload AS BLOB), at_ms, source, correlation, causation"
SCHEDULE_COLUMNS = (
    "name, saga, input_type, CAST(input AS BLOB), CAST(tags AS BLOB), cron, time_zone, missed, overlap, digest,"
    " since_ms, next_ms, last_ms, runs, problem"
)


class SagaQueries:
    """The questions; `SagaStore` is what they are asked. Each raises StoreFailed or CorruptStore when it
    cannot.
    """

    path: str
    _forms: Mapping[int, bytes]
    """Number → form, of all that are there."""

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    def find(self, saga_id: str) -> SagaRow | None:
        """Return the saga of this id, or None."""
        rows = self._read(f"SELECT {SAGA_COLUMNS} FROM sagas WHERE id = ?", (saga_id,))
        return SagaRow._make(rows[0]) if rows else None

    def find_many(self, ids: Iterable[str]) -> dict[str, SagaRow]:
        """Return id → saga for those of `ids` that exist."""
        statement = f"SELECT {SAGA_COLUMNS} FROM sagas WHERE id IN (SELECT value FROM json_each(?))"
        return {
            row[1]: SagaRow._make(row)
            for some in _chunks(ids, IDS_AT_ONCE)
            for row in self._read(statement, (_json(some),))
        }

    def row(self, saga_no: int) -> SagaRow | None:
        """Return the saga of this number, or None."""
        rows = self._read(f"SELECT {SAGA_COLUMNS} FROM sagas WHERE no = ?", (saga_no,))
        return SagaRow._make(rows[0]) if rows else None

    def tags(self, saga_no: int) -> dict[str, str]:
        """Return the tags of a saga."""
        return dict(self._read("SELECT key, value FROM tags WHERE saga_no = ? ORDER BY key", (saga_no,)))

    def journal(self, saga_no: int) -> list[JournalRow]:
        """Return the journal of a saga in order, its chain verified. Raises CorruptStore when it does not
        hold.
        """
        rows = self._read(f"SELECT {_ROW}, form_no FROM journal WHERE saga_no = ? ORDER BY seq", (saga_no,))
        return verified(self.path, [*self._with_forms(rows)])

    def _with_forms(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[JournalRow]:
        forms = self._forms
        return (JournalRow._make((*row[:7], forms.get(row[7]))) for row in rows)

    def live_busy(self) -> Sequence[int]:
        """Return the numbers of the sagas that have commands outside, in ascending order: those that a recovery loads.

        All at once, 8 bytes each: the index is not in this order, so that each page of them would sort all.
        """
        rows = self._read("SELECT no FROM sagas WHERE busy = 1 AND ended_ms IS NULL ORDER BY no")
        return array("q", (no for (no,) in rows))

    def live_journals(self) -> Iterator[tuple[SagaRow, list[JournalRow]]]:
        """Yield the sagas of `live_busy`, each with its journal in order: two statements for hundreds of them.

        Raises CorruptStore when the chain of one does not hold.
        """
        return self.journals(self.live_busy())

    def journals(self, saga_nos: Iterable[int]) -> Iterator[tuple[SagaRow, list[JournalRow]]]:
        """Yield those of these sagas that exist, each with its journal in order: `row` and `journal` in bulk."""
        statement = (
            f"SELECT {SAGA_COLUMNS} FROM sagas WHERE no IN (SELECT value FROM json_each(?)) ORDER BY no"
        )
        for some in _chunks(saga_nos, JOURNALS_AT_ONCE):
            yield from self._with_journals([*map(SagaRow._make, self._read(statement, (_json(some),)))])

    def _with_journals(self, rows: list[SagaRow]) -> Iterator[tuple[SagaRow, list[JournalRow]]]:
        journals: dict[int, list[JournalRow]] = {row.no: [] for row in rows}
        statement = (
            f"SELECT {_ROW}, form_no FROM journal WHERE saga_no IN (SELECT value FROM json_each(?))"
            " ORDER BY saga_no, seq"
        )
        for line in self._with_forms(self._read(statement, (_json([*journals]),))):
            journals[line.saga_no].append(line)
        for row in rows:
            yield row, verified(self.path, journals[row.no])

    def counts(self) -> dict[str, int]:
        """Return status → number of sagas, for those statuses that occur. Reads the whole table."""
        return dict(self._read("SELECT status, count(*) FROM sagas GROUP BY status"))

    def live_count(self) -> int:
        """Return how many sagas have not ended."""
        count: int = self._read("SELECT count(*) FROM sagas WHERE ended_ms IS NULL")[0][0]
        return count

    def due_timers(self, now_ms: int, limit: int) -> list[TimerRow]:
        """Return the timers that are due at `now_ms`, the longest due first, at most `limit`."""
        statement = "SELECT saga_no, name, due_ms FROM timers WHERE due_ms <= ? ORDER BY 3, 1, 2 LIMIT ?"
        return [TimerRow._make(row) for row in self._read(statement, (now_ms, limit))]

    def next_due(self) -> int | None:
        """Return when the next timer is due, in UTC ms, or None when none is armed."""
        due: int | None = self._read("SELECT min(due_ms) FROM timers")[0][0]
        return due

    def schedules(self) -> list[ScheduleRow]:
        """Return all recurring starts, by name."""
        rows = self._read(f"SELECT {SCHEDULE_COLUMNS} FROM schedules ORDER BY name")
        return [ScheduleRow._make(row) for row in rows]

    def waiting(self, type_: str, key: str | None) -> list[tuple[int, str]]:
        """Return (saga_no, path) of every wait for an event of this type and key, by saga."""
        statement = "SELECT saga_no, path FROM waits WHERE type = ? AND key IS ? ORDER BY 1, 2"
        return self._read(statement, (type_, key))

    def awaited_types(self) -> set[str]:
        """Return the types of events that some saga waits for. Jumps from one to the next in the index."""
        statement = (
            "WITH RECURSIVE t (type) AS (SELECT min(type) FROM waits UNION ALL"
            " SELECT (SELECT min(w.type) FROM waits w WHERE w.type > t.type) FROM t WHERE t.type IS NOT NULL)"
            " SELECT type FROM t WHERE type IS NOT NULL"
        )
        return {type_ for (type_,) in self._read(statement)}

    def waiting_for(
        self, pairs: Iterable[tuple[str, str | None]]
    ) -> dict[tuple[str, str | None], list[tuple[int, str]]]:
        """Return (type, key) → [(saga_no, path), ...] for those of `pairs` that some saga waits for:
        `waiting` in bulk.
        """
        statement = (
            "SELECT w.type, w.key, w.saga_no, w.path FROM json_each(?) AS v CROSS JOIN waits AS w"
            " ON w.type = json_extract(v.value, '$[0]') AND w.key IS json_extract(v.value, '$[1]')"
            " ORDER BY w.saga_no, w.path"
        )
        found: dict[tuple[str, str | None], list[tuple[int, str]]] = {}
        for some in _chunks(dict.fromkeys(pairs), IDS_AT_ONCE):
            for type_, key, saga_no, path in self._read(statement, (_json(some),)):
                found.setdefault((type_, key), []).append((saga_no, path))
        return found

    def incidents_of(self, kinds: Iterable[str]) -> list[tuple[int, str]]:
        """Return (saga_no, path) of every open incident of these kinds, by saga."""
        kinds_json, chosen = _json(list(kinds)), "kind IN (SELECT value FROM json_each(?))"
        return self._read(
            f"SELECT saga_no, path FROM open_incidents WHERE {chosen} ORDER BY 1, 2", (kinds_json,)
        )

    def matching_events(self, type_: str, key: str | None, after_no: int) -> list[EventRow]:
        """Return the events of this type and key with a number above `after_no`, in order."""
        statement = f"SELECT {EVENT_COLUMNS} FROM events WHERE type = ? AND key IS ? AND no > ? ORDER BY no"
        return [EventRow._make(row) for row in self._read(statement, (type_, key, after_no))]

    def events_after(self, no: int, types: Iterable[str], limit: int) -> list[EventRow]:
        """Return the events of these types with a number above `no`, in order, at most `limit`."""
        statement = (
            f"SELECT {EVENT_COLUMNS} FROM events WHERE no > ? AND +type IN (SELECT value FROM json_each(?))"
            f" ORDER BY no LIMIT ?"
        )
        return [EventRow._make(row) for row in self._read(statement, (no, _json(list(types)), limit))]

    def first_event(self, type_: str, after_no: int) -> int | None:
        """Return the lowest number above `after_no` of an event of this type, None when there is none.

        Reads the log from there up to what it finds; meant for pruning, not for the hot path.
        """
        statement = "SELECT no FROM events WHERE no > ? AND +type = ? ORDER BY no LIMIT 1"
        rows = self._read(statement, (after_no, type_))
        return rows[0][0] if rows else None

    def log_begins(self) -> int | None:
        """Return the lowest number of an event in the log, None when it is empty."""
        lowest: int | None = self._read("SELECT min(no) FROM events")[0][0]
        return lowest

    def listeners(self) -> dict[tuple[str, str], int]:
        """Return (context, event type) → position, of all listeners that the log is kept for."""
        rows = self._read("SELECT context, event_type, position FROM listeners ORDER BY 1, 2")
        return {(context, type_): position for context, type_, position in rows}

    def event_exists(self, event_id: str) -> bool:
        """Return whether an event of this id is in the log."""
        return bool(self._read("SELECT 1 FROM events WHERE id = ?", (event_id,)))

    def known_events(self, ids: Iterable[str]) -> set[str]:
        """Return those of `ids` that are in the event log: `event_exists` in bulk."""
        statement = "SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?))"
        return {
            event_id
            for some in _chunks(ids, IDS_AT_ONCE)
            for (event_id,) in self._read(statement, (_json(some),))
        }

    def participants(self) -> dict[str, Participant]:
        """Return name → (kind, next_number, commit_no, outbox_no)."""
        rows = self._read(
            "SELECT name, kind, next_number, commit_no, outbox_no FROM participants ORDER BY name"
        )
        return {row[0]: row[1:] for row in rows}

    def suspects(self) -> list[SuspectRow]:
        """Return what was being carried out at unclean ends, the most often first."""
        return [SuspectRow._make(row) for row in self._read(SUSPECTS)]

    def definitions(self) -> list[DefinitionRow]:
        """Return the process graphs that were ever used, in the order of first use."""
        rows = self._read(
            "SELECT no, name, version, hash, CAST(graph AS BLOB), first_used_ms FROM definitions ORDER BY no"
        )
        return [DefinitionRow._make(row) for row in rows]

    def live_definitions(self) -> dict[int, int]:
        """Return definition_no → number of live sagas, for definitions that have any."""
        return dict(
            self._read(
                "SELECT definition_no, count(*) FROM sagas WHERE ended_ms IS NULL GROUP BY definition_no"
            )
        )

    def first_event_needed(self) -> int | None:
        """Return the lowest `first_event_no` of all live sagas: events up to it are needed by none of them.

        None when no saga is live. Reads an index of all live sagas; meant for pruning, not for the hot path.
        """
        lowest: int | None = self._read("SELECT min(first_event_no) FROM sagas WHERE ended_ms IS NULL")[0][0]
        return lowest


def verified(path: str, rows: list[JournalRow]) -> list[JournalRow]:
    """Return `rows`, the journal of one saga in order, or raise CorruptStore when the chain does not hold."""
    previous = FIRST
    for expected, row in enumerate(rows, 1):
        saga_no, seq, at_ms, cause, encoding, _, digest, _ = row
        covered = row.covered
        if seq != expected:
            raise CorruptStore(path, f"the journal of saga number {saga_no} lacks row {expected}")
        if covered is not None and chain(previous, saga_no, seq, at_ms, cause, encoding, covered) != digest:
            raise CorruptStore(
                path, f"row {seq} in the journal of saga number {saga_no} does not fit its digest"
            )
        previous = digest
    return rows


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
