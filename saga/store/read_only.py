"""A context's file, read-only, for the gateways that belong to the context. One connection for each thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from saga.store.connection import open_reader
from saga.store.errors import CannotOpen
from saga.store.files import MEMORY

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["ReadOnly"]


class ReadOnly:
    """Called, it returns the database of the calling thread. Raises CannotOpen for a file that is not there (yet)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def __call__(self) -> Database:
        """Return a `sqlite_utils.Database` that cannot write."""
        database: Database | None = getattr(self._local, "database", None)
        if database is None:
            if self._path == MEMORY:
                raise CannotOpen(MEMORY, "a context in memory is read by nobody else; give the runtime a directory")
            from sqlite_utils import Database

            database = Database(open_reader(self._path), execute_plugins=False, recursive_triggers=False)
            self._local.database = database
        return database
