"""The transaction in a context's file, with user code in it.

1. User code is whatever runs between these calls. It cannot end the transaction, write our tables, set
   pragmas or attach files: see `authorizer`. What gets past that (`INSERT OR ROLLBACK`) is noticed:
   TransactionLost.
2. Each piece of user code has a savepoint, and what it has let out is asked about here: see `user_errors`.
3. After an error the driver calls `rollback`, except after StoreFailed: then nobody knows, and only `abandon`
   may follow.
"""

from __future__ import annotations

import os
import sqlite3
from typing import NoReturn

from saga.errors import SagaError, StoreFailed
from saga.store.authorizer import Guard
from saga.store.connection import FAILURES, check_process, roll_back, translated
from saga.store.context_writing import Statements
from saga.store.errors import TransactionLost
from saga.store.guarded import GuardedConnection, finish_statements
from saga.store.user_errors import explain, is_well, outage

__all__ = ["LOST", "ContextTransaction"]

LOST = "user code has ended the transaction (INSERT OR ROLLBACK, RAISE(ROLLBACK)); all of it is lost"
_IN_PROGRESS = (
    "a statement that writes was not finished: read all rows of INSERT ... RETURNING, or close its cursor"
)


class ContextTransaction:
    """One transaction after the other; `ContextStore` is what they are used through, and commits them."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._cursor = connection.cursor()  # one cursor, since making one costs 0.3 µs
        self._execute = self._cursor.execute
        self._guard = Guard(connection)
        if isinstance(connection, GuardedConnection):
            connection.guard = self._guard
        self._guard.install()
        self._statements = Statements(self._guard)
        self._pid = os.getpid()
        self.path = path

    def begin(self) -> None:
        """Begin a transaction. Raises FileLocked, DiskFull, ForkedRuntime; then there is none."""
        check_process(self._pid)
        self._guard.denied = ""
        self._run(self._statements.begin)

    def savepoint(self) -> None:
        """Mark the point that `undo` goes back to. Raises TransactionLost when there is no transaction."""
        self._run_in_transaction(self._statements.savepoint)

    def release(self) -> None:
        """Keep what was written since `savepoint`. Raises TransactionLost when it cannot be kept: all is
        lost.
        """
        self._run_in_transaction(self._statements.release)

    def undo(self) -> None:
        """Take back what was written since `savepoint`. Raises TransactionLost when the whole transaction is
        gone.
        """
        self._run_in_transaction(self._statements.undo)
        self._run_in_transaction(self._statements.release)

    def rollback(self) -> None:
        """Take the whole transaction back; nothing when there is none. Raises StoreFailed when that fails."""
        check_process(self._pid)
        self._guard.ours = True
        try:
            roll_back(self._connection, self._statements.rollback)
        except FAILURES as error:
            raise StoreFailed(self.path, f"a transaction cannot be rolled back: {error}") from error
        finally:
            self._guard.ours = False

    def check_transaction(self) -> bool:
        """Return whether the transaction that was begun is still open; user code may have lost it."""
        return self._connection.in_transaction

    def explain(self, error: BaseException) -> None:
        """Add to an error of user code, as a note, what it was not allowed to do, if that is why it was
        raised.
        """
        explain(error, self._guard)

    def outage(self, error: BaseException) -> SagaError | None:
        """Return what an error that user code let out says about the disk, or None when it is the author's
        own affair.

        DiskFull, FileLocked, CorruptStore or StoreFailed: the attempt does not count, treat it as an error of
        `commit`.
        """
        return outage(error, self.path, self._is_well)

    def _is_well(self, code: int) -> bool:
        """Return whether this file can be used in the transaction that is open, after an error of this code."""
        if not self._connection.in_transaction:
            return False
        self._guard.ours = True
        try:
            return is_well(self._execute, code)
        finally:
            self._guard.ours = False

    def _run(self, statement: str) -> None:
        self._guard.ours = True
        try:
            self._execute(statement)
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._guard.ours = False

    def _run_in_transaction(self, statement: str) -> None:
        if not self._connection.in_transaction:
            raise TransactionLost(self.path, LOST)
        self._guard.ours = True
        try:
            self._execute(statement)
        except sqlite3.OperationalError as error:
            if "SQL statements in progress" in str(error):
                finish_statements(self._connection, self._cursor)
                raise TransactionLost(self.path, _IN_PROGRESS) from error
            if "no such savepoint" in str(error):
                raise TransactionLost(self.path, LOST) from error
            raise translated(error, self.path) from error
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._guard.ours = False

    def _undo_all(self, error: BaseException, part: str) -> NoReturn:
        """Roll back after `error` and raise what it means."""
        try:
            roll_back(self._connection, self._statements.rollback)
        except FAILURES as second:
            raise StoreFailed(self.path, f"a failed write cannot be rolled back: {second}") from error
        if isinstance(error, sqlite3.OperationalError) and "SQL statements in progress" in str(error):
            finish_statements(self._connection, self._cursor)
            raise TransactionLost(self.path, _IN_PROGRESS) from error
        if isinstance(error, sqlite3.Error | OverflowError | UnicodeError):
            raise translated(error, self.path, part=part) from error
        raise error
