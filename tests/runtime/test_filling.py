"""Rows of a journal are divided into what their definition says and what one saga says, and lose nothing by it."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from msgspec import Raw

from saga.coordination.filling import VALUES, fill
from saga.machine import Record, decode_records, encode_records
from saga.machine import records as r
from saga.store import whole
from tests.machine.runs import a_run
from tests.machine.test_record_format import RECORDS

COMMAND = Raw(b'{"card":"4711"}')


def said(form: bytes, data: bytes) -> list[Record]:
    return decode_records(whole(form, data) if form else data)


@pytest.mark.parametrize("record", [meant for _, meant in RECORDS], ids=lambda record: type(record).__name__)
def test_every_record_is_read_as_it_was(record: Record) -> None:
    assert said(*fill([record])) == [record]
    assert said(*fill([record, r.Ended("COMPLETED"), record])) == [record, r.Ended("COMPLETED"), record]


@pytest.mark.parametrize("seed", range(12))
def test_what_happens_to_sagas_is_read_as_it_was(seed: int) -> None:
    run = a_run(Random(seed), 6)
    rows = [saga.written[n : n + 2] for saga in run.sagas.values() for n in range(0, len(saga.written), 2)]
    filled = [fill(row) for row in rows]
    assert [said(*each) for each in filled] == rows
    assert any(form for form, _ in filled)


def test_the_form_of_a_row_follows_from_its_records() -> None:
    rows = [
        [r.CommandSent("pay.1", "pay", "", "Pay/1", COMMAND, "bank", n, due)]
        for n in (1, 2)
        for due in (None, 9)
    ]
    forms = [fill(row)[0] for row in rows]
    assert forms[0] == forms[2] == fill(rows[0])[0]
    assert forms[1] == forms[3] != forms[0]


def test_no_form_tells_what_one_saga_or_person_has_said() -> None:
    told = {
        "input",
        "answer",
        "command",
        "event",
        "subject",
        "id",
        "correlation",
        "causation",
        "event_id",
        "tags",
    }
    told |= {"reason", "code", "key", "at", "due", "remind", "number", "parent", "reply_to"}
    for kind, names in VALUES.items():
        fields = {field.name for field in msgspec.structs.fields(kind)}
        if kind is r.WaitBegun:
            fields.remove("event")  # its type
        assert told & fields <= {*names[0].split(), *names[1].split()}, kind
    rows: list[list[Record]] = [
        [
            r.Started(
                "secret",
                "Order",
                1,
                "ab",
                "Order/1",
                Raw(b'"secret"'),
                1,
                "secret",
                "secret",
                {"a": "secret"},
            )
        ],
        [r.StepRefused("pay.1", "secret", "secret")],
        [r.TaskDone("ask.1", Raw(b'"secret"'), "secret")],
        [r.EventTaken("wait.1", "secret", Raw(b'"secret"'))],
    ]
    for row in rows:
        form, data = fill(row)
        assert form
        assert b"secret" not in form
        assert b"secret" in data


@pytest.mark.parametrize(
    "path", ["pay.2", "pay.1~2", "items.1/item.7/pay.1", "repeat-1.2/pay.1", "items.1/1/pay.1", "pay.11"]
)
def test_what_happens_any_number_of_times_makes_no_form(path: str) -> None:
    record = r.StepCompleted(path, Raw(b"1"))
    assert fill([record]) == (b"", encode_records([record]))


@pytest.mark.parametrize("path", ["pay.1", "pay.1~1", "scope-1.1/pay.1", "scope-1.1/each-2.1/pay.1~1"])
def test_what_happens_first_has_a_form(path: str) -> None:
    assert fill([r.StepCompleted(path, Raw(b"1"))])[1] == b"[1]"


def test_there_are_not_more_forms_than_a_process_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saga.coordination.filling.MOST", 0)
    record = r.StepCompleted("never_seen_before.1", Raw(b"1"))
    assert fill([record]) == (b"", encode_records([record]))
