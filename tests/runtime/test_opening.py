"""Opening a store: by one runtime at a time, whole, or not at all; and whatever is wrong is one clear line."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import (
    Context,
    DataLossDetected,
    Runtime,
    RuntimeClosed,
    SagaError,
    SchemaTooNew,
    StoreError,
    StoreInUse,
)

from .conftest import OpenRuntime
from .support import DEADLINE, Book, Desk, Job, Journalist, Keep, Receipt, entered


@pytest.fixture
def used(store: Path) -> Path:
    """A store in which something has happened."""
    with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    return store


def problem(store: Path, kind: type[SagaError]) -> str:
    """Return the one line that opening this store ends in."""
    with pytest.raises(kind) as caught:
        Runtime(store, contexts=[Desk, Journalist], sagas=[Keep]).open()
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_second_runtime_on_the_same_store_is_refused(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    assert "process" in problem(store, StoreInUse)
    assert runtime.start(Keep, Job("a")).wait(DEADLINE).completed


def test_the_store_is_free_again_after_a_close(used: Path, open_runtime: OpenRuntime) -> None:
    assert open_runtime(Desk, Journalist, sagas=[Keep]).handle("a").wait(DEADLINE).completed


def test_a_runtime_is_opened_once(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    with pytest.raises(RuntimeClosed):
        runtime.open()
    runtime.close()
    with pytest.raises(RuntimeClosed):
        runtime.open()


def test_a_missing_file_of_a_context_is_noticed(used: Path) -> None:
    (used / "desk.db").unlink()
    assert "desk.db" in problem(used, DataLossDetected)


def test_a_missing_journal_is_noticed(used: Path) -> None:
    (used / "saga.db").unlink()
    assert "saga.db" in problem(used, DataLossDetected)


def test_an_old_copy_of_a_context_is_noticed(used: Path, tmp_path: Path, open_runtime: OpenRuntime) -> None:
    shutil.copy(used / "desk.db", tmp_path / "old.db")
    with Runtime(used, contexts=[Desk, Journalist], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("b"), id="b").wait(DEADLINE)
    shutil.copy(tmp_path / "old.db", used / "desk.db")
    assert "old copy" in problem(used, DataLossDetected)


def test_a_file_of_another_store_is_noticed(used: Path, tmp_path: Path) -> None:
    with Runtime(tmp_path / "other", contexts=[Desk]) as runtime:
        runtime.send(Book("b"))
    shutil.copy(tmp_path / "other" / "desk.db", used / "desk.db")
    assert "belongs to store" in problem(used, DataLossDetected)


def test_a_newer_schema_is_refused_and_left_alone(used: Path) -> None:
    with closing(sqlite3.connect(used / "saga.db")) as connection:
        connection.execute("PRAGMA user_version=1000")
    before = (used / "saga.db").read_bytes()
    problem(used, SchemaTooNew)
    assert (used / "saga.db").read_bytes() == before


def test_a_damaged_file_is_refused(used: Path) -> None:
    (used / "saga.db").write_bytes(b"this is no database, and never was one" * 1_000)
    problem(used, SagaError)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    problem(tmp_path / "file" / "store", StoreError)


# --- migrations of the author's own ---


def desk_with(migrations: Migrations) -> type[Context]:
    tables = migrations

    class Desk(Context):
        migrations = tables

        @Book.handler
        def book(self, command: Book) -> Receipt:
            return Receipt(command.key, 1)

    return Desk


def test_a_migration_that_fails_leaves_everything_as_it_was(used: Path, open_runtime: OpenRuntime) -> None:
    more = Migrations("desk")

    @more()
    def entries(db: Database) -> None:
        raise AssertionError("has been applied already")

    @more()
    def spoil(db: Database) -> None:
        db.execute("DROP TABLE entries")
        raise ZeroDivisionError("in the middle")

    with pytest.raises(ZeroDivisionError, match="in the middle"):
        Runtime(used, contexts=[desk_with(more), Journalist], sagas=[Keep]).open()
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    assert entered(used, "a") == ["book", "file"]


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt()])
def test_a_migration_that_wants_to_end_everything_is_raised_as_it_is(
    store: Path, error: BaseException, open_runtime: OpenRuntime
) -> None:
    fatal = Migrations("desk")

    @fatal()
    def give_up(db: Database) -> None:
        raise error

    with pytest.raises(type(error)):
        Runtime(store, contexts=[Journalist, desk_with(fatal)]).open()
    assert open_runtime(Desk).send(Book("a")).number == 7
