"""Connections: what the owner's are set to, that readers change nothing, and what errors of SQLite mean."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from saga.errors import CorruptStore, ForkedRuntime, SagaError, StoreFailed
from saga.store import (
    Batch,
    CannotOpen,
    ConstraintFailed,
    ContextStore,
    DiskFull,
    FileLocked,
    SagaStore,
    StoreFiles,
)
from saga.store.connection import open_owner, open_reader, read_header, translated

from .conftest import OpenStore
from .support import add_saga, digest, with_definition

ODD_NAMES = [
    "a b",
    "100%",
    "what?",
    "number#1",
    "?mode=memory",
    "%41",
    "Überweisung",
    "a&b=c",
    "semi;colon",
    "'q\"",
]


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize("which", ["saga", "context"])
def test_every_file_is_written_through_a_log_that_is_synced_at_each_commit(
    which: str, store: SagaStore, context: ContextStore
) -> None:
    connection = store.connection if which == "saga" else context.db.conn
    if which == "context":
        context._guard.ours = True
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2  # FULL
    assert pragma(connection, "foreign_keys") == 1
    assert pragma(connection, "busy_timeout") == 5_000
    assert connection.execute("PRAGMA mmap_size").fetchone() in ((0,), None)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_of_a_directory_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.mkdir()
    with closing(open_owner(str(path / "x.db"), create=True)) as owner:
        owner.execute("CREATE TABLE t (x)")
        with closing(open_reader(str(path / "x.db"))) as reader:
            assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert sorted(os.listdir(tmp_path)) == [name]
    assert os.listdir(path) == ["x.db"]


def test_a_reader_cannot_write(store: SagaStore, files: StoreFiles) -> None:
    with (
        closing(open_reader(files.saga)) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.execute("UPDATE store SET clean = 1")


def test_a_reader_beside_a_writer_sees_commits_and_never_checkpoints(
    store: SagaStore, files: StoreFiles
) -> None:
    before, wal = digest(files.saga), os.path.getsize(files.saga + "-wal")
    with closing(open_reader(files.saga)) as reader:
        for no in (1, 2):
            batch = Batch()
            add_saga(batch, no)
            store.commit(batch)
            assert reader.execute("SELECT count(*) FROM sagas").fetchone() == (no,)
    assert digest(files.saga) == before
    assert os.path.getsize(files.saga + "-wal") > wal


def test_the_last_reader_of_a_dead_store_leaves_its_log_as_it_is(
    open_store: OpenStore, files: StoreFiles
) -> None:
    store = open_store()
    store.commit(with_definition())
    store.abandon()
    before = (digest(files.saga), digest(files.saga + "-wal"))
    with closing(open_reader(files.saga)) as reader:
        assert reader.execute("SELECT count(*) FROM definitions").fetchone() == (1,)
    assert (digest(files.saga), digest(files.saga + "-wal")) == before


def test_abandoning_a_file_does_not_checkpoint_it(store: SagaStore, files: StoreFiles) -> None:
    """After a failed sync nobody knows what is in the file; the next start recovers from the log."""
    before, wal = digest(files.saga), digest(files.saga + "-wal")
    store.abandon()
    assert (digest(files.saga), digest(files.saga + "-wal")) == (before, wal)


def test_closing_leaves_one_file(open_store: OpenStore, files: StoreFiles) -> None:
    open_store().close()
    assert sorted(os.listdir(files.directory)) == ["runtime.lock", "saga.db"]


# --- what cannot be opened ---


def test_a_missing_file_has_no_header(tmp_path: Path) -> None:
    assert read_header(str(tmp_path / "x.db")) is None
    (tmp_path / "x.db").touch()
    assert read_header(str(tmp_path / "x.db")) is None


def test_what_is_not_a_database_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is a text\n" * 100)
    with pytest.raises(CorruptStore, match="not a database"):
        read_header(str(tmp_path / "x.db"))


def test_a_directory_in_the_place_of_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.db").mkdir()
    for open_it in (read_header, open_reader, lambda path: open_owner(path, create=True)):
        with pytest.raises(CannotOpen, match="is a directory"):
            open_it(str(tmp_path / "x.db"))


def test_a_missing_directory_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="its directory does not exist"):
        open_owner(str(tmp_path / "no" / "x.db"), create=True)


def test_an_old_sqlite_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saga.store.connection.OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(CannotOpen, match=r"is too old, 99\.0\.0 or newer is needed"):
        open_owner(str(tmp_path / "x.db"), create=True)


def test_a_pragma_that_does_not_take_effect_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.store.connection.BUSY_TIMEOUT_MS", -1)  # SQLite makes it 0
    with pytest.raises(CannotOpen, match="busy_timeout"):
        open_owner(str(tmp_path / "x.db"), create=True)


def test_a_store_on_a_read_only_disk_can_be_read_when_it_was_closed(small_disk: Path) -> None:
    path = str(small_disk / "x.db")
    with closing(open_owner(path, create=True)) as owner:
        owner.execute("CREATE TABLE t (x)")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with closing(open_reader(path)) as reader:
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    with pytest.raises(CannotOpen, match=r"not writable|readonly"):
        open_owner(path, create=False)


def test_a_store_on_a_read_only_disk_that_was_cut_off_says_what_to_do(
    small_disk: Path, stack: ExitStack
) -> None:
    path = str(small_disk / "x.db")
    owner = stack.enter_context(closing(open_owner(path, create=True)))
    owner.execute("CREATE TABLE t (x)")
    copy = small_disk / "copy.db"
    copy.write_bytes(Path(path).read_bytes())
    Path(f"{copy}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    owner.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(CannotOpen, match="copy the store to one"):
        open_reader(str(copy))


# --- what errors mean ---


def error_of(code: int, text: str = "x") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_X"
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (error_of(sqlite3.SQLITE_FULL), DiskFull),
        (error_of(sqlite3.SQLITE_IOERR_SHMSIZE), DiskFull),
        (OSError(errno.ENOSPC, "no space"), DiskFull),
        (error_of(sqlite3.SQLITE_BUSY), FileLocked),
        (error_of(sqlite3.SQLITE_BUSY_RECOVERY), FileLocked),
        (error_of(sqlite3.SQLITE_CORRUPT), CorruptStore),
        (error_of(sqlite3.SQLITE_CORRUPT_VTAB), CorruptStore),
        (error_of(sqlite3.SQLITE_NOTADB), CorruptStore),
        (error_of(sqlite3.SQLITE_IOERR_FSYNC), StoreFailed),
        (error_of(sqlite3.SQLITE_IOERR_WRITE), StoreFailed),
        (error_of(sqlite3.SQLITE_READONLY), StoreFailed),
        (OSError(errno.EIO, "input/output error"), StoreFailed),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), StoreFailed),
        (sqlite3.IntegrityError("UNIQUE constraint failed: sagas.id"), ConstraintFailed),
        (sqlite3.DataError("string or blob too big"), ConstraintFailed),
        (sqlite3.InterfaceError("Error binding parameter 3 - probably unsupported type."), ConstraintFailed),
        (
            sqlite3.ProgrammingError("Error binding parameter 3: type 'object' is not supported"),
            ConstraintFailed,
        ),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), ConstraintFailed),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), ConstraintFailed),
    ],
)
def test_each_error_of_a_write_has_one_meaning(error: Exception, expected: type[SagaError]) -> None:
    assert type(translated(error, "/shop/saga.db")) is expected


def test_while_opening_nothing_was_written_so_the_outcome_is_known() -> None:
    assert type(translated(error_of(sqlite3.SQLITE_CANTOPEN), "/shop/saga.db", opening=True)) is CannotOpen
    assert type(translated(OSError(errno.EACCES, "denied"), "/shop/saga.db", opening=True)) is CannotOpen


def test_each_error_is_one_line(tmp_path: Path) -> None:
    for error in (
        error_of(sqlite3.SQLITE_FULL),
        error_of(sqlite3.SQLITE_IOERR_WRITE),
        error_of(sqlite3.SQLITE_BUSY),
    ):
        assert "\n" not in str(translated(error, "/shop/saga.db"))
        assert "/shop/saga.db" in str(translated(error, "/shop/saga.db"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_cannot_write_with_the_connections_of_its_parent(
    store: SagaStore, context: ContextStore
) -> None:
    calls = [
        lambda: store.commit(Batch()),
        lambda: store.prune_events(1),
        store.close,
        store.abandon,
        context.begin,
        context.rollback,
        context.close,
        lambda: context.prune(1),
    ]
    child = os.fork()
    if child == 0:
        refused = 0
        try:
            for call in calls:
                try:
                    call()
                except ForkedRuntime:
                    refused += 1
        finally:
            os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(calls)
    batch = Batch()
    add_saga(batch, 1)
    store.commit(batch)
    assert store.find("order-1") is not None
