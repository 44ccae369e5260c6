"""The file of one context: its author's tables, and our inbox, outbox and positions beside them.

How a driver uses it, all in the thread that opened it:

    store.begin()
    for command in batch:               # those that `answers` does not know
        store.savepoint()
        ... user code writes through `store.db` ...
        store.release()                 # or store.undo(), which takes back what it wrote
    store.commit(changes)               # inbox rows, outbox rows, positions, and COMMIT; or store.rollback()

1. User code is whatever runs between these calls: see `context_transaction`. What is read: `context_queries`.
2. Every commit has a number, written in the file; saga.db keeps the highest it has heard of, and the file the
   highest of saga.db: so an older copy of either is noticed at the next start.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from saga.errors import CorruptStore, DataLossDetected, StoreFailed
from saga.seams import seam
from saga.store.connection import (
    FAILURES,
    WAL_LIMIT_BYTES,
    check_process,
    close_untouched,
    open_owner,
    roll_back,
    shrink_wal,
    translated,
    wal_size,
)
from saga.store.context_queries import ContextQueries
from saga.store.context_rows import FILE_COLUMNS, ContextChanges, StoreState
from saga.store.context_transaction import LOST, ContextTransaction
from saga.store.errors import TransactionLost
from saga.store.files import MEMORY, StoreFiles
from saga.store.guarded import GuardedConnection
from saga.store.rows import FEW, check_few
from saga.store.schema import CONTEXT
from saga.store.witness import Witness, check_witness

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

__all__ = ["ContextStore"]

T = TypeVar("T")

PRUNED_AT_ONCE = 5_000
COMMITS_BETWEEN_WAL_CHECKS = 256


class ContextStore(ContextTransaction, ContextQueries):
    """The owner of one context's file. Opened by `open`, used in that thread only, ended by `close` or
    `abandon`.

    Attributes, read-only for everyone else:
    - `db`: the `sqlite_utils.Database` that user code gets
    - `name`, `path`, `commit_no` (of the last commit), `outbox_no` (highest number given in the outbox)
    - `floor`: commands with a lower number are not open any more, and may be forgotten
    - `is_new`: whether the file was made by this call
    """

    db: Database

    def __init__(self, connection: sqlite3.Connection, path: str, name: str) -> None:
        super().__init__(connection, path)
        self.name = name
        self._commits_to_wal_check = COMMITS_BETWEEN_WAL_CHECKS
        self.commit_no = self.outbox_no = self.floor = 0
        self._witness: Witness
        self.is_new = False

    # --- opening and closing ---

    @classmethod
    def open(
        cls, files: StoreFiles, name: str, state: StoreState, migrations: Migrations | None = None
    ) -> ContextStore:
        """Open the file of context `name`, or create it, as its one owner; run the author's `migrations` on
        it.

        `state` is what saga.db says now. Everything happens in one commit or not at all. Raises
        DataLossDetected when the file is missing, old, or of another store, or when saga.db is older than it;
        SchemaTooNew, NotAStore, CorruptStore, CannotOpen, DiskFull, FileLocked; and whatever the migrations
        raise.
        """
        path = files.context(name)
        exists = not files.in_memory and CONTEXT.look(path) is not None
        if not exists and state.acknowledged:
            raise DataLossDetected(
                path, f"is missing or empty, but saga.db knows of {state.acknowledged} commits of it"
            )
        seam("context-db.looked")
        # The isolation level makes Python send a BEGIN before a write outside of a transaction, which the
        # guard refuses: otherwise what user code writes after an INSERT OR ROLLBACK would be committed at
        # once, all by itself.
        connection = open_owner(
            path, create=not exists, isolation_level="IMMEDIATE", factory=GuardedConnection
        )
        return cls.over(connection, path, name, state, migrations)

    @classmethod
    def over(
        cls,
        connection: sqlite3.Connection,
        path: str,
        name: str,
        state: StoreState,
        migrations: Migrations | None = None,
    ) -> ContextStore:
        """Open the file that `connection`, made by `open_owner`, leads to: what `open` does once it has that.

        The connection is closed when this fails.
        """
        try:
            store = cls(connection, path, name)
            store._start(state, migrations)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError) and not hasattr(
                error, "__notes__"
            ):  # not the author's
                raise translated(error, path, opening=True) from error
            if isinstance(error, TypeError) and not hasattr(error, "__notes__"):
                raise CorruptStore(path, f"what is stored makes no sense ({error})") from error
            raise
        return store

    def _start(self, state: StoreState, migrations: Migrations | None) -> None:
        from sqlite_utils import Database

        execute, statements = self._execute, self._statements
        execute(statements.begin)
        try:
            CONTEXT.migrate(self._connection)
            seam("context-db.migrated")
            row = execute(f"SELECT {FILE_COLUMNS} FROM _saga_file").fetchone()
            if row is None:
                self.is_new = True
                row = (state.store_id, self.name, state.epoch, 0, state.commit_no, 0, state.outbox_no)
                execute(
                    f"INSERT INTO _saga_file (only, {FILE_COLUMNS}) VALUES (1,?,?,?,?,?,?,?)",
                    row,
                )
            self._check(row, state)
            check_witness(self.path, row[0], row[2], row[3])
            check_few(execute, self.path, FEW[1])
            _, _, _, self.commit_no, _, self.floor, self.outbox_no = row
            self.db = Database(self._connection, execute_plugins=False, recursive_triggers=False)
            if migrations is not None:
                self._migrate(migrations)
                seam("context-db.author-migrated")
            self.commit_no += 1
            execute(
                "UPDATE _saga_file SET epoch = ?, commit_no = ?, coordinator_commit_no = ?",
                (state.epoch, self.commit_no, state.commit_no),
            )
            seam("context-db.before-opening-commit")
            execute(statements.commit)
            self._witness = Witness(self.path, state.store_id, state.epoch, self.commit_no)
        except BaseException:
            roll_back(self._connection, statements.rollback)
            raise
        self._guard.ours = False
        seam("context-db.after-opening-commit")

    def _check(self, row: tuple[Any, ...], state: StoreState) -> None:
        store_id, name, epoch, commit_no, coordinator_commit_no, _, outbox_no = row
        if store_id != state.store_id:
            raise DataLossDetected(self.path, f"belongs to store {store_id}, not to {state.store_id}")
        if name != self.name:
            raise DataLossDetected(self.path, f"is the file of context {name}, not of {self.name}")
        if commit_no < state.acknowledged or outbox_no < state.outbox_no:
            raise DataLossDetected(
                self.path,
                f"is an old copy: it ends at commit {commit_no}, saga.db knows of {state.acknowledged}",
            )
        if coordinator_commit_no > state.commit_no or epoch > state.epoch:
            raise DataLossDetected(
                os.path.join(os.path.dirname(self.path), "saga.db"),
                f"is an old copy: it is at commit {state.commit_no} of epoch {state.epoch},"
                f" {os.path.basename(self.path)} knows of commit {coordinator_commit_no} of epoch {epoch}",
            )

    def _migrate(self, migrations: Migrations) -> None:
        """Run the author's migrations, which are user code, in the transaction that is open."""
        self._guard.ours = False
        try:
            migrations.apply(self.db)
        except Exception as error:
            outage = self.outage(error)
            if outage is not None:
                raise outage from error
            self.explain(error)
            error.add_note(f"in the migrations of context {self.name}; {self.path} is as it was before")
            raise
        finally:
            self._guard.ours = True
        if not self._connection.in_transaction:
            raise TransactionLost(self.path, f"a migration of context {self.name} has ended the transaction")

    def close(self) -> None:
        """Close the file. An open transaction is rolled back."""
        check_process(self._pid)
        self._guard.ours = True
        try:
            roll_back(self._connection, self._statements.rollback)
            if self.path != MEMORY:
                shrink_wal(self._connection)
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._connection.close()
        seam("context-db.closed")

    def abandon(self) -> None:
        """Close the connection after StoreFailed, writing nothing: the file stays as it is for the next
        start.
        """
        check_process(self._pid)
        self._guard.ours = True
        close_untouched(self._connection, self.path)

    # --- writing ---

    def commit(self, changes: ContextChanges) -> range:
        """Write `changes` and commit; return the outbox numbers that its rows have got, in their order.

        Raises ConstraintFailed (also for a deferred constraint of the author's tables), DiskFull, FileLocked,
        TransactionLost: nothing was written and the transaction is rolled back. StoreFailed: outcome unknown.
        """
        check_process(self._pid)
        execute, statements = self._execute, self._statements
        if not self._connection.in_transaction:
            raise TransactionLost(self.path, LOST)
        first, part = self.outbox_no + 1, "inbox"
        last = self.outbox_no + len(changes.outbox)
        self._guard.ours = True
        try:
            if changes.inbox:
                statements.inbox.run(execute, changes.inbox)
            if changes.sent:
                part = "sent"
                statements.sent.run(execute, changes.sent)
            if changes.outbox:
                part = "outbox"
                statements.outbox.run(execute, [(no, *row) for no, row in enumerate(changes.outbox, first)])
            if changes.positions:
                part = "positions"
                statements.positions.run(execute, list(changes.positions.items()))
            if changes.retries:
                part = "retries"
                statements.retries_over.run(
                    execute, [key for key, row in changes.retries.items() if row is None]
                )
                rows = [(*key, *row) for key, row in changes.retries.items() if row is not None]
                statements.retries.run(execute, rows)
                seam("context-db.retries-written")
            if changes.relayed_no:
                part = "outbox"
                execute(statements.forget, (changes.relayed_no,))
                seam("context-db.outbox-forgotten")
            part = "file"
            execute(statements.file, (self.commit_no + 1, changes.coordinator_commit_no, changes.floor, last))
            part = "deferred constraints"
            seam("context-db.before-commit")
            execute(statements.commit)
        except BaseException as error:
            self._undo_all(error, part)
        finally:
            self._guard.ours = False
        self.commit_no += 1
        self._witness.note(self.commit_no)
        self.outbox_no, self.floor = last, max(self.floor, changes.floor)
        seam("context-db.after-commit")
        self._commits_to_wal_check -= 1
        if self._commits_to_wal_check <= 0:
            self._check_wal()
        return range(first, last + 1)

    def _check_wal(self) -> None:
        self._commits_to_wal_check = COMMITS_BETWEEN_WAL_CHECKS
        if self.path != MEMORY and wal_size(self.path) > WAL_LIMIT_BYTES:
            self._guard.ours = True
            try:
                shrink_wal(self._connection)
            except FAILURES as error:
                what = translated(error, self.path)
                if isinstance(what, StoreFailed):
                    raise what from error
            finally:
                self._guard.ours = False

    def retry_now(self, event_type: str | None, now_ms: int) -> int:
        """Make all deliveries due that have failed (of one type of event), in the open transaction; return how
        many. Set `ContextChanges.retries_due`, so that it is committed.
        """
        self._guard.ours = True
        try:
            return self._execute(self._statements.retry_now, (now_ms, event_type, event_type)).rowcount
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._guard.ours = False

    def prune(self, floor: int) -> int:
        """Delete inbox rows of commands numbered below `floor`, in the open transaction or one of its own.

        At most 5,000 at once; returns how many, call it again while that is 5,000. Errors as of `commit`.
        """
        check_process(self._pid)
        inside = self._connection.in_transaction
        if not inside:
            self.begin()
        self._guard.ours = True
        try:
            deleted = self._execute(self._statements.prune, (floor, PRUNED_AT_ONCE)).rowcount
        except BaseException as error:
            self._undo_all(error, "inbox")
        finally:
            self._guard.ours = False
        seam("context-db.inbox-pruned")
        if not inside:
            changes = ContextChanges()
            changes.floor = floor
            self.commit(changes)
        return deleted

    def forget_sagas(self, saga_ids: Iterable[str]) -> int:
        """Forget the commands of these sagas, which are over for ever, in the open transaction; return how many. Set
        `ContextChanges.forgot`, so that it is committed.
        """
        return self._delete(self._statements.forget_sagas, saga_ids)

    def forget_sent(self, before_ms: int, after: str) -> tuple[int, str | None]:
        """Forget what the application has sent itself and was answered before this time, in the open transaction.

        Looks at 5,000 commands behind the id `after`; returns how many were forgotten, and where to go on, None at
        the end. Set `ContextChanges.forgot`, so that it is committed.
        """
        statement = (
            "SELECT command_id, number IS NULL AND at_ms < ? FROM _saga_inbox"
            " WHERE command_id > max(?, 'send:') AND command_id < 'send;' ORDER BY command_id LIMIT ?"
        )
        rows = self._read(statement, (before_ms, after, PRUNED_AT_ONCE))
        old = [command_id for command_id, is_old in rows if is_old]
        count = 0
        if old:
            self._delete(self._statements.forget_sent, old)
            count = self._delete(self._statements.forget_answers, old)
        return count, rows[-1][0] if len(rows) == PRUNED_AT_ONCE else None

    def _delete(self, statement: str, ids: Iterable[str]) -> int:
        self._guard.ours = True
        try:
            return self._execute(statement, (msgspec.json.encode(list(ids)).decode(),)).rowcount
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._guard.ours = False

    # --- reading ---

    def consult(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `read(connection)` returns; it may only look. Between transactions."""
        connection, self._guard.ours = self._connection, True
        factory, connection.row_factory = connection.row_factory, None  # user code may have one of its own
        try:
            return read(connection)
        finally:
            connection.row_factory = factory
            self._guard.ours = False

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        self._guard.ours = True
        try:
            return self._execute(statement, values).fetchall()
        except FAILURES as error:
            raise translated(error, self.path) from error
        finally:
            self._guard.ours = False
