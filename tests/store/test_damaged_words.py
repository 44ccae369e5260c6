"""Damage in SQLite's own words about a file: Python's sqlite3 lets a UnicodeDecodeError out, the store does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga.errors import CorruptStore
from saga.store import ContextStore, OwnerLock, SagaStore, StoreFiles, StoreReader
from saga.store.connection import open_owner

from .conftest import OpenContext

WORDS = b"'COMPENSATING' OR status"


@pytest.fixture
def damaged(tmp_path: Path) -> StoreFiles:
    files = StoreFiles.at(tmp_path / "store")
    with OwnerLock.take(files, "now") as lock:
        SagaStore.open(files, lock, 1).close()
    content = Path(files.saga).read_bytes()
    assert WORDS in content
    Path(files.saga).write_bytes(content.replace(WORDS, WORDS.replace(b" OR", b" \xf3R")))
    return files


def test_a_reader_says_that_the_file_is_damaged(damaged: StoreFiles) -> None:
    with pytest.raises(CorruptStore, match="damaged"):
        StoreReader.open(damaged.directory).counts()


def test_an_owner_says_that_the_file_is_damaged(damaged: StoreFiles) -> None:
    with OwnerLock.take(damaged, "now") as lock, pytest.raises(CorruptStore, match="damaged"):
        SagaStore.open(damaged, lock, 1)


def test_an_owner_of_a_context_says_that_its_file_is_damaged(
    context: ContextStore, open_context: OpenContext, files: StoreFiles
) -> None:
    context.close()
    path = Path(files.context("payment"))
    content, words = path.read_bytes(), b"outcome = 'tombstone'"
    assert words in content
    path.write_bytes(content.replace(words, b"outcome \xf5 'tombstone'"))
    with pytest.raises(CorruptStore, match=r"payment\.db is damaged"):
        open_context()
    with pytest.raises(CorruptStore, match=r"payment\.db is damaged"):
        open_owner(str(path), create=False)  # as when the damage comes to light with the write-ahead log


def test_a_damaged_definition_of_a_table_is_told_in_one_line(damaged: StoreFiles) -> None:
    content = Path(damaged.saga).read_bytes()
    Path(damaged.saga).write_bytes(
        content.replace(b"\xf3R", b"OR").replace(b"CREATE TABLE sagas", b"CREATE TABLE (agas")
    )
    with pytest.raises(CorruptStore) as raised:
        StoreReader.open(damaged.directory)
    assert "\n" not in str(raised.value)
    assert len(raised.value.what) < 250
