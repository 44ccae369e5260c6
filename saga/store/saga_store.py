"""The coordinator's file, saga.db: everything it writes, and what it reads on its own connection.

One commit, one `Batch`: `BEGIN IMMEDIATE`, a few large statements, `COMMIT`. After an error the connection is
as before the call, except after StoreFailed: then nobody knows, and only `abandon` may follow.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeVar

import msgspec

from saga.errors import CorruptStore, DataLossDetected, SagaError, StoreFailed
from saga.store.batch import (
    Batch,
    DefinitionRow,
    EventRow,
    JournalRow,
    JournalTuple,
    NewEvent,
    NewSaga,
    Participant,
    SagaRow,
    TimerRow,
)
from saga.store.bulk import MAYBE, NOTHING, SMALL_SIZES, Bulk, flat
from saga.store.connection import (
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
from saga.store.digest import FIRST, chain
from saga.store.files import MEMORY, StoreFiles
from saga.store.lock import OwnerLock
from saga.store.schema import CONTEXT, SAGA

__all__ = ["SagaStore", "verified"]

T = TypeVar("T")

IDS_AT_ONCE = 500
"""How many ids one look-up takes."""

PRUNED_AT_ONCE = 10_000
"""How many events one commit deletes at most, so that no commit becomes long."""

COMMITS_BETWEEN_WAL_CHECKS = 256


# --- statements ---


def _flat_sagas(rows: Sequence[NewSaga]) -> list[Any]:
    values: list[Any] = []
    for (
        no,
        id_,
        definition_no,
        status,
        busy,
        started,
        ended,
        type_,
        digest,
        correlation,
        causation,
        event_no,
    ) in rows:
        values += (
            *(no, id_, definition_no, status, busy, started, NOTHING if ended is None else ended, type_),
            *(bytearray(digest), correlation, NOTHING if causation is None else causation, event_no),
        )
    return values


def _flat_journal(rows: Sequence[JournalTuple]) -> list[Any]:
    values: list[Any] = []
    for saga_no, seq, at_ms, cause, encoding, records, digest in rows:
        values += (
            saga_no,
            seq,
            at_ms,
            NOTHING if cause is None else cause,
            encoding,
            records.decode(),
            bytearray(digest),
        )
    return values


def _flat_events(rows: Sequence[NewEvent]) -> list[Any]:
    return flat([(*row[:4], row[4].decode(), *row[5:]) for row in rows])


_DEFINITIONS = Bulk(
    "INSERT INTO definitions (no, name, version, hash, graph, first_used_ms) VALUES",
    "(?,?,?,?,?,?)",
    sizes=(1,),
)
_SAGAS = Bulk(
    "INSERT INTO sagas (no, id, definition_no, status, busy, started_ms, ended_ms, input_type, input_digest,"
    " correlation, causation, first_event_no) VALUES",
    f"(?,?,?,?,?,?,{MAYBE},?,?,?,{MAYBE},?)",
    flatten=_flat_sagas,
)
_UPDATES = Bulk(
    "UPDATE sagas SET status = v.column2, busy = v.column3, ended_ms = v.column4,"
    " refusal_code = v.column5, refusal_reason = v.column6 FROM (VALUES",
    f"(?,?,?,{MAYBE},{MAYBE},{MAYBE})",
    ") AS v WHERE sagas.no = v.column1",
)
_TAGS = Bulk("INSERT INTO tags (saga_no, key, value) VALUES", "(?,?,?)")
_JOURNAL = Bulk(
    "INSERT INTO journal (saga_no, seq, at_ms, cause, encoding, records, digest) VALUES",
    f"(?,?,?,{MAYBE},?,?,?)",
    flatten=_flat_journal,
)
_WAITS_OVER = Bulk("DELETE FROM waits WHERE", "(saga_no = ? AND path = ?)", between=" OR ", sizes=SMALL_SIZES)
_WAITS = Bulk(
    "INSERT INTO waits (saga_no, path, kind, type, key) VALUES",
    f"(?,?,?,?,{MAYBE})",
    "ON CONFLICT DO UPDATE SET kind = excluded.kind, type = excluded.type, key = excluded.key",
)
_TIMERS_OVER = Bulk(
    "DELETE FROM timers WHERE", "(saga_no = ? AND name = ?)", between=" OR ", sizes=SMALL_SIZES
)
_TIMERS = Bulk(
    "INSERT INTO timers (saga_no, name, due_ms) VALUES",
    "(?,?,?)",
    "ON CONFLICT DO UPDATE SET due_ms = excluded.due_ms",
)
_INCIDENTS_OVER = Bulk(
    "DELETE FROM open_incidents WHERE", "(saga_no = ? AND path = ?)", between=" OR ", sizes=SMALL_SIZES
)
_INCIDENTS = Bulk(
    "INSERT INTO open_incidents (saga_no, path, kind, reason, since_ms) VALUES",
    "(?,?,?,?,?)",
    "ON CONFLICT DO UPDATE SET kind = excluded.kind, reason = excluded.reason, since_ms = excluded.since_ms",
)
_EVENTS = Bulk(
    "INSERT INTO events (no, id, type, key, payload, at_ms, source, correlation, causation) VALUES",
    f"(?,?,?,{MAYBE},?,?,?,?,{MAYBE})",
    flatten=_flat_events,
)
_PARTICIPANTS = Bulk(
    "INSERT INTO participants (name, kind, next_number, commit_no, outbox_no) VALUES",
    "(?,?,?,?,?)",
    "ON CONFLICT DO UPDATE SET kind = excluded.kind, next_number = excluded.next_number,"
    " commit_no = excluded.commit_no, outbox_no = excluded.outbox_no",
    sizes=(8, 1),
)
_STORE = (
    "UPDATE store SET commit_no = ?, high_ms = max(high_ms, ?), saga_no = max(saga_no, ?),"
    " event_no = max(event_no, ?)"
)

STORE_COLUMNS = "store_id, epoch, commit_no, clean, high_ms, saga_no, event_no, clock"
SAGA_COLUMNS = (
    "no, id, definition_no, status, busy, started_ms, ended_ms, input_type, input_digest, correlation,"
    " causation, first_event_no, refusal_code, refusal_reason"
)
JOURNAL_COLUMNS = "saga_no, seq, at_ms, cause, encoding, CAST(records AS BLOB), digest"
EVENT_COLUMNS = "no, id, type, key, CAST(payload AS BLOB), at_ms, source, correlation, causation"


# --- the store ---


class SagaStore:
    """The owner of saga.db. Opened by `open`, used in that thread only, ended by `close` or `abandon`.

    Attributes, read-only for everyone else:
    - `store_id`, `epoch` (counts the openings), `commit_no` (of the last commit), `high_ms` (latest time
      recorded)
    - `ended_cleanly`: whether the run before this one was closed; True for a new store
    - `is_new`: whether the store was made by this call
    - `clock`: what `set_clock` stored, JSON or None
    - `next_saga_no`, `next_event_no`: the lowest numbers never given away when the store was opened
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute  # one cursor, since making one costs 0.3 µs
        self._path = path
        self._pid = os.getpid()
        self._commits_to_wal_check = COMMITS_BETWEEN_WAL_CHECKS
        self.store_id = ""
        self.epoch = self.commit_no = self.high_ms = 0
        self.ended_cleanly = self.is_new = True
        self.clock: str | None = None
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
        connection = open_owner(path, create=not exists)
        store = cls(connection, path)
        try:
            store._start(now_ms, known)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                raise translated(error, path, opening=True) from error
            raise
        if lock is not None:
            lock.note_store(store.store_id)
        return store

    def _start(self, now_ms: int, known: str | None) -> None:
        execute = self._execute
        execute("BEGIN IMMEDIATE")
        try:
            SAGA.migrate(self._connection)
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
            self.store_id, epoch, commit_no, clean, high_ms, saga_no, event_no, self.clock = row
            if known is not None and known != self.store_id:
                raise DataLossDetected(
                    self._path,
                    f"belongs to store {self.store_id}, but runtime.lock says that store {known} was here"
                    f" (delete runtime.lock if the files were put here on purpose)",
                )
            self.epoch, self.commit_no, self.high_ms = epoch + 1, commit_no + 1, max(high_ms, now_ms)
            self.ended_cleanly, self.next_saga_no, self.next_event_no = bool(clean), saga_no + 1, event_no + 1
            execute(
                "UPDATE store SET epoch = ?, commit_no = ?, clean = 0, high_ms = ?",
                (self.epoch, self.commit_no, self.high_ms),
            )
            execute("COMMIT")
        except BaseException:
            roll_back(self._connection)
            raise

    def close(self, *, clean: bool = True) -> None:
        """Close the file, with `clean` as ended in order: the next start then knows that nothing was cut off.

        The connection is closed in any case. Raises what `commit` raises when the mark cannot be written.
        """
        check_process(self._pid)
        try:
            if clean:
                self._in_transaction("store", lambda execute: execute("UPDATE store SET clean = 1"))
                if self._path != MEMORY:
                    shrink_wal(self._connection)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Close the connection after StoreFailed, writing nothing: the files stay as they are for the next
        start.
        """
        check_process(self._pid)
        close_untouched(self._connection, self._path)

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
            if batch.definitions:
                part = "definitions"
                _DEFINITIONS.run(execute, [(*row[:4], row[4].decode(), row[5]) for row in batch.definitions])
            if batch.new_sagas:
                part = "new_sagas"
                _SAGAS.run(execute, batch.new_sagas)
            if batch.journal:
                part = "journal"
                _JOURNAL.run(execute, batch.journal)
            if batch.saga_updates:
                part = "saga_updates"
                _UPDATES.run(execute, [(no, *row) for no, row in batch.saga_updates.items()])
            if batch.tags:
                part = "tags"
                _TAGS.run(execute, batch.tags)
            if batch.waits:
                part = "waits"
                _WAITS_OVER.run(execute, [key for key, row in batch.waits.items() if row is None])
                _WAITS.run(execute, [(*key, *row) for key, row in batch.waits.items() if row is not None])
            if batch.timers:
                part = "timers"
                _TIMERS_OVER.run(execute, [key for key, due in batch.timers.items() if due is None])
                _TIMERS.run(execute, [(*key, due) for key, due in batch.timers.items() if due is not None])
            if batch.incidents:
                part = "incidents"
                _INCIDENTS_OVER.run(execute, [key for key, row in batch.incidents.items() if row is None])
                _INCIDENTS.run(
                    execute, [(*key, *row) for key, row in batch.incidents.items() if row is not None]
                )
            if batch.events:
                part = "events"
                _EVENTS.run(execute, batch.events)
            if batch.participants:
                part = "participants"
                _PARTICIPANTS.run(execute, [(name, *row) for name, row in batch.participants.items()])
            part = "store"
            high_saga = max((row[0] for row in batch.new_sagas), default=0)
            high_event = max((row[0] for row in batch.events), default=0)
            execute(_STORE, (commit_no, batch.high_ms, high_saga, high_event))
            execute("COMMIT")
        except BaseException as error:
            self._undo(error, part)
        self.commit_no = commit_no
        self.high_ms = max(self.high_ms, batch.high_ms)
        self._commits_to_wal_check -= 1
        if self._commits_to_wal_check <= 0:
            self._check_wal()
        return commit_no

    def _undo(self, error: BaseException, part: str) -> NoReturn:
        """Roll back after `error` and raise what it means."""
        try:
            roll_back(self._connection)
        except sqlite3.Error as second:
            raise StoreFailed(self._path, f"a failed write cannot be rolled back: {second}") from error
        if isinstance(error, sqlite3.Error | OverflowError | UnicodeError):
            raise translated(error, self._path, part=part) from error
        raise error

    def _in_transaction(self, part: str, write: Any) -> Any:
        """Call `write(execute)` in a commit of its own, which gets the next commit number; return what it
        returns.
        """
        check_process(self._pid)
        execute = self._execute
        commit_no = self.commit_no + 1
        result: Any = None
        try:
            execute("BEGIN IMMEDIATE")
            result = write(execute)
            execute(_STORE, (commit_no, 0, 0, 0))
            execute("COMMIT")
        except BaseException as error:
            self._undo(error, part)
        self.commit_no = commit_no
        return result

    def _check_wal(self) -> None:
        self._commits_to_wal_check = COMMITS_BETWEEN_WAL_CHECKS
        if self._path != MEMORY and wal_size(self._path) > WAL_LIMIT_BYTES:
            self.checkpoint()

    def checkpoint(self) -> bool:
        """Copy the write-ahead log into the file and empty it; return False when a reader is in the way.

        A full disk is not an error here, since nothing is lost by it: False as well.
        """
        check_process(self._pid)
        try:
            return shrink_wal(self._connection)
        except sqlite3.Error as error:
            what = translated(error, self._path)
            if isinstance(what, StoreFailed | CorruptStore):
                raise what from error
            return False

    def set_clock(self, clock: str | None) -> None:
        """Store what describes the clock, as JSON; None for the system's clock. In a commit of its own."""
        self._in_transaction("store", lambda execute: execute("UPDATE store SET clock = ?", (clock,)))
        self.clock = clock

    def prune_events(self, below_no: int) -> int:
        """Delete events with a number below `below_no`, at most 10,000 of them, and return how many that
        were.

        In a commit of its own; call it again while it returns 10,000.
        """
        statement = "DELETE FROM events WHERE no IN (SELECT no FROM events WHERE no < ? ORDER BY no LIMIT ?)"
        deleted: int = self._in_transaction(
            "events", lambda execute: execute(statement, (below_no, PRUNED_AT_ONCE)).rowcount
        )
        return deleted

    # --- reading, on the owner's connection ---

    @property
    def connection(self) -> sqlite3.Connection:
        """The owner's connection, for reading a store in memory through `StoreReader`."""
        return self._connection

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

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
        rows = self._read(f"SELECT {JOURNAL_COLUMNS} FROM journal WHERE saga_no = ? ORDER BY seq", (saga_no,))
        return verified(self._path, [JournalRow._make(row) for row in rows])

    def live_busy(self) -> Iterator[SagaRow]:
        """Yield the sagas that have commands outside, by number: those that a recovery loads.

        Pages through them, so that the store may be written meanwhile.
        """
        last = 0
        while True:
            rows = self._read(
                f"SELECT {SAGA_COLUMNS} FROM sagas WHERE busy = 1 AND ended_ms IS NULL AND no > ?"
                " ORDER BY no LIMIT 1000",
                (last,),
            )
            if not rows:
                return
            yield from map(SagaRow._make, rows)
            last = rows[-1][0]

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

    def waiting(self, type_: str, key: str | None) -> list[tuple[int, str]]:
        """Return (saga_no, path) of every wait for an event of this type and key, by saga."""
        statement = (
            "SELECT saga_no, path FROM waits WHERE type = ? AND key IS ? AND kind = 'event' ORDER BY 1, 2"
        )
        return self._read(statement, (type_, key))

    def waiting_for(
        self, pairs: Iterable[tuple[str, str | None]]
    ) -> dict[tuple[str, str | None], list[tuple[int, str]]]:
        """Return (type, key) → [(saga_no, path), ...] for those of `pairs` that some saga waits for:
        `waiting` in bulk.
        """
        statement = (
            "SELECT w.type, w.key, w.saga_no, w.path FROM json_each(?) AS v CROSS JOIN waits AS w"
            " ON w.type = json_extract(v.value, '$[0]') AND w.key IS json_extract(v.value, '$[1]')"
            " WHERE w.kind = 'event' ORDER BY w.saga_no, w.path"
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

    def events(self, nos: Iterable[int]) -> list[EventRow]:
        """Return the events with these numbers that are still in the log, in order."""
        statement = (
            f"SELECT {EVENT_COLUMNS} FROM events WHERE no IN (SELECT value FROM json_each(?)) ORDER BY no"
        )
        return [
            EventRow._make(row)
            for some in _chunks(sorted(nos), IDS_AT_ONCE)
            for row in self._read(statement, (_json(some),))
        ]

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
        saga_no, seq, at_ms, cause, encoding, records, digest = row
        if seq != expected:
            raise CorruptStore(path, f"the journal of saga number {saga_no} lacks row {expected}")
        if records is not None and chain(previous, saga_no, seq, at_ms, cause, encoding, records) != digest:
            raise CorruptStore(
                path, f"row {seq} in the journal of saga number {saga_no} does not fit its digest"
            )
        previous = digest
    return rows


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


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
