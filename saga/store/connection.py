"""Connections to SQLite files: the one that owns a file, those that only read, and what their errors mean.

1. A file has one read-write connection, opened in the thread of its owner. It is also the only one that
   checkpoints. Everything else opens `mode=ro`, which cannot; `query_only` would not do, it checkpoints on
   close.
2. WAL and `synchronous=FULL` on every file, checked after they were set. No memory mapping.
3. Errors of sqlite3 do not leave this package: `translated` says what each means for the caller.
4. A connection belongs to the process that opened it.
5. Nobody in the process of an owner opens a database file but through sqlite3, not even to read or copy it:
   when any descriptor of a file is closed, the process loses the locks that SQLite holds on that file.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from saga.errors import CorruptStore, ForkedRuntime, SagaError, StoreError, StoreFailed
from saga.seams import seam
from saga.store.errors import CannotOpen, ConstraintFailed, DiskFull, FileLocked
from saga.store.files import MEMORY

__all__ = [
    "FAILURES",
    "REFUSED_ROWS",
    "Header",
    "check_process",
    "close_untouched",
    "open_owner",
    "open_reader",
    "read_header",
    "roll_back",
    "shrink_wal",
    "translated",
    "wal_size",
]

BUSY_TIMEOUT_MS = 5_000
"""How long to wait for another program's lock. Among our own connections nobody waits: one writes."""

CACHED_STATEMENTS = 512
"""Prepared statements kept per connection: ours are about 150 at most, the rest is for user code."""

WAL_PAGES = 4_000
"""Pages in the WAL before a commit copies them into the file (16 MB): hot pages are then copied once, not
four times.
"""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""A WAL that a long reader has let grow larger is cut back to this as soon as it is started anew."""

LONGEST_WORDS = 200
"""Characters of SQLite's own words about damage that go into a message."""

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What any call of sqlite3 may raise: the second when SQLite speaks of something damaged, and quotes it."""

REFUSED_ROWS = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeEncodeError)
"""What sqlite3 raises when values do not fit, beside binding errors, which are recognised by their text."""


def open_owner(
    path: str,
    *,
    create: bool,
    isolation_level: Literal["IMMEDIATE"] | None = None,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """Open the one read-write connection to the file at `path`, or a new database in memory for `MEMORY`.

    `create` allows that the file does not exist. Raises CannotOpen, CorruptStore, DiskFull, FileLocked.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise CannotOpen(path, f"SQLite {sqlite3.sqlite_version} is too old, {wanted} or newer is needed")
    target = MEMORY if path == MEMORY else _uri(path, "rwc" if create else "rw")
    try:
        connection = sqlite3.connect(
            target,
            uri=True,
            isolation_level=isolation_level,
            cached_statements=CACHED_STATEMENTS,
            timeout=BUSY_TIMEOUT_MS / 1000,
            factory=factory,
        )
    except FAILURES as error:
        raise translated(error, path, opening=True) from error
    seam("file.connected")
    try:
        _set_pragmas(connection, path)
    except FAILURES as error:
        connection.close()
        raise translated(error, path, opening=True) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _set_pragmas(connection: sqlite3.Connection, path: str) -> None:
    wanted: dict[str, str | int] = {
        "journal_mode": "memory" if path == MEMORY else "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": BUSY_TIMEOUT_MS,
        "mmap_size": 0,
        "journal_size_limit": WAL_LIMIT_BYTES,
        "wal_autocheckpoint": WAL_PAGES,
        "cache_size": -8_000,  # 8 MB: the hot ends of all tables
    }
    if sys.platform == "darwin":
        # fsync on macOS does not reach the platter without it
        wanted |= {"fullfsync": 1, "checkpoint_fullfsync": 1}
    for name, value in wanted.items():
        connection.execute(f"PRAGMA {name}={value}").fetchall()
        found = connection.execute(f"PRAGMA {name}").fetchone()
        if (
            found is not None and found[0] != value
        ):  # None: mmap is not compiled in, or there is none in memory
            raise CannotOpen(path, f"SQLite does not take {name}={value}, it stays {found[0]}")
        seam("file.pragma-set")


def open_reader(path: str, *, any_thread: bool = False) -> sqlite3.Connection:
    """Open `path` for reading only; works beside a live owner and on what a dead one left, and changes no
    file.

    On a read-only file system, where SQLite can make no shared-memory file, a file that was closed properly
    is read as immutable. `any_thread` allows the connection to be used in other threads than this one (not at
    the same time). Raises CannotOpen, CorruptStore.
    """
    try:
        return _try_reader(_uri(path, "ro"), any_thread)
    except UnicodeDecodeError as error:
        raise translated(error, path, opening=True) from error
    except sqlite3.Error as error:
        code = _primary(error)
        if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR):
            raise translated(error, path, opening=True) from error
        if not os.path.isfile(path) or not os.access(path, os.R_OK):
            raise translated(error, path, opening=True) from error
        if wal_size(path):
            raise CannotOpen(
                path,
                "was not closed properly, so reading it needs a writable directory; copy the store to one",
            ) from error
        try:
            return _try_reader(_uri(path, "ro&immutable=1"), any_thread)
        except FAILURES as second:
            raise translated(second, path, opening=True) from second


def _try_reader(uri: str, any_thread: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_MS / 1000,
        check_same_thread=not any_thread,
    )
    try:
        # Nothing is opened before the first read.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: str, mode: str) -> str:
    return f"{Path(path).absolute().as_uri()}?mode={mode}"


class Header(NamedTuple):
    """What a file says about itself before anything of it is used."""

    application_id: int
    user_version: int
    tables: int
    """How many tables, indexes, views and triggers it has; 0 for a missing or empty file."""


def read_header(path: str) -> Header | None:
    """Return the header of the file at `path`, opened for reading only, or None when it is missing or empty.

    Raises CannotOpen, CorruptStore.
    """
    try:
        if os.stat(path).st_size == 0:
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotOpen(path, f"cannot be read: {error.strerror}") from error
    connection = open_reader(path)
    try:
        return Header(
            connection.execute("PRAGMA application_id").fetchone()[0],
            connection.execute("PRAGMA user_version").fetchone()[0],
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0],
        )
    except FAILURES as error:
        raise translated(error, path, opening=True) from error
    finally:
        connection.close()


def _primary(error: sqlite3.Error) -> int:
    """Return the primary result code of SQLite, 0 when the error is not one of SQLite itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return 0 if code is None else code & 0xFF


# What each extended code means for a write is known only where SQLite says so; the rest is an unknown
# outcome.
_NO_SPACE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}


def translated(error: BaseException, path: str, *, part: str = "", opening: bool = False) -> SagaError:
    """Return the error of this library that `error`, raised by sqlite3 for the file at `path`, stands for.

    DiskFull and FileLocked: nothing was written. ConstraintFailed: the rows of `part` do not fit.
    CorruptStore: SQLite found damage. CannotOpen, while opening, and StoreFailed for all else, which means
    that the outcome is unknown.
    """
    if isinstance(error, SagaError):
        return error
    if isinstance(
        error, UnicodeDecodeError
    ):  # Python's sqlite3 lets it out when SQLite's own words are damaged
        return CorruptStore(path, f"there is text in it that is none ({error.reason})")
    if isinstance(error, REFUSED_ROWS) or _is_binding_error(error):
        return ConstraintFailed(path, part, str(error))
    if isinstance(error, sqlite3.Error):
        code = _primary(error)
        if getattr(error, "sqlite_errorcode", None) in _NO_SPACE or code == sqlite3.SQLITE_FULL:
            return DiskFull(path)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return CorruptStore(path, _in_a_line(error))
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return FileLocked(path)
        if opening:
            return CannotOpen(path, _why_not_opened(error, path))
    elif isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(path)
        if opening:
            return CannotOpen(path, error.strerror or str(error))
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreFailed(path, f"failed with {name} ({error})")


def _in_a_line(error: sqlite3.Error) -> str:
    """Return what SQLite says about damage; it may quote a whole definition of a table, damaged as it is."""
    words = " ".join("".join(each if each.isprintable() else " " for each in str(error)).split())
    return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]} ..."


def _is_binding_error(error: BaseException) -> bool:
    # InterfaceError up to Python 3.11, ProgrammingError since
    return isinstance(
        error, sqlite3.InterfaceError | sqlite3.ProgrammingError
    ) and "binding parameter" in str(error)


def _why_not_opened(error: sqlite3.Error, path: str) -> str:
    directory = os.path.dirname(path)
    if os.path.isdir(path):
        return "is a directory, and should be a file"
    if not os.path.isdir(directory):
        return "its directory does not exist"
    if not os.access(directory, os.W_OK):
        return "the directory is not writable"
    if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
        return "there is no permission to read and write it"
    return f"cannot be opened or read ({getattr(error, 'sqlite_errorname', '')}: {error})"


def check_process(owner_pid: int) -> None:
    """Raise ForkedRuntime unless this is the process `owner_pid`.

    A fork that used the parent's connection would write into the parent's transaction without any error.
    """
    pid = os.getpid()
    if pid != owner_pid:
        raise ForkedRuntime(owner_pid, pid)


def roll_back(connection: sqlite3.Connection, statement: str = "ROLLBACK") -> None:
    """Roll back if SQLite has not done so itself, as it has when the disk was full. Errors of sqlite3 pass
    through.
    """
    if connection.in_transaction:
        connection.execute(statement)


def wal_size(path: str) -> int:
    """Return the bytes in the write-ahead log beside `path`, 0 when there is none."""
    try:
        return os.stat(f"{path}-wal").st_size
    except OSError:
        return 0


def shrink_wal(connection: sqlite3.Connection) -> bool:
    """Copy the whole WAL into the file and empty it, unless a reader is in the way; return whether that was
    done.

    The busy timeout is off meanwhile: the owner does not wait for a reader. Errors of sqlite3 pass through.
    """
    cursor = connection.cursor()
    cursor.row_factory = None  # user code may have set one of its own
    cursor.execute("PRAGMA busy_timeout=0").fetchall()
    try:
        seam("checkpoint.before")
        busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        seam("checkpoint.after")
        return not busy
    finally:
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}").fetchall()


def close_untouched(connection: sqlite3.Connection, path: str) -> None:
    """Close after a failed write, without the checkpoint that closing the last connection does.

    Pages whose sync has failed may be gone from the disk although SQLite thinks they are there; the next
    start recovers from the WAL as it is. A reader beside it makes this connection not the last, and cannot
    checkpoint.
    """
    reader: sqlite3.Connection | None = None
    if path != MEMORY:
        try:
            reader = open_reader(path)
        except StoreError:
            pass  # the file cannot even be read: then closing cannot write it either
        except SagaError:
            pass  # damaged: the same
    try:
        connection.close()
    finally:
        if reader is not None:
            reader.close()
