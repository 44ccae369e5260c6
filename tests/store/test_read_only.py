"""A gateway reads the file of its context, each thread over a connection of its own."""

from __future__ import annotations

import gc
import sqlite3
import threading

import pytest

from saga.store import CannotOpen, ContextStore, ReadOnly, StoreFiles

from .support import done


def test_a_gateway_reads_what_its_context_has_committed(context: ContextStore, files: StoreFiles) -> None:
    read = ReadOnly(files.context("payment"))
    assert read().table("payments").count == 0
    context.begin()
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    assert read().table("payments").count == 0
    context.commit(done("c1"))
    assert read().table("payments").count == 1
    assert read() is read()


def test_a_gateway_cannot_write(context: ContextStore, files: StoreFiles) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        ReadOnly(files.context("payment"))().execute("DELETE FROM payments")


def test_each_thread_has_a_connection_which_ends_with_it(context: ContextStore, files: StoreFiles) -> None:
    read = ReadOnly(files.context("payment"))
    connections: list[sqlite3.Connection] = []
    thread = threading.Thread(target=lambda: connections.append(read().conn))
    thread.start()
    thread.join()
    gc.collect()
    assert connections[0] is not read().conn
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")


def test_what_cannot_be_read_is_a_clear_error(files: StoreFiles) -> None:
    with pytest.raises(CannotOpen):
        ReadOnly(files.context("payment"))()
    with pytest.raises(CannotOpen, match="in memory"):
        ReadOnly(StoreFiles.at(":memory:").context("payment"))()
