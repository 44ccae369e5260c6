"""The files of a store as bytes, and what SQLite makes of them when it recovers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from reliability.shop.business import CONTEXT_NAMES

__all__ = ["DATABASES", "Pages", "own", "put", "read", "recovered"]

DATABASES = ("saga", *CONTEXT_NAMES)
BESIDE = ("", "-wal", "-journal")

Pages = Mapping[str, bytes]
"""Name → content of the files of a store."""


def read(store: Path) -> dict[str, bytes]:
    """Return the files of a store that nobody has open; those for shared memory are no part of it."""
    return {path.name: path.read_bytes() for path in store.iterdir() if not path.name.endswith("-shm")}


def put(store: Path, pages: Pages) -> None:
    """Make the files of a store."""
    store.mkdir(parents=True)
    for name, content in pages.items():
        (store / name).write_bytes(content)


def own(pages: Pages, database: str) -> dict[str, bytes]:
    """Return the file of a database and what stands beside it, as far as they are there."""
    names = [f"{database}.db{suffix}" for suffix in BESIDE]
    return {name: pages[name] for name in names if name in pages}


def recovered(place: Path, pages: Pages, database: str) -> bytes | None:
    """Return the pages of a database as SQLite recovers them from its files; None when there are none.

    Two that are equal hold the same: pages are the same ones wherever they were found, in the file or in its log.
    Raises sqlite3.Error.
    """
    for suffix in (*BESIDE, "-shm"):
        (place / f"{database}.db{suffix}").unlink(missing_ok=True)
    files = own(pages, database)
    if not files.get(f"{database}.db"):
        return None
    for name, content in files.items():
        (place / name).write_bytes(content)
    # with mode=ro the log is not copied into the file at the end, which saves half of the time; a journal needs more
    mode = "rw" if f"{database}.db-journal" in files else "ro"
    uri = f"{(place / database).absolute().as_uri()}.db?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return None
        return connection.serialize()
