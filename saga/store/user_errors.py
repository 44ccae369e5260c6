"""What an error means that user code has let out of a transaction.

Rules
1. It is the author's own affair, but for two cases. User code was not allowed to do something: then the error says
   what (`explain`). Or something is wrong with our disk (`outage`).
2. The same error may come from another database, which user code has opened by itself. So after one that speaks of
   damage our file is looked at, and believed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from saga.errors import SagaError
from saga.store.authorizer import Guard
from saga.store.bulk import Execute
from saga.store.connection import FAILURES, translated

__all__ = ["explain", "is_well", "outage"]

_OF_SQLITE = (sqlite3.DatabaseError, sqlite3.OperationalError)
"""Exactly these; one that the author has derived from them is the author's."""

_DAMAGES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OUTAGES = _DAMAGES | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}

_PROBE = (
    "SAVEPOINT _saga_probe",
    "CREATE TABLE _saga_probe (filling)",
    "INSERT INTO _saga_probe VALUES (zeroblob(65536))",
    "ROLLBACK TO _saga_probe",
    "RELEASE _saga_probe",
)
"""Whether pages can be had: after an error of the disk SQLite gives none before the transaction is rolled back."""

_LOOK = ("PRAGMA quick_check(1)",)


def explain(error: BaseException, guard: Guard) -> None:
    """Add to an error, as a note, what `guard` has denied, if that is why it was raised."""
    if type(error) in _OF_SQLITE and guard.denied and "not authorized" in str(error):
        error.add_note(guard.denied)
        guard.denied = ""


def outage(error: BaseException, path: str, well: Callable[[int], bool]) -> SagaError | None:
    """Return what an error says about the disk of the file at `path`, or None when it says nothing.

    `well(code)`: whether that file can be used, although there was an error of this code of SQLite's.
    """
    if type(error) not in _OF_SQLITE:
        return None
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code not in _OUTAGES or (code != sqlite3.SQLITE_FULL and well(code)):
        return None
    return translated(error, path)


def is_well(execute: Execute, code: int) -> bool:
    """Return whether the file can be read and written, in the transaction that is open."""
    try:
        return all(
            execute(statement).fetchall() in ([], [("ok",)])
            for statement in (*_PROBE, *(_LOOK if code in _DAMAGES else ()))
        )
    except FAILURES:
        return False
