"""Statements over many rows at once.

Python's sqlite3 gives up the interpreter lock around every step of a statement, and may wait milliseconds to
get it back while other threads compute. So all rows of one kind are written by one statement, which has room for at
least so many. There is one for each of a few sizes, prepared once and then found in the statement cache by its text;
what is left of its room is filled with rows of `NOTHING`, which change nothing.

Binding has its price, too (Python 3.11, per value): 25 ns for an int or str, 130 ns for a bytearray, but 500
ns for None and 700 ns for bytes, which go through the adapters. So the stores bind JSON as str, digests as
bytearray, and `NOTHING` for None, which `MAYBE` in a statement turns back to NULL. It is a number with a
fraction, so that no value we store equals it: they are whole numbers, texts and blobs.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["MAYBE", "NOTHING", "SMALL_SIZES", "Bulk", "Execute", "Inserts", "flat"]

Execute: TypeAlias = Callable[..., sqlite3.Cursor]

NOTHING: Final = 0.5
MAYBE: Final = f"nullif(?,{NOTHING})"
"""The placeholder of a column that may be NULL."""

SIZES = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256)
"""How many rows one statement takes. What a row costs is the same from 32 rows on; the largest size is for what was
said above. It takes 0.5 MB and 7 ms to prepare, once.
"""

SMALL_SIZES = SIZES[:7]
"""For statements that grow faster with their rows than an INSERT does."""


def flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return all values of `rows` in one list, with NOTHING for None."""
    return [NOTHING if value is None else value for row in rows for value in row]


class Bulk:
    """One kind of write, prepared for several numbers of rows: `before (row), (row), ... after`. It must not change
    anything for a row of nothing but `NOTHING`.

    Rows to be deleted are written `between=" OR "`: SQLite then looks each up by its key, whereas
    `(a, b) IN (VALUES ...)` reads the whole table.
    """

    __slots__ = ("_empty", "_flatten", "_sizes", "_statements")

    def __init__(
        self,
        before: str,
        row: str,
        after: str = "",
        *,
        between: str = ", ",
        flatten: Callable[[Sequence[Any]], list[Any]] = flat,
        sizes: Sequence[int] = SIZES,
    ) -> None:
        self._flatten = flatten
        self._statements = {
            size: self._statement(before, between.join([row] * size), after, size) for size in sizes
        }
        self._sizes = sorted(sizes)
        self._empty = [NOTHING] * row.count("?")

    @staticmethod
    def _statement(before: str, rows: str, after: str, size: int) -> str:
        return f"{before} {rows} {after}"

    def run(self, execute: Callable[[str, list[Any]], sqlite3.Cursor], rows: Sequence[Any]) -> None:
        """Write `rows`, with one statement if there is one so large. Errors of sqlite3 pass through."""
        largest = self._sizes[-1]
        while len(rows) > largest:
            execute(self._statements[largest], self._flatten(rows[:largest]))
            rows = rows[largest:]
        if rows:
            size = self._sizes[bisect_left(self._sizes, len(rows))]
            execute(self._statements[size], self._flatten(rows) + self._empty * (size - len(rows)))


class Inserts(Bulk):
    """The same for `INSERT INTO table (columns)`, of which `before` is the whole, and in `after` there may be what is
    to be done on conflicts."""

    @staticmethod
    def _statement(before: str, rows: str, after: str, size: int) -> str:
        if size == 1:
            return f"{before} VALUES {rows} {after}"
        return f"{before} SELECT * FROM (VALUES {rows}) WHERE column1 <> {NOTHING} {after}"
