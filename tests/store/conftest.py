"""Stores in a directory of their own, closed at the end of the test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from saga.store import ContextChanges, ContextStore, OwnerLock, SagaStore, StoreFiles, StoreReader, StoreState
from tests.disks import disk_of

from .support import NEW, with_definition

OpenStore = Callable[..., SagaStore]
OpenContext = Callable[..., ContextStore]


@pytest.fixture
def files(tmp_path: Path) -> StoreFiles:
    return StoreFiles.at(tmp_path / "store")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_store(files: StoreFiles, stack: ExitStack) -> OpenStore:
    """Open the store under its lock, at `now_ms`. To open it again, close it first."""
    locks: list[OwnerLock] = []

    def open(now_ms: int = 1_000) -> SagaStore:
        for lock in locks:
            lock.release()
        lock = OwnerLock.take(files, "2025-01-01T00:00:00Z")
        locks.append(lock)
        stack.callback(lock.release)
        store = SagaStore.open(files, lock, now_ms)
        stack.callback(store.connection.close)
        return store

    return open


@pytest.fixture
def store(open_store: OpenStore) -> SagaStore:
    """An open store which has the definition that `add_saga` refers to."""
    store = open_store()
    store.commit(with_definition())
    return store


@pytest.fixture
def open_context(files: StoreFiles, stack: ExitStack) -> OpenContext:
    """Open the file of a context."""

    def open(name: str = "payment", state: StoreState = NEW, **options: object) -> ContextStore:
        files.make_directory()
        store = ContextStore.open(files, name, state, **options)  # type: ignore[arg-type]
        stack.callback(sqlite3.Connection.close, store.db.conn)  # the engine alone closes it
        return store

    return open


@pytest.fixture
def context(open_context: OpenContext) -> ContextStore:
    """The open file of a context, with a table `payments(id, amount)` of its author."""
    context = open_context()
    context.begin()
    context.db.execute("CREATE TABLE payments (id TEXT PRIMARY KEY, amount INTEGER)")
    context.commit(ContextChanges())
    return context


@pytest.fixture
def reader(files: StoreFiles, stack: ExitStack) -> Callable[[], StoreReader]:
    """Open a reader of the store."""
    return lambda: stack.enter_context(StoreReader.open(files.directory))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB. Only root can make one."""
    with disk_of("1m", tmp_path / "disk") as place:
        yield place
