"""An error of SQLite at any statement: one clear error of ours, and no half of a commit."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga.errors import CorruptStore, SagaError, StoreError, StoreFailed
from saga.store import (
    Batch,
    CannotOpen,
    ContextChanges,
    ContextStore,
    DiskFull,
    OwnerLock,
    SagaStore,
    StoreFiles,
    StoreReader,
    TransactionLost,
    TryAgain,
    verify,
)
from saga.store import connection as connection_module
from saga.store.connection import close_untouched, open_reader, read_header

from .conftest import OpenContext, OpenStore
from .support import NEW, add_saga

FULL = (sqlite3.SQLITE_FULL, "SQLITE_FULL")
IOERR = (sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
CORRUPT = (sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT")


def error_of(code: tuple[int, str]) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode, error.sqlite_errorname = code
    return error


class Faulty:
    """Stands for `execute` of a store, and raises at the statement number `at` (from 0)."""

    def __init__(self, store: SagaStore | ContextStore, error: Exception, at: int) -> None:
        self.execute, self.error, self.left = store._execute, error, at
        store._execute = self

    def __call__(self, *arguments: Any) -> sqlite3.Cursor:
        self.left -= 1
        if self.left == -1:
            raise self.error
        return self.execute(*arguments)


def full_batch() -> Batch:
    """A batch with a row in every part, each kind of change included."""
    batch = Batch()
    add_saga(batch, 1)
    batch.saga_updates[1] = ("PARKED", 0, None, None, None)
    batch.tags.append((1, "k", "v"))
    for part, row in (
        (batch.waits, ("T/1", None)),
        (batch.timers, 5),
        (batch.incidents, ("k", "r", 1)),
    ):
        part[1, "set"] = row  # type: ignore[assignment]
        part[1, "over"] = None
    batch.events.append((1, "e", "T/1", None, b"{}", 1, "runtime", "c", None))
    batch.participants["payment"] = ("context", 1, 0, 0)
    batch.definitions.append((2, "Other", 1, "h", b"{}", 1))
    return batch


STATEMENTS = 16  # BEGIN, 13 writes, the row of the store, COMMIT


@pytest.mark.parametrize(
    ("code", "expected"), [(FULL, DiskFull), (IOERR, StoreFailed), (CORRUPT, CorruptStore)]
)
@pytest.mark.parametrize("at", range(STATEMENTS))
def test_an_error_at_any_statement_of_a_commit_leaves_nothing(
    store: SagaStore, code: tuple[int, str], expected: type[SagaError], at: int
) -> None:
    number, changes = store.commit_no, store.connection.total_changes
    faulty = Faulty(store, error_of(code), at)
    with pytest.raises(expected):
        store.commit(full_batch())
    assert faulty.left == -1
    assert not store.connection.in_transaction
    assert store.commit_no == number
    assert store.find("order-1") is None
    assert store.connection.execute("SELECT commit_no FROM store").fetchone() == (number,)
    assert store.commit(full_batch()) == number + 1
    assert store.connection.total_changes > changes


def test_a_commit_has_no_more_statements_than_were_tried(store: SagaStore) -> None:
    faulty = Faulty(store, AssertionError(), STATEMENTS)
    store.commit(full_batch())
    assert faulty.left == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_what_is_no_error_of_sqlite_passes_and_leaves_nothing(store: SagaStore, error: Any) -> None:
    Faulty(store, error, 5)
    with pytest.raises(type(error)):
        store.commit(full_batch())
    assert not store.connection.in_transaction
    store.commit(full_batch())


@pytest.mark.parametrize(
    "act", [lambda s: s.set_clock("{}"), lambda s: s.prune_events(9), lambda s: s.close()]
)
@pytest.mark.parametrize("at", range(4))
def test_an_error_in_any_other_commit_leaves_nothing(
    store: SagaStore, act: Callable[[SagaStore], None], at: int
) -> None:
    number = store.commit_no
    Faulty(store, error_of(FULL), at)
    with pytest.raises(DiskFull):
        act(store)
    assert store.commit_no == number


def test_an_error_of_reading_says_what_it_is(store: SagaStore) -> None:
    Faulty(store, error_of((sqlite3.SQLITE_IOERR_READ, "SQLITE_IOERR_READ")), 0)
    with pytest.raises(StoreFailed, match=r"saga\.db: failed with SQLITE_IOERR_READ"):
        store.find("order-1")


def fail_to_shrink(code: tuple[int, str]) -> Callable[[object], bool]:
    def shrink(_: object) -> bool:
        raise error_of(code)

    return shrink


def test_a_checkpoint_that_finds_no_space_is_no_error(
    store: SagaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.store.saga_store.shrink_wal", fail_to_shrink(FULL))
    assert store.checkpoint() is False
    with pytest.raises(DiskFull):
        store.close()


@pytest.mark.parametrize(("code", "expected"), [(IOERR, StoreFailed), (CORRUPT, CorruptStore)])
def test_a_checkpoint_that_fails_otherwise_is_an_error(
    store: SagaStore, monkeypatch: pytest.MonkeyPatch, code: tuple[int, str], expected: type[SagaError]
) -> None:
    monkeypatch.setattr("saga.store.saga_store.shrink_wal", fail_to_shrink(code))
    with pytest.raises(expected):
        store.checkpoint()


def test_closing_without_the_mark_writes_nothing(store: SagaStore, open_store: OpenStore) -> None:
    number = store.commit_no
    store.close(clean=False)
    again = open_store()
    assert (again.ended_cleanly, again.commit_no) == (False, number + 1)


def test_an_error_while_opening_closes_the_file(files: StoreFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error_of(FULL)

    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        with monkeypatch.context() as patch:
            patch.setattr(SagaStore, "_start", fail)
            with pytest.raises(DiskFull):
                SagaStore.open(files, lock, 0)
            patch.setattr("saga.store.connection._set_pragmas", fail)
            with pytest.raises(DiskFull):
                SagaStore.open(files, lock, 0)
        SagaStore.open(files, lock, 0).close()


# --- contexts ---


def full_changes() -> ContextChanges:
    changes = ContextChanges()
    changes.inbox.append(("c1", 1, "done", b"{}", None, None, 1))
    changes.outbox.append(("e1", "T/1", None, b"{}", 1, "c", None))
    changes.positions["T/1"] = 1
    changes.retries = {(1, "T/1"): None, (2, "T/1"): (1, 5, "why", 4, "e2", "c", b"{}")}
    changes.relayed_no = 0
    return changes


CONTEXT_STATEMENTS = 7  # 5 writes, the row of the file, COMMIT


@pytest.mark.parametrize(
    ("code", "expected"), [(FULL, DiskFull), (IOERR, StoreFailed), (CORRUPT, CorruptStore)]
)
@pytest.mark.parametrize("at", range(CONTEXT_STATEMENTS))
def test_an_error_at_any_statement_of_a_contexts_commit_leaves_nothing(
    context: ContextStore, code: tuple[int, str], expected: type[SagaError], at: int
) -> None:
    before = (context.commit_no, context.outbox_no)
    context.begin()
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    faulty = Faulty(context, error_of(code), at)
    with pytest.raises(expected):
        context.commit(full_changes())
    assert faulty.left == -1
    assert not context.check_transaction()
    assert (context.commit_no, context.outbox_no) == before
    assert context.answers(["c1"]) == {}
    assert context.db.table("payments").count == 0
    context.begin()
    assert context.commit(full_changes()) == range(1, 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_what_is_no_error_of_sqlite_passes_a_context_and_leaves_nothing(
    context: ContextStore, error: Any
) -> None:
    context.begin()
    Faulty(context, error, 3)
    with pytest.raises(type(error)):
        context.commit(full_changes())
    assert not context.check_transaction()


@pytest.mark.parametrize("act", ["savepoint", "release", "undo"])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (error_of(FULL), DiskFull),
        (error_of(IOERR), StoreFailed),
        (sqlite3.DatabaseError("database disk image is malformed"), StoreFailed),
        (sqlite3.OperationalError("no such savepoint: _saga_command"), TransactionLost),
        (sqlite3.OperationalError("cannot release savepoint - SQL statements in progress"), TransactionLost),
    ],
)
def test_an_error_of_a_savepoint_has_one_meaning(
    context: ContextStore, act: str, error: sqlite3.Error, expected: type[StoreError]
) -> None:
    context.begin()
    context.savepoint()
    Faulty(context, error, 0)
    with pytest.raises(expected):
        getattr(context, act)()
    context.rollback()


def test_other_errors_of_a_contexts_statements_are_translated(context: ContextStore) -> None:
    for act in (context.begin, lambda: context.prune(9), context.positions):
        context._execute = context.db.conn.cursor().execute
        Faulty(context, error_of(FULL), 0)
        with pytest.raises(DiskFull):
            act()


def test_a_rollback_that_fails_is_an_unknown_outcome(
    context: ContextStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error_of(IOERR)

    context.begin()
    Faulty(context, error_of(FULL), 0)
    for module in ("context_store", "context_transaction"):
        monkeypatch.setattr(f"saga.store.{module}.roll_back", fail)
    with pytest.raises(StoreFailed, match="cannot be rolled back"):
        context.commit(full_changes())
    with pytest.raises(StoreFailed, match="cannot be rolled back"):
        context.rollback()
    with pytest.raises(StoreFailed):
        context.close()


def test_a_large_write_ahead_log_of_a_context_is_emptied_by_itself(
    context: ContextStore, files: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "saga.store.context_store"
    monkeypatch.setattr(f"{module}.WAL_LIMIT_BYTES", 10_000)
    for shrink, expected in (
        (fail_to_shrink(FULL), None),
        (fail_to_shrink(IOERR), StoreFailed),
        (None, None),
    ):
        with monkeypatch.context() as patch:
            if shrink is not None:
                patch.setattr(f"{module}.shrink_wal", shrink)
            context._commits_to_wal_check = 1
            context.begin()
            if expected is None:
                context.commit(ContextChanges())
            else:
                with pytest.raises(expected):
                    context.commit(ContextChanges())
    assert os.path.getsize(f"{files.context('payment')}-wal") == 0


def test_a_full_disk_in_a_migration_is_not_the_authors_fault(open_context: OpenContext) -> None:
    migrations = Migrations("payment")
    errors = [error_of(FULL), sqlite3.OperationalError("no such table: x")]

    @migrations()
    def first(db: Database) -> None:
        raise errors.pop(0)

    with pytest.raises(DiskFull):
        open_context(migrations=migrations)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        open_context(migrations=migrations)


def test_a_migration_that_loses_the_transaction_is_noticed(open_context: OpenContext) -> None:
    migrations = Migrations("payment")

    @migrations()
    def first(db: Database) -> None:
        db.execute("CREATE TABLE t (x UNIQUE)")
        db.execute("INSERT INTO t VALUES (1)")
        try:
            db.execute("INSERT OR ROLLBACK INTO t VALUES (1)")
        except sqlite3.IntegrityError:
            pass

    with pytest.raises((TransactionLost, sqlite3.Error)):
        open_context(migrations=migrations)
    context = open_context()
    assert context.is_new
    assert "t" not in context.db.table_names()


def test_an_error_while_opening_a_context_closes_the_file(
    open_context: OpenContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error_of(CORRUPT)

    with monkeypatch.context() as patch:
        patch.setattr(ContextStore, "_start", fail)
        with pytest.raises(CorruptStore):
            open_context()
    assert open_context().is_new


# --- reading and closing ---


def test_errors_of_a_reader_are_translated(
    store: SagaStore, context: ContextStore, files: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreReader.open(files.directory) as reader:
        reader._connection.execute("PRAGMA query_only=ON")
        with pytest.raises(CannotOpen, match="cannot be opened or read"):
            reader._rows("SELECT * FROM nowhere")
        monkeypatch.setattr("saga.store.reading.FILE_COLUMNS", "nothing")
        with pytest.raises(CannotOpen):
            reader.context("payment")


def test_a_header_that_cannot_be_read_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(CannotOpen, match="cannot be read"):
        read_header(str(tmp_path / "a" / "saga.db"))


def test_a_file_that_cannot_be_opened_even_as_immutable_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    path.touch()

    def fail(*_: object) -> None:
        raise error_of((sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN"))

    monkeypatch.setattr(connection_module, "_try_reader", fail)
    with pytest.raises(CannotOpen, match="cannot be opened or read"):
        open_reader(str(path))


def test_abandoning_closes_the_file_even_when_it_cannot_be_read(store: SagaStore, files: StoreFiles) -> None:
    for error in (StoreFailed("x", "y"), CorruptStore("x", "y")):

        def fail(_: str, error: SagaError = error) -> None:
            raise error

        connection = sqlite3.connect(":memory:")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection_module, "open_reader", fail)
            close_untouched(connection, files.saga)
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_abandoning_a_store_in_memory_closes_it() -> None:
    store = SagaStore.open(StoreFiles.at(":memory:"), None, 0)
    store.abandon()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store.connection.execute("SELECT 1")


def test_what_may_be_tried_again_is_one_kind_of_error() -> None:
    from saga.store import FileLocked

    assert issubclass(DiskFull, TryAgain)
    assert issubclass(FileLocked, TryAgain)
    assert NEW.acknowledged == 0


# --- the lock ---


def test_a_lock_file_that_cannot_be_written_is_given_up(
    files: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(CannotOpen, match="cannot be written: No space left"):
            OwnerLock.take(files, "2025-01-01T00:00:00Z")
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        monkeypatch.setattr(os, "ftruncate", fail)
        with pytest.raises(CannotOpen, match="cannot be written"):
            lock.note_store("x")


def test_an_unreadable_directory_is_a_clear_error(files: StoreFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "makedirs", fail)
    with pytest.raises(CannotOpen, match="the directory cannot be created: Permission denied"):
        files.make_directory()
    monkeypatch.setattr(Path, "glob", fail)
    with pytest.raises(CannotOpen, match="Permission denied"):
        files.context_names()


# --- verify ---


def test_a_damaged_saga_db_does_not_hide_the_other_files(store: SagaStore, files: StoreFiles) -> None:
    store.close()
    Path(files.saga).write_bytes(b"x" * 5_000)
    Path(files.context("payment")).write_bytes(b"y" * 5_000)
    found = [finding.subject for finding in verify(files)]
    assert found == [files.saga, files.context("payment")]
