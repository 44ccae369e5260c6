"""A journal as a person reads it: every kind of record has its sentence."""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec import DecodeError, Raw

from saga.history import read_history
from saga.machine import Record, encode_records
from saga.machine import records as r
from saga.store import JournalRow

from .machine.test_record_format import RECORDS


def sentence(*records: Record) -> list[str]:
    row = JournalRow(1, 1, 0, None, 1, encode_records(list(records)), b"")
    return [entry.text for entry in read_history([row])]


def test_every_kind_of_record_has_a_sentence() -> None:
    told = {type(record) for _, record in RECORDS if sentence(record) != [""]}
    assert told == set(get_args(Record))


SENTENCES: list[tuple[Record, str]] = [
    (r.Reversed("book.1~1"), "the saga that called it is undone, and so this one is undone, too"),
    (
        r.UndoSent("book.1~1", "book", "", "book.1", "Unbook/1", Raw(b"{}"), "desk", 7),
        "book.1~1: undoing book.1: Unbook/1 to desk",
    ),
    (
        r.UndoSent("trip.1~1", "trip", "", "trip.1", "(reversal)", Raw(b"null"), "saga Trip/1", 0),
        "trip.1~1: undoing trip.1: saga Trip/1 undoes what it did",
    ),
    (r.ScopeEntered("repeat-1.2", "repeat-1", "", round=2), "repeat-1.2 entered, round 2"),
    (r.ScopeEntered("scope-1.1", "scope-1", "", 0), "scope-1.1 entered, until 1970-01-01 00:00:00"),
    (r.EachBegun("each-1.1", "each-1", "", "guests", [Raw(b"1")]), "each-1.1 entered, items: 1"),
    (r.ItemBegun("each-1.1/item.2", "each-1", "each-1.1", 1), "each-1.1/item.2: item 2 begun"),
    (r.TaskOpened("ok.1", "ok", "", "Ok/1", Raw(b"1")), "ok.1: a person is to decide"),
    (r.TaskAssigned("ok.1", "ann", "bob"), "ok.1: assigned to ann by bob"),
    (r.TaskAssigned("ok.1", ""), "ok.1: assigned to nobody in particular"),
    (r.TaskDone("ok.1", Raw(b"1"), "ann"), "ok.1: decided by ann"),
    (r.RaceBegun("race-1.1", "race-1", ""), "race-1.1: waiting for what comes first"),
    (r.RaceOver("race-1.1", "paid.1"), "race-1.1: paid.1 came first"),
    (r.RaceOver("race-1.1"), "race-1.1: nothing came in time"),
    (r.Reminded("paid.1", 2, 1000), "paid.1: reminder 2, the next one at 1970-01-01 00:00:01"),
    (r.Reminded("paid.1", 3), "paid.1: reminder 3, the last one"),
    (r.EventPublished("tell.1", "tell", "", "Told/1", Raw(b"1"), "k"), "tell.1: published Told/1 of k"),
    (r.EventPublished("tell.1", "tell", "", "Told/1", Raw(b"1")), "tell.1: published Told/1"),
    (r.CompensationBegun("compensate-1.1", "c", ""), "compensate-1.1: undoing everything done so far"),
    (r.CompensationBegun("compensate-1.1", "c", "", "pay"), "compensate-1.1: undoing pay done so far"),
    (r.CompensationDone("compensate-1.1"), "compensate-1.1: that is undone, the flow goes on"),
]


@pytest.mark.parametrize(("record", "text"), SENTENCES, ids=lambda each: type(each).__name__)
def test_a_record_is_told_in_a_sentence(record: Record, text: str) -> None:
    assert sentence(record) == [text]


def test_what_was_erased_is_said_to_be() -> None:
    assert [entry.text for entry in read_history([JournalRow(1, 1, 0, None, 1, None, b"")])] == [
        "what happened was erased"
    ]


def test_a_record_that_nests_without_end_is_damage_like_any_other() -> None:
    deep = Raw(b"[" * 100_000 + b"]" * 100_000)
    with pytest.raises(DecodeError, match="it nests too deep"):
        sentence(r.Answered("answer.1", "answer", "", deep))
