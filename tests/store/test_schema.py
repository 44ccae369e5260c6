"""What is opened is a file of ours, of a schema we know; anything else is refused and left as it is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from saga.errors import CorruptStore, DataLossDetected, SchemaTooNew, StoreNotFound
from saga.store import ContextStore, NotAStore, OwnerLock, SagaStore, StoreFiles, StoreReader
from saga.store.integrity import check_chains
from saga.store.schema import SAGA

from .conftest import OpenContext
from .support import NEW, RECORDS, add_saga, digest, with_definition


def change(path: str, statement: str) -> None:
    """Change a file as only a foreign program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def open_it(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        SagaStore.open(files, lock, 0).close()


def everything(directory: str) -> dict[str, str]:
    return {
        name: digest(os.path.join(directory, name)) for name in os.listdir(directory) if name.endswith(".db")
    }


def test_a_file_says_what_it_is_and_which_schema_it_has(files: StoreFiles) -> None:
    open_it(files)
    with closing(sqlite3.connect(files.saga)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (0x53414741,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SAGA.version,)
        names = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
        assert names == ["first_schema", "retention", "digests_of_rows", "forms"]


def test_a_file_of_the_first_schema_is_read_and_becomes_one_of_the_newest(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        store = SagaStore.open(files, lock, 0)
        batch = with_definition()
        add_saga(batch, 1, rows=2)
        batch.high_ms = 2_000
        store.commit(batch)
        store.close()
    digested = ("sagas", "events", "participants", "listeners", "schedules")
    for statement in (
        "ALTER TABLE store DROP COLUMN pruned_ms",
        "ALTER TABLE store DROP COLUMN high_again",
        "DROP VIEW step_history",
        "DROP VIEW whole_journal",
        "CREATE VIEW step_history AS SELECT seq FROM journal",
        "ALTER TABLE journal DROP COLUMN form_no",
        "DROP TABLE forms",
        *[f"ALTER TABLE {table} DROP COLUMN row_digest" for table in digested],
        "DELETE FROM _sqlite_migrations WHERE name != 'first_schema'",
        "PRAGMA user_version=1",
    ):
        change(files.saga, statement)
    with StoreReader.open(files.directory) as reader:
        assert reader.pruned_ms() == 0
        assert [row.records for row in reader.journal(1)] == [RECORDS, RECORDS]
        assert list(check_chains(reader)) == []
    open_it(files)
    with closing(sqlite3.connect(files.saga)) as connection:
        assert connection.execute("SELECT pruned_ms FROM store").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SAGA.version,)
    with StoreReader.open(files.directory) as reader:
        assert [row.records for row in reader.journal(1)] == [RECORDS, RECORDS]


def test_a_newer_schema_is_refused_and_the_file_left_untouched(files: StoreFiles) -> None:
    open_it(files)
    change(files.saga, "PRAGMA user_version=99")
    before = everything(files.directory)
    with pytest.raises(
        SchemaTooNew, match=rf"has schema 99, this version of saga knows up to {SAGA.version}"
    ):
        open_it(files)
    with pytest.raises(SchemaTooNew):
        StoreReader.open(files.directory)
    assert everything(files.directory) == before


def test_a_newer_schema_of_a_context_is_refused_and_the_file_left_untouched(
    context: ContextStore, open_context: OpenContext, files: StoreFiles
) -> None:
    context.close()
    change(files.context("payment"), "PRAGMA user_version=99")
    before = everything(files.directory)
    with pytest.raises(SchemaTooNew, match=r"payment\.db has schema 99"):
        open_context()
    assert everything(files.directory) == before


def test_a_newer_schema_that_is_still_in_the_log_is_seen(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        store = SagaStore.open(files, lock, 0)
        store.connection.execute("PRAGMA user_version=99")
        store.abandon()
    with pytest.raises(SchemaTooNew):
        open_it(files)


@pytest.mark.parametrize("name", ["saga.db", "payment.db"])
def test_a_database_of_something_else_is_refused_and_left_untouched(
    name: str, files: StoreFiles, open_context: OpenContext
) -> None:
    files.make_directory()
    path = os.path.join(files.directory, name)
    change(path, "CREATE TABLE customers (id)")
    before = digest(path)
    with pytest.raises(NotAStore, match="move it away"):
        open_it(files) if name == "saga.db" else open_context()
    assert digest(path) == before


def test_the_file_of_a_context_is_not_taken_for_saga_db(context: ContextStore, files: StoreFiles) -> None:
    context.close()
    os.rename(files.context("payment"), files.saga)
    with pytest.raises(NotAStore):
        open_it(files)


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 50, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_damaged_file_is_a_clear_error(files: StoreFiles, content: bytes) -> None:
    files.make_directory()
    Path(files.saga).write_bytes(content)
    before = digest(files.saga)
    with pytest.raises(CorruptStore, match=r"saga\.db is damaged"):
        open_it(files)
    assert digest(files.saga) == before


@pytest.mark.parametrize("empty", [True, False])
def test_a_missing_saga_db_is_noticed_by_the_lock_file(files: StoreFiles, empty: bool) -> None:
    open_it(files)
    os.unlink(files.saga)
    if empty:
        Path(files.saga).touch()
    with pytest.raises(DataLossDetected, match=r"is missing or empty, but runtime\.lock says"):
        open_it(files)


def test_a_missing_saga_db_is_noticed_by_the_file_of_a_context(
    context: ContextStore, files: StoreFiles
) -> None:
    context.close()
    with pytest.raises(DataLossDetected, match=r"is missing or empty, but payment\.db is there"):
        open_it(files)
    assert not os.path.exists(files.saga)


def test_other_files_in_the_directory_are_no_sign_of_a_store(files: StoreFiles) -> None:
    files.make_directory()
    change(os.path.join(files.directory, "mine.db"), "CREATE TABLE t (x)")
    Path(files.directory, "notes.db").write_text("no database")
    open_it(files)


def test_a_saga_db_of_another_store_is_noticed(files: StoreFiles, tmp_path: Path) -> None:
    other = StoreFiles.at(tmp_path / "other")
    open_it(files)
    open_it(other)
    os.replace(other.saga, files.saga)
    before = digest(files.saga)
    with pytest.raises(DataLossDetected, match="belongs to store"):
        open_it(files)
    assert digest(files.saga) == before


def test_a_creation_that_was_cut_off_is_done_again(files: StoreFiles) -> None:
    """Making it a WAL file writes the header before the schema is committed."""
    files.make_directory()
    with closing(sqlite3.connect(files.saga)) as connection:
        connection.execute("PRAGMA journal_mode=wal")
    assert os.path.getsize(files.saga) > 0
    open_it(files)


def test_there_is_no_store_where_there_is_none(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing", tmp_path, ":memory:"):
        with pytest.raises(StoreNotFound, match="no store at"):
            StoreReader.open(place)
    assert list(tmp_path.iterdir()) == []


def test_opening_a_store_of_the_current_schema_needs_no_migration_code(
    files: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that reopening is quick: sqlite-utils takes 0.1 s to import."""
    open_it(files)
    monkeypatch.setitem(__import__("sys").modules, "sqlite_utils", None)
    open_it(files)


def test_a_failed_migration_leaves_nothing(files: StoreFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.make_directory()
    monkeypatch.setattr("saga.store.schema._statements", lambda _: ["CREATE TABLE a (x)"] * 2)
    with (
        OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock,
        pytest.raises(Exception, match="already exists"),
    ):
        SagaStore.open(files, lock, 0)
    with closing(sqlite3.connect(files.saga)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    monkeypatch.undo()
    open_it(files)


def test_a_context_of_a_new_store_begins_with_an_empty_file(open_context: OpenContext) -> None:
    context = open_context(state=NEW)
    assert (context.is_new, context.commit_no, context.outbox_no, context.floor) == (True, 1, 0, 0)
