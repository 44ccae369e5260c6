"""The records of a journal, by its rows."""

from __future__ import annotations

import pytest
from msgspec import DecodeError

from saga.journal import records_of
from saga.machine import Record, encode_records
from saga.machine import records as r
from saga.store import FILLED, JSON, JournalRow

FIRST, SECOND, THIRD = r.Suspended("wait a little"), r.Resumed("go on"), r.Unparked("book.1")


def row(seq: int, *records: Record) -> JournalRow:
    return JournalRow(1, seq, 0, None, JSON, encode_records(list(records)), b"")


def test_the_records_of_all_rows_come_in_order() -> None:
    assert list(records_of([row(1, FIRST, SECOND), row(2, THIRD)])) == [FIRST, SECOND, THIRD]


def test_a_row_that_was_erased_has_no_records() -> None:
    erased = JournalRow(1, 2, 0, None, FILLED, None, b"")
    assert list(records_of([row(1, FIRST), erased, row(3, THIRD)])) == [FIRST, THIRD]


def test_a_row_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(DecodeError, match="there is no form for it"):
        list(records_of([JournalRow(1, 1, 0, None, FILLED, b"[]", b"")]))
