"""The connection of a context's file as user code has it in its hands, `self.db.conn`.

The authorizer sees statements only. What Python can do to a connection beside them would end the work of everybody in
the context, not of the one who did it: closing it, exchanging how it reads texts, taking the authorizer away. So it
is refused, with an error of its own kind, while user code runs.
"""

from __future__ import annotations

import gc
import sqlite3
from typing import Any, Final

from saga.store.authorizer import Guard

__all__ = ["GuardedConnection", "finish_statements"]

_OURS: Final = frozenset({"autocommit", "guard", "isolation_level", "text_factory"})


class GuardedConnection(sqlite3.Connection):
    """Refuses what would break the engine's use of it, while its `guard` says that user code runs."""

    guard: Guard | None = None

    def close(self) -> None:
        """Close it; the engine alone may."""
        self._check("close()")
        super().close()

    def set_authorizer(self, *arguments: Any, **named: Any) -> None:
        """Set who is asked; the engine alone may."""
        self._check("set_authorizer()")
        super().set_authorizer(*arguments, **named)

    def deserialize(self, *arguments: Any, **named: Any) -> None:
        """Exchange the whole database; nobody does."""
        self._check("deserialize()")
        super().deserialize(*arguments, **named)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OURS:
            self._check(name)
        super().__setattr__(name, value)

    def _check(self, what: str) -> None:
        if self.guard is not None and not self.guard.ours:
            raise sqlite3.DatabaseError(f"not authorized: {what} of this connection is the engine's")


def finish_statements(connection: sqlite3.Connection, ours: sqlite3.Cursor) -> None:
    """Close all cursors of a connection but `ours`: a statement that is not finished, and whose cursor is kept, would
    keep every transaction after it from being committed. Slow, it looks at everything in memory."""
    for each in gc.get_referrers(connection):
        if isinstance(each, sqlite3.Cursor) and each is not ours and each.connection is connection:
            each.close()
