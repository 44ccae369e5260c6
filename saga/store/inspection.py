"""What only those ask who look a store over: many sagas at once, and what is in the files of contexts.

It adds to `reading`, and like it works beside a running process and changes nothing. All of it is read in
pieces, so that memory stays bounded and no read transaction lasts long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import msgspec

from saga.errors import StoreNotFound
from saga.store.batch import IncidentRow, JournalRow, SagaRow, SuspectRow, TaskRow, TimerRow, WaitRow
from saga.store.connection import open_reader, translated
from saga.store.context_store import RETRY_COLUMNS, InboxRow, RetryRow
from saga.store.files import StoreFiles
from saga.store.queries import SUSPECTS
from saga.store.reading import TASK_COLUMNS, StoreReader
from saga.store.saga_store import JOURNAL_COLUMNS, SAGA_COLUMNS
from saga.store.schema import CONTEXT

__all__ = [
    "ContextReader",
    "OpenIncident",
    "OutboxSpan",
    "StoredSaga",
    "events_there",
    "ids_with_prefix",
    "incident_counts",
    "live_by_definition",
    "matching_events",
    "newest_no",
    "open_incidents",
    "saga_ids",
    "stored_sagas",
    "suspected",
    "unknown_ids",
]

R = TypeVar("R", JournalRow, WaitRow, TaskRow, TimerRow, IncidentRow)


# --- saga.db ---


class StoredSaga(NamedTuple):
    """Everything that saga.db holds about one saga; waits and tasks by path, timers by name, incidents by path."""

    row: SagaRow
    tags: dict[str, str]
    journal: list[JournalRow]
    waits: list[WaitRow]
    tasks: list[TaskRow]
    timers: list[TimerRow]
    incidents: list[IncidentRow]


def saga_ids(
    reader: StoreReader, low: int, high: int, limit: int, *, live_only: bool = False
) -> dict[int, str]:
    """Return number → id of sagas with numbers above `low` up to `high`, in order, at most `limit`."""
    live = " AND ended_ms IS NULL" if live_only else ""
    statement = f"SELECT no, id FROM sagas WHERE no > ? AND no <= ?{live} ORDER BY no LIMIT ?"
    return dict(reader._rows(statement, (low, high, limit)))


def stored_sagas(reader: StoreReader, nos: Iterable[int]) -> list[StoredSaga]:
    """Return all that is stored about the sagas with these numbers, in order, as of one moment."""
    chosen = (_json(list(nos)),)
    which = "IN (SELECT value FROM json_each(?))"

    def rows(columns: str, table: str, order: str) -> list[Any]:
        return reader._rows(
            f"SELECT {columns} FROM {table} WHERE saga_no {which} ORDER BY saga_no, {order}", chosen
        )

    with reader.moment():
        sagas = reader._rows(f"SELECT {SAGA_COLUMNS} FROM sagas WHERE no {which} ORDER BY no", chosen)
        journals = _by_saga(map(JournalRow._make, rows(JOURNAL_COLUMNS, "journal", "seq")))
        waits = _by_saga(map(WaitRow._make, rows("saga_no, path, type, key", "waits", "path")))
        tasks = _by_saga(map(TaskRow._make, rows(TASK_COLUMNS, "tasks", "path")))
        timers = _by_saga(map(TimerRow._make, rows("saga_no, name, due_ms", "timers", "name")))
        columns = "saga_no, path, kind, reason, since_ms"
        incidents = _by_saga(map(IncidentRow._make, rows(columns, "open_incidents", "path")))
        tags: dict[int, dict[str, str]] = {}
        for no, key, value in rows("saga_no, key, value", "tags", "key"):
            tags.setdefault(no, {})[key] = value
    return [
        StoredSaga(
            row,
            tags.get(row.no, {}),
            *(found.get(row.no, []) for found in (journals, waits, tasks, timers, incidents)),  # type: ignore[arg-type]
        )
        for row in map(SagaRow._make, sagas)
    ]


def _by_saga(rows: Iterable[R]) -> dict[int, list[R]]:
    found: dict[int, list[R]] = {}
    for row in rows:
        found.setdefault(row.saga_no, []).append(row)
    return found


def newest_no(reader: StoreReader) -> int:
    """Return the number of the saga that was started last, 0 for none."""
    number: int = reader._rows("SELECT coalesce(max(no), 0) FROM sagas")[0][0]
    return number


def ids_with_prefix(reader: StoreReader, prefix: str, limit: int) -> list[str]:
    """Return ids of sagas that begin with `prefix`, in alphabetical order, at most `limit`."""
    statement = "SELECT id FROM sagas WHERE id >= ? ORDER BY id LIMIT ?"
    return [id_ for (id_,) in reader._rows(statement, (prefix, limit)) if id_.startswith(prefix)]


def unknown_ids(reader: StoreReader, ids: Iterable[str]) -> set[str]:
    """Return those of `ids` that no saga has."""
    wanted = set(ids)
    statement = "SELECT id FROM sagas WHERE id IN (SELECT value FROM json_each(?))"
    return wanted - {id_ for (id_,) in reader._rows(statement, (_json(sorted(wanted)),))}


def live_by_definition(reader: StoreReader) -> dict[int, int]:
    """Return definition number → how many live sagas were started with it, for those that have any."""
    statement = "SELECT definition_no, count(*) FROM sagas WHERE ended_ms IS NULL GROUP BY definition_no"
    return dict(reader._rows(statement))


class OpenIncident(NamedTuple):
    """One thing that a person has to look at, with its saga."""

    saga_id: str
    definition_no: int
    status: str
    path: str
    kind: str
    reason: str
    since_ms: int


def open_incidents(reader: StoreReader, *, kind: str | None = None, limit: int) -> list[OpenIncident]:
    """Return what people have to look at (of this kind), the newest first, at most `limit`."""
    statement = (
        "SELECT s.id, s.definition_no, s.status, i.path, i.kind, i.reason, i.since_ms"
        " FROM open_incidents i JOIN sagas s ON s.no = i.saga_no"
        " WHERE i.kind = ? OR ? IS NULL ORDER BY i.since_ms DESC, s.no DESC LIMIT ?"
    )
    return [OpenIncident._make(row) for row in reader._rows(statement, (kind, kind, limit))]


def incident_counts(reader: StoreReader) -> dict[str, int]:
    """Return kind → how many incidents of it are open."""
    return dict(reader._rows("SELECT kind, count(*) FROM open_incidents GROUP BY kind ORDER BY kind"))


def suspected(reader: StoreReader) -> list[SuspectRow]:
    """Return what was running at unclean ends and was not carried out to its end since, the most often first."""
    return [SuspectRow._make(row) for row in reader._rows(SUSPECTS)]


def matching_events(reader: StoreReader, type_: str, key: str, after_no: int) -> list[str]:
    """Return the ids of the events of this type and key with a number above `after_no`, in order."""
    statement = "SELECT id FROM events WHERE type = ? AND key = ? AND no > ? ORDER BY no"
    return [id_ for (id_,) in reader._rows(statement, (type_, key, after_no))]


def events_there(reader: StoreReader, nos: Iterable[int]) -> set[int]:
    """Return those of these event numbers that are still in the log."""
    statement = "SELECT no FROM events WHERE no IN (SELECT value FROM json_each(?))"
    return {no for (no,) in reader._rows(statement, (_json(sorted(nos)),))}


# --- the file of a context ---


class OutboxSpan(NamedTuple):
    """Which numbers are in an outbox: None and None when it is empty."""

    first: int | None
    last: int | None
    size: int


class ContextReader:
    """The file of one context, opened for reading. Close it, or use it as a context manager.

    Each call sees one moment of the file, several inside `with context.moment()`. All raise CorruptStore,
    FileLocked.
    """

    def __init__(self, connection: sqlite3.Connection, path: str, name: str) -> None:
        self._connection = connection
        self.path, self.name = path, name

    @classmethod
    def open(cls, files: StoreFiles, name: str) -> ContextReader:
        """Open the file of context `name`. Raises StoreNotFound, SchemaTooNew, NotAStore, CorruptStore,
        CannotOpen.
        """
        path = files.context(name)
        if files.in_memory or CONTEXT.look(path) is None:
            raise StoreNotFound(path)
        return cls(open_reader(path, any_thread=True), path, name)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> ContextReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Let all calls inside see the file as it is at the first of them. Keep it short."""
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("COMMIT")

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self.path, opening=True) from error

    def stored_name(self) -> str:
        """Return the name of the context that the file says it is of."""
        name: str = self._rows("SELECT name FROM _saga_file")[0][0]
        return name

    def floor(self) -> int:
        """Return the number below which no command is open; rows of such may have been forgotten."""
        floor: int = self._rows("SELECT floor FROM _saga_file")[0][0]
        return floor

    def kept_from(self) -> int:
        """Return the number from which on no answer was forgotten.

        Only those below the floor are forgotten, and the lowest first: so what is kept has no gap.
        """
        lowest = self._rows("SELECT min(number) FROM _saga_inbox WHERE number IS NOT NULL")[0][0]
        return self.floor() if lowest is None else min(lowest, self.floor())

    def outbox_no(self) -> int:
        """Return the highest number ever given in the outbox."""
        number: int = self._rows("SELECT outbox_no FROM _saga_file")[0][0]
        return number

    def outbox(self) -> OutboxSpan:
        """Return what is in the outbox."""
        return OutboxSpan._make(self._rows("SELECT min(no), max(no), count(*) FROM _saga_outbox")[0])

    def positions(self) -> dict[str, int]:
        """Return event type → number of the last event that was taken."""
        return dict(self._rows("SELECT event_type, position FROM _saga_positions ORDER BY 1"))

    def retries(self) -> list[RetryRow]:
        """Return the events that a listener has failed on."""
        return [
            RetryRow._make(row)
            for row in self._rows(f"SELECT {RETRY_COLUMNS} FROM _saga_retries ORDER BY 1, 2")
        ]

    def answers(self, command_ids: Iterable[str]) -> dict[str, InboxRow]:
        """Return command id → how it ended, for those that are remembered."""
        statement = f"SELECT {_INBOX} FROM _saga_inbox WHERE command_id IN (SELECT value FROM json_each(?))"
        rows = map(InboxRow._make, self._rows(statement, (_json(list(command_ids)),)))
        return {row.command_id: row for row in rows}

    def answers_of(self, saga_ids: Iterable[str]) -> dict[str, InboxRow]:
        """Return command id → how it ended, for all remembered commands of these sagas."""
        # A command's id is that of its saga, a colon, and a path, which has none; the semicolon comes next
        # after it.
        statement = (
            f"SELECT v.value, {_INBOX} FROM json_each(?) AS v CROSS JOIN _saga_inbox"
            " WHERE command_id > v.value || ':' AND command_id < v.value || ';' AND number IS NOT NULL"
        )
        found = {}
        for saga_id, *rest in self._rows(statement, (_json(list(saga_ids)),)):
            row = InboxRow._make(rest)
            if row.command_id.rpartition(":")[0] == saga_id:  # `a:b` begins like a command of saga `a`
                found[row.command_id] = row
        return found

    def commands(self, after: str, limit: int) -> list[tuple[str, int]]:
        """Return (id, number) of remembered commands of sagas, by id, behind `after`, at most `limit`."""
        statement = (
            "SELECT command_id, number FROM _saga_inbox WHERE command_id > ? AND number IS NOT NULL"
            " ORDER BY command_id LIMIT ?"
        )
        return self._rows(statement, (after, limit))


_INBOX = "command_id, number, outcome, CAST(answer AS BLOB), code, reason, at_ms"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
