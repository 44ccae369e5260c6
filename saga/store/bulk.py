"""Statements over many rows at once.

Python's sqlite3 gives up the interpreter lock around every step of a statement, and may wait milliseconds to
get it back while other threads compute. So rows are written by statements with many of them, in a few sizes,
each of which is prepared once and then found in the statement cache by its text.

Binding has its price, too (Python 3.11, per value): 25 ns for an int or str, 130 ns for a bytearray, but 500
ns for None and 700 ns for bytes, which go through the adapters. So the stores bind JSON as str, digests as
bytearray, and `NOTHING` for None, which `MAYBE` in a statement turns back to NULL. It is a number with a
fraction, so that no value we store equals it: they are whole numbers, texts and blobs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["MAYBE", "NOTHING", "SMALL_SIZES", "Bulk", "Execute", "flat"]

Execute: TypeAlias = Callable[..., sqlite3.Cursor]

NOTHING: Final = 0.5
MAYBE: Final = f"nullif(?,{NOTHING})"
"""The placeholder of a column that may be NULL."""

SIZES = (256, 64, 32, 16, 8, 4, 2, 1)
"""How many rows one statement takes. Any number below 64 is written with six statements at most. What a row
costs is the same from 32 rows on; the largest size is for what was said above. It takes 0.5 MB and 7 ms to
prepare, once.
"""

SMALL_SIZES = SIZES[1:]
"""For statements that grow faster with their rows than an INSERT does."""


def flat(rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return all values of `rows` in one list, with NOTHING for None."""
    return [NOTHING if value is None else value for row in rows for value in row]


class Bulk:
    """One kind of write, prepared for several numbers of rows: `before (row), (row), ... after`.

    Rows to be deleted are written `between=" OR "`: SQLite then looks each up by its key, whereas
    `(a, b) IN (VALUES ...)` reads the whole table.
    """

    __slots__ = ("_flatten", "_sizes", "_statements")

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
        self._statements = {size: f"{before} {between.join([row] * size)} {after}" for size in sizes}
        self._sizes = tuple(sizes)

    def run(self, execute: Callable[[str, list[Any]], sqlite3.Cursor], rows: Sequence[Any]) -> None:
        """Write `rows` with as few statements as there are sizes for. Errors of sqlite3 pass through."""
        flatten, done, count = self._flatten, 0, len(rows)
        whole = self._statements.get(count)
        if whole is not None:  # one saga at a time has one row of each kind
            execute(whole, flatten(rows))
            return
        for size in self._sizes:
            while count - done >= size:
                execute(self._statements[size], flatten(rows[done : done + size]))
                done += size
