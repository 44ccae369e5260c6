"""Rows that no journal tells of have digests: a value that is not what was written is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from saga.errors import CorruptStore
from saga.store import Batch, ContextChanges, OwnerLock, SagaStore, StoreFiles, verify

from .conftest import OpenContext
from .support import with_definition


def change(path: str, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount


def written(files: StoreFiles) -> None:
    """A store with a row in each of these tables."""
    with OwnerLock.take(files, "now") as lock:
        store = SagaStore.open(files, lock, 1)
        batch = with_definition()
        batch.events.append((1, "e", "T/1", "k", b'{"x":1}', 1, "runtime", "c", None))
        batch.participants["payment"] = ("context", 7, 0, 0)
        batch.listeners["payment", "T/1"] = 1
        store.commit(batch)
        store.commit(Batch())
        store.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE events SET payload = '{\"x\":2}'", "1 in events does not fit"),
        ("UPDATE participants SET next_number = 6", "'payment' in participants does not fit"),
        ("UPDATE listeners SET position = 2", "'payment' in listeners does not fit"),
    ],
)
def test_a_changed_row_of_saga_db_is_found(files: StoreFiles, statement: str, found: str) -> None:
    written(files)
    assert list(verify(files)) == []
    change(files.saga, statement)
    assert [found in finding.what for finding in verify(files)] == [True]


def test_a_changed_number_is_refused_at_the_start(files: StoreFiles) -> None:
    written(files)
    change(files.saga, "UPDATE participants SET next_number = 6")
    with OwnerLock.take(files, "now") as lock, pytest.raises(CorruptStore, match="'payment' in participants"):
        SagaStore.open(files, lock, 1)


def test_another_latest_time_is_refused_at_the_start(files: StoreFiles) -> None:
    written(files)
    change(files.saga, "UPDATE store SET high_ms = high_ms + 1")
    with OwnerLock.take(files, "now") as lock, pytest.raises(CorruptStore, match="latest time"):
        SagaStore.open(files, lock, 1)


def test_another_position_of_a_listener_is_refused_at_the_start(
    files: StoreFiles, open_context: OpenContext
) -> None:
    context = open_context()
    context.begin()
    changes = ContextChanges()
    changes.positions["T/1"] = 5
    context.commit(changes)
    context.close()
    change(files.context("payment"), "UPDATE _saga_positions SET position = 6")
    with pytest.raises(CorruptStore, match="'T/1' in _saga_positions"):
        open_context()


def test_a_table_that_is_defined_in_other_words_is_found(files: StoreFiles) -> None:
    written(files)
    with closing(sqlite3.connect(files.saga, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'DESC', 'ASC ') WHERE name = 'live_sagas'"
        )
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'busy, ', 'no, ') WHERE name = 'live_sagas'"
        )
    assert any("live_sagas is not defined as it was made" in finding.what for finding in verify(files))
