"""The schemas of the two kinds of files, and how an older file becomes a newer one.

1. Migrations are only ever added, at the end. The number of them is the schema number, kept as
   `user_version`.
2. They run in one `BEGIN IMMEDIATE` of the caller; a file is never half migrated.
3. A file with a higher number than ours is refused, and so is one that is not ours: `application_id` tells.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from saga.errors import SchemaTooNew
from saga.store.connection import Header, read_header
from saga.store.errors import NotAStore

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

__all__ = ["CONTEXT", "FORMS_SINCE", "SAGA", "Schema"]


@dataclass(frozen=True, slots=True)
class Schema:
    """One kind of file."""

    what: str
    application_id: int
    """Stands in the header of the file; https://www.sqlite.org/fileformat.html, offset 68."""
    version: int
    """How many migrations there are."""
    set_name: str
    """Of the migration set; those of an author stand in the same table under another."""

    def look(self, path: str) -> Header | None:
        """Return the header of `path`, None when it is missing, empty, or was never got beyond being created.

        The file is opened for reading only. Raises SchemaTooNew, NotAStore, CannotOpen, CorruptStore.
        """
        header = read_header(path)
        if header is None or (header.application_id == 0 and header.tables == 0):
            return None
        if header.application_id != self.application_id:
            raise NotAStore(path, f"a SQLite database, but not {self.what}")
        if header.user_version > self.version:
            raise SchemaTooNew(path, header.user_version, self.version)
        return header

    def migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the file that `connection` has a write transaction on up to this schema; nothing if it is
        there.

        Errors of sqlite3 pass through; the caller rolls back.
        """
        if connection.execute("PRAGMA user_version").fetchone()[0] == self.version:
            return
        from sqlite_utils import Database  # takes 0.1 s to import, and is needed for a new file only

        db = Database(connection, execute_plugins=False, recursive_triggers=False)
        self._migrations().apply(db)
        connection.execute(f"PRAGMA application_id={self.application_id}")
        connection.execute(f"PRAGMA user_version={self.version}")

    def _migrations(self) -> Migrations:
        return _saga_migrations() if self is SAGA else _context_migrations()


SAGA = Schema("the saga.db of a store", 0x53414741, 4, "saga")  # "SAGA"
FORMS_SINCE = 4
"""The schema of saga.db since which there are forms."""
CONTEXT = Schema("the file of a context", 0x53414743, 2, "_saga")  # "SAGC"


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a file beside this one.

    By lines: sqlite-utils asks after each character whether the statement is complete, which takes 30 ms.
    """
    lines: list[str] = []
    for line in files("saga.store").joinpath(script).read_text(encoding="utf-8").splitlines():
        lines.append(line)
        if line.endswith(";") and sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines.clear()
    if any(line.strip() for line in lines):
        yield "\n".join(lines)


def _saga_migrations() -> Migrations:
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(SAGA.set_name)

    @migrations()
    def first_schema(db: Database) -> None:
        for statement in _statements("schema.sql"):
            db.execute(statement)

    @migrations()
    def retention(db: Database) -> None:
        # Sagas that ended before this time may be gone, and with them what contexts remember of their commands.
        db.execute("ALTER TABLE store ADD COLUMN pruned_ms INTEGER NOT NULL DEFAULT 0")

    @migrations()
    def digests_of_rows(db: Database) -> None:
        for table in ("sagas", "events", "participants", "listeners", "schedules"):
            _add_digest(db, table)
        # high_ms once more: a time that is not what it was would let everything fall due
        db.execute("ALTER TABLE store ADD COLUMN high_again INTEGER")

    @migrations()
    def forms(db: Database) -> None:
        for statement in _statements("forms.sql"):
            db.execute(statement)

    return migrations


def _add_digest(db: Database, table: str) -> None:
    """Add the digest of `digest.ROWS` to the rows of a table; NULL: written before there was one."""
    db.execute(f"ALTER TABLE {table} ADD COLUMN row_digest BLOB")


def _context_migrations() -> Migrations:
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(CONTEXT.set_name)

    @migrations()
    def first_schema(db: Database) -> None:
        for statement in _statements("context_schema.sql"):
            db.execute(statement)

    @migrations()
    def digests_of_rows(db: Database) -> None:
        for table in ("_saga_inbox", "_saga_outbox", "_saga_positions", "_saga_retries"):
            _add_digest(db, table)

    return migrations
