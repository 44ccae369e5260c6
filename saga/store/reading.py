"""Reading a store as someone who does not own it: the command line, a dashboard, a test.

Works beside a running process and on what a dead one left, needs no code of the store's authors, and changes
nothing: the files are opened `mode=ro`. A store in memory is read over its owner's connection, in its owner's
thread.

Each call sees one moment of one file. Several calls see one moment of saga.db inside `with reader.moment():`;
keep that short, since the owner cannot shrink its write-ahead log meanwhile.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from saga.errors import StoreNotFound
from saga.store.batch import (
    DefinitionRow,
    EventRow,
    IncidentRow,
    JournalRow,
    Participant,
    SagaRow,
    ScheduleRow,
    TaskRow,
    TimerRow,
    WaitRow,
)
from saga.store.connection import FAILURES, open_reader, translated
from saga.store.context_rows import FILE_COLUMNS
from saga.store.errors import NotAStore
from saga.store.files import MEMORY, StoreFiles
from saga.store.queries import EVENT_COLUMNS, JOURNAL_COLUMNS, SAGA_COLUMNS, SCHEDULE_COLUMNS, WITHOUT_FORMS
from saga.store.saga_store import STORE_COLUMNS
from saga.store.schema import CONTEXT, FORMS_SINCE, SAGA

__all__ = ["ContextFacts", "OverviewRow", "StoreFacts", "StoreReader"]


class StoreFacts(NamedTuple):
    """What saga.db says about itself; the columns of its table `store`."""

    store_id: str
    epoch: int
    commit_no: int
    clean: int
    """1: closed in order; 0: open, or cut off."""
    high_ms: int
    saga_no: int
    event_no: int
    clock: str | None


class ContextFacts(NamedTuple):
    """What the file of a context says about itself, and how much is in it."""

    store_id: str
    name: str
    epoch: int
    commit_no: int
    coordinator_commit_no: int
    floor: int
    outbox_no: int
    inbox: int
    """How many commands it remembers the answers of."""
    outbox: int
    """How many events are not yet known to be in the event log."""
    to_retry: int
    """How many events a listener has failed on, and will be tried on again."""
    set_aside: int
    """How many a listener has failed on too often."""


class OverviewRow(NamedTuple):
    """One line of a list of sagas: the view `sagas_overview`, with times in UTC ms."""

    no: int
    id: str
    name: str
    version: int
    status: str
    busy: int
    started_ms: int
    ended_ms: int | None
    refusal_code: str | None
    refusal_reason: str | None
    incidents: int
    next_due_ms: int | None
    tags: dict[str, str]


TASK_COLUMNS = "saga_no, path, task, answer_type, CAST(subject AS BLOB), assignee, since_ms, due_ms"

_OVERVIEW = """
    SELECT s.no, s.id, d.name, d.version, s.status, s.busy, s.started_ms, s.ended_ms, s.refusal_code,
    s.refusal_reason,
           (SELECT count(*) FROM open_incidents i WHERE i.saga_no = s.no),
           (SELECT min(t.due_ms) FROM timers t WHERE t.saga_no = s.no)
    FROM sagas s JOIN definitions d ON d.no = s.definition_no
"""


class StoreReader:
    """A store, opened for reading. Close it, or use it as a context manager.

    Used in one thread at a time, whichever. All methods raise CorruptStore, and FileLocked when the file is
    being recovered by its owner at this moment.
    """

    def __init__(self, connection: sqlite3.Connection, files: StoreFiles, *, own: bool) -> None:
        self._connection, self._own = connection, own
        self.files = files

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> StoreReader:
        """Open the store in `directory`. Raises StoreNotFound, SchemaTooNew, NotAStore, CorruptStore,
        CannotOpen.
        """
        files = StoreFiles.at(directory)
        if files.in_memory or SAGA.look(files.saga) is None:
            raise StoreNotFound(files.directory)
        return cls(open_reader(files.saga, any_thread=True), files, own=True)

    @classmethod
    def over(cls, connection: sqlite3.Connection) -> StoreReader:
        """Return a reader over the connection of an owner, in its thread; closing the reader does not close
        it.
        """
        return cls(connection, StoreFiles(MEMORY), own=False)

    def close(self) -> None:
        """Close the file."""
        if self._own:
            self._connection.close()

    def __enter__(self) -> StoreReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Let all calls inside see saga.db as it is at the first of them."""
        if self._connection.in_transaction:
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
            raise translated(error, self.files.saga, opening=True) from error

    # --- the store ---

    def store(self) -> StoreFacts:
        """Return what saga.db says about itself."""
        return StoreFacts._make(self._rows(f"SELECT {STORE_COLUMNS} FROM store")[0])

    def pruned_ms(self) -> int:
        """Return the time before which sagas that ended may be gone, 0 when none is."""
        if self._rows("PRAGMA user_version")[0][0] < 2:
            return 0  # by an older version, and not opened since
        pruned_ms: int = self._rows("SELECT pruned_ms FROM store")[0][0]
        return pruned_ms

    def journal_columns(self) -> str:
        """Return what is read of a row of the journal to make a `JournalRow`."""
        return JOURNAL_COLUMNS if self._rows("PRAGMA user_version")[0][0] >= FORMS_SINCE else WITHOUT_FORMS

    def participants(self) -> dict[str, Participant]:
        """Return name → (kind, next_number, commit_no, outbox_no)."""
        rows = self._rows(
            "SELECT name, kind, next_number, commit_no, outbox_no FROM participants ORDER BY name"
        )
        return {row[0]: row[1:] for row in rows}

    def definitions(self) -> list[DefinitionRow]:
        """Return the process graphs that were ever used, in the order of first use."""
        rows = self._rows(
            "SELECT no, name, version, hash, CAST(graph AS BLOB), first_used_ms FROM definitions ORDER BY no"
        )
        return [DefinitionRow._make(row) for row in rows]

    def definition(self, no: int) -> DefinitionRow:
        """Return the process graph of this number. KeyError when there is none."""
        for row in self.definitions():
            if row.no == no:
                return row
        raise KeyError(no)

    def schedules(self) -> list[ScheduleRow]:
        """Return all recurring starts, by name."""
        rows = self._rows(f"SELECT {SCHEDULE_COLUMNS} FROM schedules ORDER BY name")
        return [ScheduleRow._make(row) for row in rows]

    # --- sagas ---

    def overview(
        self,
        *,
        id: str | None = None,
        saga: str | None = None,
        status: str | Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 100,
        after: int | None = None,
    ) -> list[OverviewRow]:
        """Return sagas, the newest first, at most `limit`.

        `id` is that of one saga, `saga` the name of a definition, `status` one or several, `tags` must all be
        there. For the next page give the `no` of the last row as `after`.
        """
        conditions = ["s.no < ?"]
        given: list[Any] = [2**62 if after is None else after]
        if id is not None:
            conditions.append("s.id = ?")
            given.append(id)
        if saga is not None:
            conditions.append("d.name = ?")
            given.append(saga)
        if status is not None:
            statuses = [status] if isinstance(status, str) else list(status)
            conditions.append(f"s.status IN ({','.join('?' * len(statuses))})")
            given += statuses
            if not {"COMPLETED", "COMPENSATED"} & set(statuses):
                conditions.append("s.ended_ms IS NULL")  # so that the index of live sagas can be used
        for key, value in (tags or {}).items():
            conditions.append("s.no IN (SELECT saga_no FROM tags WHERE key = ? AND value = ?)")
            given += (key, value)
        rows = self._rows(
            f"{_OVERVIEW} WHERE {' AND '.join(conditions)} ORDER BY s.no DESC LIMIT ?", (*given, limit)
        )
        tags_of = self._tags([row[0] for row in rows])
        return [OverviewRow._make((*row, tags_of.get(row[0], {}))) for row in rows]

    def _tags(self, saga_nos: Sequence[int]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for at in range(0, len(saga_nos), 500):
            some = saga_nos[at : at + 500]
            marks = ",".join("?" * len(some))
            for no, key, value in self._rows(
                f"SELECT saga_no, key, value FROM tags WHERE saga_no IN ({marks}) ORDER BY saga_no, key", some
            ):
                found.setdefault(no, {})[key] = value
        return found

    def saga(self, saga_id: str) -> SagaRow | None:
        """Return the saga of this id, or None."""
        rows = self._rows(f"SELECT {SAGA_COLUMNS} FROM sagas WHERE id = ?", (saga_id,))
        return SagaRow._make(rows[0]) if rows else None

    def tags(self, saga_no: int) -> dict[str, str]:
        """Return the tags of a saga."""
        return self._tags([saga_no]).get(saga_no, {})

    def journal(self, saga_no: int) -> list[JournalRow]:
        """Return the journal of a saga in order, as it is: the chain is not checked, see `integrity`."""
        statement = f"SELECT {self.journal_columns()} FROM journal WHERE saga_no = ? ORDER BY seq"
        return [JournalRow._make(row) for row in self._rows(statement, (saga_no,))]

    def waits(self, saga_no: int | None = None) -> list[WaitRow]:
        """Return which events this saga, or with None every saga, waits for."""
        return [WaitRow._make(row) for row in self._of_saga("saga_no, path, type, key", "waits", saga_no)]

    def tasks(self, saga_no: int | None = None) -> list[TaskRow]:
        """Return what persons are to decide in this saga, or with None in every saga."""
        return [TaskRow._make(row) for row in self._of_saga(TASK_COLUMNS, "tasks", saga_no)]

    def open_tasks(
        self,
        *,
        saga: str | None = None,
        task: str | None = None,
        assignee: str | None = None,
        limit: int = 100,
        after: tuple[int, str] = (0, ""),
    ) -> list[tuple[str, str, TaskRow]]:
        """Return id and name of the saga and the task, of tasks that are open, in the order of the sagas' starts, at
        most `limit`.

        `saga` is the name of a definition, `task` that of an element; `assignee`: tasks of this person, and with ""
        those of nobody in particular. For the next page give number and path of the last one as `after`.
        """
        conditions, given = ["(t.saga_no, t.path) > (?, ?)"], list[Any](after)
        for column, wanted in (("d.name", saga), ("t.task", task)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                given.append(wanted)
        if assignee is not None:
            conditions.append("t.assignee IS ?")
            given.append(assignee or None)
        rows = self._rows(
            f"SELECT s.id, d.name, {TASK_COLUMNS} FROM tasks t"
            " JOIN sagas s ON s.no = t.saga_no JOIN definitions d ON d.no = s.definition_no"
            f" WHERE {' AND '.join(conditions)} ORDER BY t.saga_no, t.path LIMIT ?",
            (*given, limit),
        )
        return [(row[0], row[1], TaskRow._make(row[2:])) for row in rows]

    def timers(self, saga_no: int | None = None) -> list[TimerRow]:
        """Return the timers of this saga, or with None of every saga."""
        return [TimerRow._make(row) for row in self._of_saga("saga_no, name, due_ms", "timers", saga_no)]

    def incidents(self, saga_no: int | None = None) -> list[IncidentRow]:
        """Return what a person has to look at in this saga, or with None in every saga."""
        columns = "saga_no, path, kind, reason, since_ms"
        return [IncidentRow._make(row) for row in self._of_saga(columns, "open_incidents", saga_no)]

    def _of_saga(self, columns: str, table: str, saga_no: int | None) -> list[Any]:
        if saga_no is None:
            return self._rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2")
        return self._rows(f"SELECT {columns} FROM {table} WHERE saga_no = ? ORDER BY 2", (saga_no,))

    def counts(self, saga: str | None = None) -> dict[str, int]:
        """Return status → number of sagas, of those that occur; with `saga` of that definition only."""
        if saga is None:
            return dict(self._rows("SELECT status, count(*) FROM sagas GROUP BY status"))
        return dict(
            self._rows(
                "SELECT status, count(*) FROM sagas WHERE definition_no IN"
                " (SELECT no FROM definitions WHERE name = ?) GROUP BY status",
                (saga,),
            )
        )

    def events(
        self,
        *,
        type: str | None = None,
        key: str | None = None,
        correlation: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[EventRow]:
        """Return events of the log (of this type, key and correlation) with a number above `after`, in order, at
        most `limit`.
        """
        conditions: list[str] = ["no > ?"]
        given: list[int | str] = [after]
        for column, wanted in (("type", type), ("key", key), ("correlation", correlation)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                given.append(wanted)
        statement = f"SELECT {EVENT_COLUMNS} FROM events WHERE {' AND '.join(conditions)} ORDER BY no LIMIT ?"
        return [EventRow._make(row) for row in self._rows(statement, (*given, limit))]

    def listeners(self) -> dict[tuple[str, str], int]:
        """Return (context, event type) → position, of all listeners that the log is kept for."""
        rows = self._rows("SELECT context, event_type, position FROM listeners ORDER BY 1, 2")
        return {(context, type_): position for context, type_, position in rows}

    # --- the files of contexts ---

    def contexts(self) -> list[str]:
        """Return the names of the contexts that this store has a file of, in alphabetical order."""
        return [name for name in self.files.context_names() if self._is_context(name)]

    def _is_context(self, name: str) -> bool:
        try:
            return CONTEXT.look(self.files.context(name)) is not None
        except NotAStore:
            return False

    def context(self, name: str) -> ContextFacts:
        """Return what the file of context `name` says. Raises StoreNotFound when there is no such file."""
        path = self.files.context(name)
        if self.files.in_memory or CONTEXT.look(path) is None:
            raise StoreNotFound(path)
        connection = open_reader(path)
        try:
            execute = connection.execute
            facts = execute(f"SELECT {FILE_COLUMNS} FROM _saga_file").fetchone()
            inbox = execute("SELECT count(*) FROM _saga_inbox").fetchone()[0]
            outbox = execute("SELECT count(*) FROM _saga_outbox").fetchone()[0]
            retries = execute("SELECT count(due_ms), count(*) - count(due_ms) FROM _saga_retries").fetchone()
        except FAILURES as error:
            raise translated(error, path, opening=True) from error
        finally:
            connection.close()
        return ContextFacts._make((*facts, inbox, outbox, *retries))
