"""The statements that write a `Batch` to saga.db, in the order in which the rows of one part may refer to
another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from saga.store.batch import Definition, NewEvent, NewSaga, SagaUpdate, ScheduleRow
from saga.store.bulk import MAYBE, NOTHING, SMALL_SIZES, Bulk, Execute, Inserts, flat
from saga.store.digest import row_digest
from saga.store.journaling import JournalWriter

__all__ = ["LISTENERS", "Part", "parts"]

Part: TypeAlias = tuple[str, Callable[[Execute, Any], None]]
"""Attribute of a `Batch`, and what writes its rows: `write(execute, rows)`, which lets errors of sqlite3 pass."""

ALIKE = 2
"""Updates of sagas that are the same and are written together, at least."""


# --- rows of sagas, and others that are only ever added ---


def _flat_definitions(rows: Sequence[Definition]) -> list[Any]:
    return [value for row in rows for value in (*row[:4], row[4].decode(), row[5])]


def _flat_sagas(rows: Sequence[NewSaga]) -> list[Any]:
    values: list[Any] = []
    for row in rows:
        ended, causation = row[6], row[10]
        values += row[:6]
        values += (NOTHING if ended is None else ended, row[7], bytearray(row[8]), row[9])
        values += (NOTHING if causation is None else causation, row[11])
        values.append(row_digest(row[0], row[1], row[2], row[11]))
    return values


def _flat_events(rows: Sequence[NewEvent]) -> list[Any]:
    return flat([_with_digest(*row[:4], row[4].decode(), *row[5:]) for row in rows])


def _with_digest(*row: Any) -> tuple[Any, ...]:
    return (*row, row_digest(*row))


_DEFINITIONS = Inserts(
    "INSERT INTO definitions (no, name, version, hash, graph, first_used_ms)",
    "(?,?,?,?,?,?)",
    flatten=_flat_definitions,
    sizes=(1,),
)
_SAGAS = Inserts(
    "INSERT INTO sagas (no, id, definition_no, status, busy, started_ms, ended_ms, input_type, input_digest,"
    " correlation, causation, first_event_no, row_digest)",
    f"(?,?,?,?,?,?,{MAYBE},?,?,?,{MAYBE},?,?)",
    flatten=_flat_sagas,
)
_TAGS = Inserts("INSERT INTO tags (saga_no, key, value)", "(?,?,?)")
_EVENTS = Inserts(
    "INSERT INTO events (no, id, type, key, payload, at_ms, source, correlation, causation, row_digest)",
    f"(?,?,?,{MAYBE},?,?,?,?,{MAYBE},?)",
    flatten=_flat_events,
)


# --- rows that change ---


class _Updates:
    """Rows by their key, each with all columns that may change."""

    def __init__(self, statement: Bulk) -> None:
        self._statement = statement

    def run(self, execute: Execute, rows: Mapping[Any, tuple[Any, ...]]) -> None:
        self._statement.run(execute, [(key, *row) for key, row in rows.items()])


class _Participants(_Updates):
    """The same with the digest of each row."""

    def run(self, execute: Execute, rows: Mapping[Any, tuple[Any, ...]]) -> None:
        super().run(execute, {key: (*row, row_digest(key, *row)) for key, row in rows.items()})


class _SagaUpdates:
    """Rows of sagas by their number. Those of a batch mostly end together and well, so that what is written is the
    same for many of them: one statement with the list of their numbers, in less than half of the time."""

    def __init__(self, each: Bulk, columns: str) -> None:
        self._each = _Updates(each)
        self._same = f"UPDATE sagas SET {columns} WHERE no IN (SELECT value FROM json_each(?))"

    def run(self, execute: Execute, rows: Mapping[int, SagaUpdate]) -> None:
        alike: dict[SagaUpdate, list[int]] = {}
        for no, row in rows.items():
            alike.setdefault(row, []).append(no)
        for row, nos in alike.items():
            if len(nos) >= ALIKE:
                execute(self._same, [*flat([row]), f"[{','.join(map(str, nos))}]"])
        self._each.run(execute, {no: row for row, nos in alike.items() if len(nos) < ALIKE for no in nos})


class _Settings:
    """Rows by (saga_no, name), or None where there shall be no row."""

    def __init__(
        self, table: str, name: str, columns: Sequence[str], values: str, *, owner: str = "saga_no"
    ) -> None:
        self._over = Bulk(
            f"DELETE FROM {table} WHERE", f"({owner} = ? AND {name} = ?)", between=" OR ", sizes=SMALL_SIZES
        )
        self._set = Inserts(
            f"INSERT INTO {table} ({owner}, {name}, {', '.join(columns)})",
            values,
            f"ON CONFLICT DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in columns)}",
        )

    def run(self, execute: Execute, rows: Mapping[tuple[int, str], tuple[Any, ...] | None]) -> None:
        self._over.run(execute, [key for key, row in rows.items() if row is None])
        self._set.run(execute, [(*key, *row) for key, row in rows.items() if row is not None])


class _Numbers(_Settings):
    """The same for rows of one column, which need no tuple."""

    def run(self, execute: Execute, rows: Mapping[tuple[Any, str], int | None]) -> None:  # type: ignore[override]
        self._over.run(execute, [key for key, number in rows.items() if number is None])
        self._set.run(execute, [(*key, number) for key, number in rows.items() if number is not None])


class _Listeners(_Settings):
    """The same with the digest of each row."""

    def run(self, execute: Execute, rows: Mapping[tuple[Any, str], int | None]) -> None:  # type: ignore[override]
        digested = {
            key: None if position is None else (position, row_digest(*key, position))
            for key, position in rows.items()
        }
        super().run(execute, digested)


class _Schedules:
    """Schedules by name, or None where there shall be none: a few at a time, and seldom."""

    _over = "DELETE FROM schedules WHERE name = ?"
    _set = (
        "INSERT OR REPLACE INTO schedules (name, saga, input_type, input, tags, cron, time_zone, missed, overlap,"
        " digest, since_ms, next_ms, last_ms, runs, problem, row_digest)"
        " VALUES (?,?,?,CAST(? AS TEXT),CAST(? AS TEXT),?,?,?,?,?,?,?,?,?,?,?)"
    )

    def run(self, execute: Execute, rows: Mapping[str, ScheduleRow | None]) -> None:
        for name, row in rows.items():
            if row is None:
                execute(self._over, (name,))
            else:
                execute(self._set, (*row, row_digest(row.name, *row[10:])))


_SAGA_UPDATES = _SagaUpdates(
    Bulk(
        "UPDATE sagas SET status = v.column2, busy = v.column3, ended_ms = v.column4,"
        " refusal_code = v.column5, refusal_reason = v.column6 FROM (VALUES",
        f"(?,?,?,{MAYBE},{MAYBE},{MAYBE})",
        ") AS v WHERE sagas.no = v.column1",
    ),
    f"status = ?, busy = ?, ended_ms = {MAYBE}, refusal_code = {MAYBE}, refusal_reason = {MAYBE}",
)
_PARTICIPANTS = _Participants(
    Inserts(
        "INSERT INTO participants (name, kind, next_number, commit_no, outbox_no, row_digest)",
        "(?,?,?,?,?,?)",
        "ON CONFLICT DO UPDATE SET kind = excluded.kind, next_number = excluded.next_number,"
        " commit_no = excluded.commit_no, outbox_no = excluded.outbox_no, row_digest = excluded.row_digest",
        sizes=(8, 4, 2, 1),
    )
)
_SUSPECTS_OVER = Bulk(
    "DELETE FROM suspects WHERE",
    "(participant = ? AND kind = ? AND no = ?)",
    between=" OR ",
    sizes=SMALL_SIZES,
)
_WAITS = _Settings("waits", "path", ("type", "key"), f"(?,?,?,{MAYBE})")
_TASKS = _Settings(
    "tasks",
    "path",
    ("task", "answer_type", "subject", "assignee", "since_ms", "due_ms"),
    f"(?,?,?,?,CAST(? AS TEXT),{MAYBE},?,{MAYBE})",
)
_TIMERS = _Numbers("timers", "name", ("due_ms",), "(?,?,?)")
_INCIDENTS = _Settings("open_incidents", "path", ("kind", "reason", "since_ms"), "(?,?,?,?,?)")
LISTENERS = _Listeners("listeners", "event_type", ("position", "row_digest"), "(?,?,?,?)", owner="context")

_BEFORE: tuple[Part, ...] = (
    ("definitions", _DEFINITIONS.run),
    ("new_sagas", _SAGAS.run),
)
_BEHIND: tuple[Part, ...] = (
    ("saga_updates", _SAGA_UPDATES.run),
    ("tags", _TAGS.run),
    ("waits", _WAITS.run),
    ("tasks", _TASKS.run),
    ("timers", _TIMERS.run),
    ("incidents", _INCIDENTS.run),
    ("events", _EVENTS.run),
    ("participants", _PARTICIPANTS.run),
    ("suspects", _SUSPECTS_OVER.run),
    ("schedules", _Schedules().run),
    ("listeners", LISTENERS.run),
)


def parts(journal: JournalWriter) -> tuple[Part, ...]:
    """Return what writes a batch of the store whose journal this is, in order."""
    return (*_BEFORE, ("journal", journal.write), *_BEHIND)
