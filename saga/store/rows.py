"""Rows that do not fit their digests, and tables that are not defined as they were made: found with SQL alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from saga.errors import CorruptStore
from saga.store.digest import ROWS, row_digest
from saga.store.schema import Schema

__all__ = ["FEW", "check_few", "redefined", "unfitting"]

FEW = (
    ("participants", "listeners", "schedules"),
    ("_saga_outbox", "_saga_positions", "_saga_retries"),
)
"""Tables of saga.db, and of a context, that never have many rows: they are checked whenever they are opened."""

Execute = Callable[..., Iterable[Any]]


def unfitting(execute: Execute, table: str) -> Iterator[str]:
    """Yield the key of each row of a table that does not fit its digest. Errors of sqlite3 pass through."""
    columns = ROWS[table]
    for *values, digest in execute(f"SELECT {', '.join(columns)}, row_digest FROM {table}"):
        if digest is not None and row_digest(*values) != digest:
            yield repr(values[0])


def check_few(execute: Execute, path: str, tables: Iterable[str]) -> None:
    """Raise CorruptStore when a row of these tables does not fit its digest."""
    for table in tables:
        for key in unfitting(execute, table):
            raise CorruptStore(path, f"{key} in {table} does not fit its digest")


def redefined(connection: sqlite3.Connection, schema: Schema) -> Iterator[str]:
    """Yield the names of those of our tables, indexes and views that are not defined as `schema` defines them."""
    statement = "SELECT name, type, tbl_name, sql FROM sqlite_master"
    wanted = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.migrate(wanted)
        ours = {
            name: rest
            for name, *rest in wanted.execute(statement)
            if not name.lstrip("_").startswith("sqlite")
        }
    finally:
        wanted.close()
    found = {name: rest for name, *rest in connection.execute(statement)}
    for name, definition in ours.items():
        if found.get(name) != definition:
            yield name
