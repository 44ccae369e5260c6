"""A context's file, read-only, for the gateways that belong to the context: one connection per thread."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from saga.store.connection import open_reader
from saga.store.errors import CannotOpen
from saga.store.files import MEMORY

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["ReadOnly"]


class ReadOnly:
    """Called, it returns the database of the calling thread, which is closed when the thread has ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def __call__(self) -> Database:
        """Return a `sqlite_utils.Database` that cannot write. Raises CannotOpen when there is no file."""
        database: Database | None = getattr(self._local, "database", None)
        if database is None:
            if self._path == MEMORY:
                raise CannotOpen(
                    MEMORY, "a context in memory is read by nobody else; give the runtime a directory"
                )
            from sqlite_utils import Database

            # Any thread: it is closed by whoever clears the thread away.
            connection = open_reader(self._path, any_thread=True)
            database = Database(connection, execute_plugins=False, recursive_triggers=False)
            database.__dict__["_saga_closing"] = _Closing(connection)  # ends with it
            self._local.database = database
        return database


class _Closing:
    """Closes a connection when it is let go of; left to itself, Python 3.13 complains of an open one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __del__(self) -> None:
        self._connection.close()
