"""What only those ask who look a store over: many sagas at once, and what is in the files of contexts.

It adds to `reading`, and like it works beside a running process and changes nothing. All of it is read in
pieces, so that memory stays bounded and no read transaction lasts long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import msgspec

from saga.errors import StoreNotFound
from saga.store.batch import (
    EventRow,
    IncidentRow,
    JournalRow,
    SagaRow,
    SuspectRow,
    TaskRow,
    TimerRow,
    WaitRow,
)
from saga.store.connection import FAILURES, open_reader, translated
from saga.store.context_rows import OUTBOX_COLUMNS, RETRY_READ, InboxRow, OutboxRow, RetryRow
from saga.store.files import MEMORY, StoreFiles
from saga.store.queries import SUSPECTS
from saga.store.reading import TASK_COLUMNS, StoreReader
from saga.store.saga_store import EVENT_COLUMNS, SAGA_COLUMNS
from saga.store.schema import CONTEXT

__all__ = [
    "ContextReader",
    "ListenerRow",
    "OpenIncident",
    "OutboxSpan",
    "StoredSaga",
    "event_of",
    "ids_with_prefix",
    "incident_counts",
    "kept_for",
    "live_by_definition",
    "matching_events",
    "newest_no",
    "open_incidents",
    "saga_ids",
    "sagas_of",
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
        journals = _by_saga(map(JournalRow._make, rows(reader.journal_columns(), "journal", "seq")))
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


def kept_for(reader: StoreReader, positions: Mapping[str, int]) -> int:
    """Return how many events there are in the log of these types, each behind a position of its own."""
    statement = "SELECT count(*) FROM events WHERE no > ? AND type = ?"
    return sum(reader._rows(statement, (position, type_))[0][0] for type_, position in positions.items())


def sagas_of(reader: StoreReader, correlation: str, limit: int) -> list[int]:
    """Return the numbers of the sagas of this correlation in the order of their starts, at most `limit`."""
    led = "SELECT no FROM sagas WHERE correlation = ? AND correlation <> id"  # so that the index is used
    statement = f"SELECT no FROM sagas WHERE id = ? AND correlation = id UNION {led} ORDER BY no LIMIT ?"
    return [no for (no,) in reader._rows(statement, (correlation, correlation, limit))]


def event_of(reader: StoreReader, event_id: str) -> EventRow | None:
    """Return the event of this id, None when it is not in the log (any more)."""
    rows = reader._rows(f"SELECT {EVENT_COLUMNS} FROM events WHERE id = ?", (event_id,))
    return EventRow._make(rows[0]) if rows else None


# --- the file of a context ---


class ListenerRow(NamedTuple):
    """How far a listener has come: events above `began`, up to `position`, were given to it."""

    event_type: str
    began: int
    position: int


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

    def __init__(self, connection: sqlite3.Connection, path: str, name: str, *, own: bool = True) -> None:
        self._connection, self._own = connection, own
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

    @classmethod
    def over(cls, connection: sqlite3.Connection, name: str) -> ContextReader:
        """Return a reader over the connection of an owner, in its thread, between two transactions."""
        return cls(connection, MEMORY, name, own=False)

    def close(self) -> None:
        """Close the file."""
        if self._own:
            self._connection.close()

    def __enter__(self) -> ContextReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Let all calls inside see the file as it is at the first of them. Keep it short."""
        if not self._own:  # nobody else is there, and what user code may find prepared must not be a BEGIN
            yield
            return
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("COMMIT")

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except FAILURES as error:
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

        Only those below the floor are forgotten, and the lowest first: so what is kept has no gap, but for the
        commands of sagas that are gone, or about to be.
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

    def listeners(self) -> list[ListenerRow]:
        """Return how far the listeners of this context have come, by event type."""
        rows = self._rows("SELECT event_type, began, position FROM _saga_positions ORDER BY 1")
        return [ListenerRow._make(row) for row in rows]

    def retries(self, *, set_aside: bool | None = None, after: int = 0, limit: int = 1_000) -> list[RetryRow]:
        """Return the events that a listener has failed on, those set aside (True), those that will be tried again
        (False) or both; with event numbers above `after`, in order, at most `limit`.
        """
        which = {None: "", True: " AND due_ms IS NULL", False: " AND due_ms IS NOT NULL"}[set_aside]
        statement = (
            f"SELECT {RETRY_READ} FROM _saga_retries WHERE event_no > ?{which} ORDER BY event_no LIMIT ?"
        )
        return [RetryRow._make(row) for row in self._rows(statement, (after, limit))]

    def failed_count(self, event_type: str, *, set_aside: bool) -> int:
        """Return how many events of this type a listener has failed on: set aside, or to be tried again."""
        which = "IS NULL" if set_aside else "IS NOT NULL"
        statement = f"SELECT count(*) FROM _saga_retries WHERE event_type = ? AND due_ms {which}"
        count: int = self._rows(statement, (event_type,))[0][0]
        return count

    def untaken_retries(self) -> list[tuple[int, str]]:
        """Return (number, type) of events that a listener has failed on without having come so far, at most 100."""
        return self._rows(
            "SELECT r.event_no, r.event_type FROM _saga_retries r WHERE NOT EXISTS (SELECT 1 FROM _saga_positions p"
            " WHERE p.event_type = r.event_type AND p.position >= r.event_no) ORDER BY 1 LIMIT 100"
        )

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

    def sent(self, command_id: str) -> tuple[str, InboxRow] | None:
        """Return the type of a command that the application has sent, and how it ended; None for another one."""
        both = "_saga_sent s JOIN _saga_inbox USING (command_id)"
        statement = f"SELECT s.type, {_INBOX} FROM {both} WHERE command_id = ?"
        rows = self._rows(statement, (command_id,))
        return (rows[0][0], InboxRow._make(rows[0][1:])) if rows else None

    def published(self, *, correlation: str, limit: int) -> list[OutboxRow]:
        """Return the events of this correlation that are still in the outbox, in order, at most `limit`."""
        columns = OUTBOX_COLUMNS.replace("payload", "CAST(payload AS BLOB)")
        statement = f"SELECT {columns} FROM _saga_outbox WHERE correlation = ? ORDER BY no LIMIT ?"
        return [OutboxRow._make(row) for row in self._rows(statement, (correlation, limit))]

    def correlation_of(self, event_id: str) -> str | None:
        """Return the correlation of an event that is still in the outbox; None for another one."""
        rows = self._rows("SELECT correlation FROM _saga_outbox WHERE event_id = ?", (event_id,))
        return rows[0][0] if rows else None

    def failed(self, *, correlation: str, limit: int) -> list[RetryRow]:
        """Return the events of this correlation that a listener has failed on, in order, at most `limit`."""
        statement = f"SELECT {RETRY_READ} FROM _saga_retries WHERE correlation = ? ORDER BY event_no LIMIT ?"
        return [RetryRow._make(row) for row in self._rows(statement, (correlation, limit))]

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
