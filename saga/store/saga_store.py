"""The coordinator's file, saga.db: opening it, writing to it in commits, closing it. What is read: `queries`.

One commit, one `Batch`: `BEGIN IMMEDIATE`, a few large statements, `COMMIT`. After an error the connection is
as before the call, except after StoreFailed: then nobody knows, and only `abandon` may follow.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

import msgspec

from saga.errors import CorruptStore, DataLossDetected, SagaError, StoreFailed
from saga.seams import seam
from saga.store.batch import Batch
from saga.store.bulk import Execute
from saga.store.connection import (
    FAILURES,
    WAL_LIMIT_BYTES,
    check_process,
    close_untouched,
    open_owner,
    read_header,
    roll_back,
    shrink_wal,
    translated,
    wal_size,
)
from saga.store.files import MEMORY, StoreFiles
from saga.store.journaling import JournalWriter
from saga.store.lock import OwnerLock
from saga.store.queries import EVENT_COLUMNS, JOURNAL_COLUMNS, SAGA_COLUMNS, SagaQueries, verified
from saga.store.rows import FEW, check_few
from saga.store.running import Noted, read_running
from saga.store.schema import CONTEXT, SAGA
from saga.store.witness import Witness, check_witness
from saga.store.writing import LISTENERS, parts

__all__ = ["EVENT_COLUMNS", "JOURNAL_COLUMNS", "SAGA_COLUMNS", "STORE_COLUMNS", "SagaStore", "verified"]

T = TypeVar("T")

PRUNED_AT_ONCE = 10_000
"""How many events one commit deletes at most, so that no commit becomes long."""

OF_A_SAGA = ("journal", "tags", "waits", "tasks", "timers", "open_incidents")
"""The tables whose rows belong to one saga each."""

COMMITS_BETWEEN_WAL_CHECKS = 256

STORE_COLUMNS = "store_id, epoch, commit_no, clean, high_ms, saga_no, event_no, clock"

_STORE = (
    "UPDATE store SET commit_no = ?1, high_ms = max(high_ms, ?2), high_again = max(high_ms, ?2),"
    " saga_no = max(saga_no, ?3), event_no = max(event_no, ?4)"
)

_GIVEN = {
    "command": "SELECT next_number - 1 FROM participants WHERE name = :name",
    "event": "SELECT event_no FROM store",
    "saga": "SELECT saga_no FROM store",
}
"""The highest number given to something of this kind."""

_SUSPECT = (
    "INSERT INTO suspects (participant, kind, no, stops, alone, last_ms) VALUES (?, ?, ?, 1, ?, ?)"
    " ON CONFLICT DO UPDATE SET stops = stops + 1, alone = alone + excluded.alone, last_ms = excluded.last_ms"
)


def _nothing_noted(store_id: str, epoch: int) -> list[Noted]:
    """In memory nothing is noted of a run that was cut off."""
    return []


class SagaStore(SagaQueries):
    """The owner of saga.db. Opened by `open`, used in that thread only, ended by `close` or `abandon`.

    Attributes, read-only for everyone else:
    - `store_id`, `epoch` (counts the openings), `commit_no` (of the last commit), `high_ms` (latest time
      recorded)
    - `path`: of the file, ":memory:" for none
    - `ended_cleanly`: whether the run before this one was closed; True for a new store
    - `cut_off_starting`: whether that run ended in a function of a saga that never became durable
    - `is_new`: whether the store was made by this call
    - `clock`: what `set_clock` stored, JSON or None
    - `next_saga_no`, `next_event_no`: the lowest numbers never given away when the store was opened
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute  # one cursor, since making one costs 0.3 µs
        self.path = path
        self._pid = os.getpid()
        self._commits_to_wal_check = COMMITS_BETWEEN_WAL_CHECKS
        self.store_id = ""
        self.epoch = self.commit_no = self.high_ms = 0
        self.ended_cleanly = self.is_new = True
        self.cut_off_starting = False
        self.clock: str | None = None
        self._witness: Witness
        self._journal = JournalWriter()
        self._forms = self._journal.forms
        self._parts = parts(self._journal)
        self.next_saga_no = self.next_event_no = 1

    # --- opening and closing ---

    @classmethod
    def open(cls, files: StoreFiles, lock: OwnerLock | None, now_ms: int) -> SagaStore:
        """Open the store, or create it, as its one owner; `lock` may be None only for a store in memory.

        Counts the epoch up and marks the store as not closed, in one commit. Raises SchemaTooNew, NotAStore,
        CorruptStore, DataLossDetected, CannotOpen, DiskFull, FileLocked; then nothing was changed.
        """
        if lock is None and not files.in_memory:
            raise ValueError("a store on disk is opened under its lock")
        path = files.saga
        known = None if lock is None else lock.store_id
        exists = not files.in_memory and SAGA.look(path) is not None
        if not exists:
            _refuse_loss(files, known)
        seam("saga-db.looked")
        cut_off = _nothing_noted if files.in_memory else partial(read_running, files.running)
        store = cls.over(open_owner(path, create=not exists), path, now_ms, known, cut_off)
        if lock is not None:
            lock.note_store(store.store_id)
        seam("saga-db.noted-in-lock")
        return store

    @classmethod
    def over(
        cls,
        connection: sqlite3.Connection,
        path: str,
        now_ms: int,
        known: str | None = None,
        cut_off: Callable[[str, int], list[Noted]] = _nothing_noted,
    ) -> SagaStore:
        """Open the store that `connection`, made by `open_owner`, leads to: what `open` does once it has that.

        `known`: the store that must be there; `cut_off(store_id, epoch)`: what the run of that epoch was carrying
        out when it ended. The connection is closed when this fails.
        """
        store = cls(connection, path)
        try:
            store._start(now_ms, known, cut_off)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError):
                raise translated(error, path, opening=True) from error
            if isinstance(error, TypeError):  # nothing where there must be something
                raise CorruptStore(path, f"what is stored makes no sense ({error})") from error
            raise
        return store

    def _start(self, now_ms: int, known: str | None, cut_off: Callable[[str, int], list[Noted]]) -> None:
        execute = self._execute
        execute("BEGIN IMMEDIATE")
        try:
            SAGA.migrate(self._connection)
            seam("saga-db.migrated")
            row = execute(f"SELECT {STORE_COLUMNS} FROM store").fetchone()
            if row is None:
                row = (str(uuid.uuid4()), 0, 0, 1, now_ms, 0, 0, None)
                execute(
                    f"INSERT INTO store (only, {STORE_COLUMNS}) VALUES (1,?,?,?,?,?,?,?,?)",
                    row,
                )
                self.is_new = True
            else:
                self.is_new = False
            if execute("SELECT high_again != high_ms FROM store").fetchone()[0]:
                raise CorruptStore(self.path, "the latest time that is known is not what was written")
            check_few(execute, self.path, FEW[0])
            self._journal.open(execute)
            self.store_id, epoch, commit_no, clean, high_ms, saga_no, event_no, self.clock = row
            if known is not None and known != self.store_id:
                raise DataLossDetected(
                    self.path,
                    f"belongs to store {self.store_id}, but runtime.lock says that store {known} was here"
                    f" (delete runtime.lock if the files were put here on purpose)",
                )
            check_witness(self.path, self.store_id, epoch, commit_no)
            self.epoch, self.commit_no, self.high_ms = epoch + 1, commit_no + 1, max(high_ms, now_ms)
            if not clean:
                self._suspect(cut_off(self.store_id, epoch), now_ms)
            self.ended_cleanly, self.next_saga_no, self.next_event_no = bool(clean), saga_no + 1, event_no + 1
            execute(
                "UPDATE store SET epoch = ?1, commit_no = ?2, clean = 0, high_ms = ?3, high_again = ?3",
                (self.epoch, self.commit_no, self.high_ms),
            )
            seam("saga-db.before-opening-commit")
            execute("COMMIT")
            self._witness = Witness(self.path, self.store_id, self.epoch, self.commit_no)
        except BaseException:
            roll_back(self._connection)
            raise
        seam("saga-db.after-opening-commit")

    def _suspect(self, noted: list[Noted], now_ms: int) -> None:
        """Count what was being carried out when the last run was cut off; in the commit of the new epoch, so once.

        What never became durable has a number that will be given to something else: it is left out.
        """
        for each in noted:
            (given,) = self._execute(_GIVEN[each.kind], {"name": each.participant}).fetchone() or (0,)
            if each.no <= given:
                self._execute(_SUSPECT, (each.participant, each.kind, each.no, each.alone, now_ms))
                seam("saga-db.suspect-counted")
            elif each.kind == "saga":
                self.cut_off_starting = True

    def close(self, *, clean: bool = True) -> None:
        """Close the file, with `clean` as ended in order: the next start then knows that nothing was cut off.

        The connection is closed in any case. Raises what `commit` raises when the mark cannot be written.
        """
        check_process(self._pid)
        try:
            if clean:
                self._in_transaction("store", lambda execute: execute("UPDATE store SET clean = 1"))
                seam("saga-db.marked-clean")
                if self.path != MEMORY:
                    shrink_wal(self._connection)
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._connection.close()
        seam("saga-db.closed")

    def abandon(self) -> None:
        """Close the connection after StoreFailed, writing nothing: the files stay as they are for the next
        start.
        """
        check_process(self._pid)
        close_untouched(self._connection, self.path)

    # --- writing ---

    def commit(self, batch: Batch) -> int:
        """Write everything in `batch` in one transaction and return its commit number.

        Raises ConstraintFailed (nothing written; divide the batch), DiskFull or FileLocked (nothing written;
        try again with the same batch), StoreFailed (outcome unknown; abandon the store), CorruptStore,
        ForkedRuntime.
        """
        check_process(self._pid)
        execute = self._execute
        commit_no, part = self.commit_no + 1, "store"
        try:
            execute("BEGIN IMMEDIATE")
            for part, write in self._parts:
                rows = getattr(batch, part)
                if rows:
                    write(execute, rows)
            part = "store"
            high_saga = max((row[0] for row in batch.new_sagas), default=0)
            high_event = max((row[0] for row in batch.events), default=0)
            execute(_STORE, (commit_no, batch.high_ms, high_saga, high_event))
            seam("saga-db.before-commit")
            execute("COMMIT")
        except BaseException as error:
            self._journal.undone()
            self._undo(error, part)
        self._journal.written()
        self.commit_no = commit_no
        self._witness.note(commit_no)
        self.high_ms = max(self.high_ms, batch.high_ms)
        seam("saga-db.after-commit")
        self._commits_to_wal_check -= 1
        if self._commits_to_wal_check <= 0:
            self._check_wal()
        return commit_no

    def _undo(self, error: BaseException, part: str) -> NoReturn:
        """Roll back after `error` and raise what it means."""
        try:
            roll_back(self._connection)
        except FAILURES as second:
            raise StoreFailed(self.path, f"a failed write cannot be rolled back: {second}") from error
        if isinstance(error, sqlite3.Error | OverflowError | UnicodeError):
            raise translated(error, self.path, part=part) from error
        raise error

    def _in_transaction(self, part: str, write: Callable[[Execute], T]) -> T:
        """Call `write(execute)` in a commit of its own, which gets the next commit number; return what it
        returns.
        """
        check_process(self._pid)
        execute = self._execute
        commit_no = self.commit_no + 1
        try:
            execute("BEGIN IMMEDIATE")
            result = write(execute)
            execute(_STORE, (commit_no, 0, 0, 0))
            seam("saga-db.before-small-commit")
            execute("COMMIT")
        except BaseException as error:
            self._undo(error, part)
        self.commit_no = commit_no
        self._witness.note(commit_no)
        seam("saga-db.after-small-commit")
        return result

    def _check_wal(self) -> None:
        self._commits_to_wal_check = COMMITS_BETWEEN_WAL_CHECKS
        if self.path != MEMORY and wal_size(self.path) > WAL_LIMIT_BYTES:
            self.checkpoint()

    def checkpoint(self) -> bool:
        """Copy the write-ahead log into the file and empty it; return False when a reader is in the way.

        A full disk is not an error here, since nothing is lost by it: False as well.
        """
        check_process(self._pid)
        try:
            return shrink_wal(self._connection)
        except FAILURES as error:
            what = translated(error, self.path)
            if isinstance(what, StoreFailed | CorruptStore):
                raise what from error
            return False

    def set_clock(self, clock: str | None) -> None:
        """Store what describes the clock, as JSON; None for the system's clock. In a commit of its own."""
        self._in_transaction("store", lambda execute: execute("UPDATE store SET clock = ?", (clock,)))
        self.clock = clock
        seam("saga-db.clock-kept")

    def prune_events(
        self,
        below_no: int,
        listeners: Mapping[tuple[str, str], int | None] | None = None,
        before_ms: int | None = None,
    ) -> int:
        """Delete events with a number below `below_no` (and logged before this time), at most 10,000 of them, and
        return how many that were; write how far `listeners` have come, as `Batch.listeners` does.

        In a commit of its own; call it again while it returns 10,000.
        """
        statement = (
            "DELETE FROM events WHERE no IN"
            " (SELECT no FROM events WHERE no < ? AND at_ms < ifnull(?, at_ms + 1) ORDER BY no LIMIT ?)"
        )

        def write(execute: Execute) -> int:
            LISTENERS.run(execute, listeners or {})
            return execute(statement, (below_no, before_ms, PRUNED_AT_ONCE)).rowcount

        pruned = self._in_transaction("events", write)
        seam("saga-db.events-pruned")
        return pruned

    def begin_pruning(self, before_ms: int) -> None:
        """Write down that sagas which ended before this time may be gone, before any is; in a commit of its own."""
        if self._read("SELECT pruned_ms FROM store")[0][0] < before_ms:
            write = "UPDATE store SET pruned_ms = ?"
            self._in_transaction("store", lambda execute: execute(write, (before_ms,)))

    def prune_sagas(self, nos: Sequence[int], before_ms: int) -> int:
        """Delete the sagas of these numbers, with all their rows, unless they have not ended before this time; return
        how many that were. In a commit of its own."""
        over = (
            "SELECT no FROM sagas WHERE ended_ms < ? AND no IN (SELECT value FROM json_each(?))",
            (before_ms, msgspec.json.encode(list(nos)).decode()),
        )

        def write(execute: Execute) -> int:
            gone = msgspec.json.encode([no for (no,) in execute(*over).fetchall()]).decode()
            for table in OF_A_SAGA:
                execute(f"DELETE FROM {table} WHERE saga_no IN (SELECT value FROM json_each(?))", (gone,))
            return execute("DELETE FROM sagas WHERE no IN (SELECT value FROM json_each(?))", (gone,)).rowcount

        return self._in_transaction("sagas", write)

    # --- reading ---

    @property
    def connection(self) -> sqlite3.Connection:
        """The owner's connection, for reading a store in memory through `StoreReader`."""
        return self._connection

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._execute(statement, values).fetchall()
        except FAILURES as error:
            raise translated(error, self.path) from error


def _refuse_loss(files: StoreFiles, known: str | None) -> None:
    """Raise DataLossDetected when there is no saga.db, but something says that there was one."""
    if known is not None:
        raise DataLossDetected(
            files.saga,
            f"is missing or empty, but runtime.lock says that store {known} was here"
            f" (to begin anew, delete the directory)",
        )
    for name in files.context_names():
        try:
            header = read_header(files.context(name))
        except SagaError:
            continue  # not a database, so it says nothing about us
        if header is not None and header.application_id == CONTEXT.application_id:
            raise DataLossDetected(
                files.saga,
                f"is missing or empty, but {name}.db is there (to begin anew, delete the directory)",
            )
