"""What happened to a saga, by the rows of its journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saga.machine import Record, decode_records
from saga.store import JournalRow

__all__ = ["records_of"]


def records_of(journal: Iterable[JournalRow]) -> Iterator[Record]:
    """Yield the records of these rows, in order; a row whose payload was erased has none.

    Raises msgspec.DecodeError or UnicodeDecodeError at a row that cannot be read.
    """
    for row in journal:
        if row.stored:
            yield from decode_records(row.records or b"[]")
