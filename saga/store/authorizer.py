"""What user code may do on the connection of its context: everything but what breaks the engine's
transaction.

SQLite asks an authorizer when a statement is *prepared*, not when it runs. Two things follow:

1. It is set once and says no unless the engine itself is at work (`Guard.ours`): setting it again would make
   every prepared statement be prepared anew.
2. Python finds a prepared statement again by its text. So each statement of ours that user code must not run
   has a comment with a random token: a `COMMIT` of user code does not find ours in the cache.

It keeps authors from mistakes. It is no wall against code that wants to harm: that runs in this process
anyway.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import Final

__all__ = ["PREFIX", "Guard"]

PREFIX: Final = "_saga_"
"""Names in a context's file that begin so are ours."""

_WRITES: Final = {
    sqlite3.SQLITE_INSERT: "writing to",
    sqlite3.SQLITE_UPDATE: "writing to",
    sqlite3.SQLITE_DELETE: "deleting from",
    sqlite3.SQLITE_ALTER_TABLE: "changing",
    sqlite3.SQLITE_CREATE_INDEX: "an index on",
    sqlite3.SQLITE_CREATE_TABLE: "creating",
    sqlite3.SQLITE_CREATE_TEMP_INDEX: "an index on",
    sqlite3.SQLITE_CREATE_TEMP_TABLE: "creating",
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER: "a trigger on",
    sqlite3.SQLITE_CREATE_TEMP_VIEW: "creating",
    sqlite3.SQLITE_CREATE_TRIGGER: "a trigger on",
    sqlite3.SQLITE_CREATE_VIEW: "creating",
    sqlite3.SQLITE_CREATE_VTABLE: "creating",
    sqlite3.SQLITE_DROP_INDEX: "dropping",
    sqlite3.SQLITE_DROP_TABLE: "dropping",
    sqlite3.SQLITE_DROP_TEMP_INDEX: "dropping",
    sqlite3.SQLITE_DROP_TEMP_TABLE: "dropping",
    sqlite3.SQLITE_DROP_TEMP_TRIGGER: "dropping",
    sqlite3.SQLITE_DROP_TEMP_VIEW: "dropping",
    sqlite3.SQLITE_DROP_TRIGGER: "dropping",
    sqlite3.SQLITE_DROP_VIEW: "dropping",
    sqlite3.SQLITE_DROP_VTABLE: "dropping",
}
"""Actions that change something, by https://www.sqlite.org/c3ref/c_alter_table.html, and how we call them."""

_ALWAYS: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_ANALYZE,
        sqlite3.SQLITE_REINDEX,  # a part of CREATE INDEX
    }
)

_READ_PRAGMAS: Final = frozenset(
    {
        *(
            "collation_list",
            "compile_options",
            "database_list",
            "function_list",
            "module_list",
            "pragma_list",
        ),
        *("foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo"),
        *("table_info", "table_list", "table_xinfo", "integrity_check", "quick_check"),
    }
)
"""Pragmas that only read, whatever their argument; sqlite-utils lives on them."""

_READ_BARE_PRAGMAS: Final = frozenset(
    {
        *(
            "application_id",
            "auto_vacuum",
            "cache_size",
            "data_version",
            "encoding",
            "foreign_keys",
            "freelist_count",
        ),
        *("journal_mode", "page_count", "page_size", "recursive_triggers", "schema_version", "synchronous"),
        *("user_version", "defer_foreign_keys", "legacy_alter_table"),
    }
)
"""Pragmas that read when they have no argument, and set when they have one."""

_SET_PRAGMAS: Final = frozenset({"defer_foreign_keys", "legacy_alter_table"})
"""What `table.transform()` of sqlite-utils sets. The first ends with the transaction, the second harms
nobody.
"""

_FUNCTIONS_DENIED: Final = frozenset({"load_extension"})


class Guard:
    """The authorizer of one connection. `install` it before anything else is prepared."""

    __slots__ = ("_connection", "denied", "ours", "token")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.token = secrets.token_hex(8)
        self.ours = True
        """Whether the engine is at work, rather than user code."""
        self.denied = ""
        """What was refused last, for the message."""

    def install(self) -> None:
        """Make SQLite ask this guard."""
        self._connection.set_authorizer(self)

    def mark(self, statement: str) -> str:
        """Return `statement` as one that user code cannot find in the statement cache."""
        return f"{statement}/*{self.token}*/"

    def __call__(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        """Answer SQLite. The meaning of the arguments depends on the action."""
        if self.ours:
            return sqlite3.SQLITE_OK
        why = self._objection(action, first or "", second or "")
        if why is None:
            return sqlite3.SQLITE_OK
        self.denied = why
        return sqlite3.SQLITE_DENY

    def _objection(self, action: int, first: str, second: str) -> str | None:
        """Return why user code may not do this, or None when it may."""
        if action in _ALWAYS:
            if action == sqlite3.SQLITE_FUNCTION and second.lower() in _FUNCTIONS_DENIED:
                return f"{second}() is not allowed"
            return None
        doing = _WRITES.get(action)
        if doing is not None:
            for name in (first, second):
                if name.lower().startswith(PREFIX):
                    return f"{doing} {name} is not allowed: names that begin with {PREFIX} are the engine's"
            # Reading a table-valued function such as json_each declares it, and that asks for sqlite_master.
            if not self._connection.in_transaction and not first.lower().startswith("sqlite_"):
                return "writing outside of a handler is not allowed, or after the transaction was rolled back"
            return None
        if action == sqlite3.SQLITE_SAVEPOINT:
            if second.lower().startswith(PREFIX):
                return f"savepoint {second} belongs to the engine"
            return None
        if action == sqlite3.SQLITE_TRANSACTION:
            return f"{first} is not allowed: the engine commits, with the answer; db.atomic() may be used"
        if action == sqlite3.SQLITE_PRAGMA:
            return _pragma_objection(first.lower(), second)
        if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
            return "ATTACH, DETACH and VACUUM are not allowed: a context has one file"
        return f"this statement is not allowed (SQLite action {action})"


def _pragma_objection(name: str, argument: str) -> str | None:
    if name in _READ_PRAGMAS or (name in _READ_BARE_PRAGMAS and not argument) or name in _SET_PRAGMAS:
        return None
    return f"PRAGMA {name} is not allowed: the engine sets the pragmas"
