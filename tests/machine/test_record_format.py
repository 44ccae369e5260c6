"""What was written must be read for ever: a copy of each kind of record, as it stands in journals.

These lines are never changed. A field that is added has a default, so they keep their meaning; a line that
shows it may be added beside the others. The same holds for stimuli, which `Held` keeps.
"""

from __future__ import annotations

from typing import get_args

import pytest
from msgspec import DecodeError, Raw

from saga.machine import Record, Stimulus, decode_records, encode_records
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.stimuli import decode_stimulus, encode_stimulus

NULL, SEVEN, TEXT = Raw(b"null"), Raw(b"7"), Raw(b'{"a":"b"}')

RECORDS: list[tuple[str, Record]] = [
    (
        '{"is":"started","id":"t-1","saga":"Trip","version":2,"graph":"ab12","input_type":"Trip/1",'
        '"input":{"a":"b"},"at":1000,"correlation":"c-1","causation":"m-1","tags":{"k":"v"},"event_id":"e-1"}',
        r.Started("t-1", "Trip", 2, "ab12", "Trip/1", TEXT, 1000, "c-1", "m-1", {"k": "v"}, "e-1"),
    ),
    (
        '{"is":"started","id":"t-1","saga":"Trip","version":2,"graph":"ab12","input_type":"Trip/1",'
        '"input":null,"at":1000,"correlation":"c-1"}',
        r.Started("t-1", "Trip", 2, "ab12", "Trip/1", NULL, 1000, "c-1", format=1),
    ),
    (
        '{"is":"started","id":"t-1","saga":"Trip","version":2,"graph":"ab12","input_type":"Trip/1",'
        '"input":null,"at":1000,"correlation":"c-1","due":9000,"parent":"p-1","reply_to":"book.1"}',
        r.Started(
            "t-1", "Trip", 2, "ab12", "Trip/1", NULL, 1000, "c-1", due=9000, parent="p-1", reply_to="book.1"
        ),
    ),
    ('{"is":"ended","status":"COMPLETED"}', r.Ended("COMPLETED")),
    ('{"is":"reversed","reply_to":"book.1~1"}', r.Reversed("book.1~1")),
    ('{"is":"suspended","reason":"why"}', r.Suspended("why")),
    (
        '{"is":"held","stimulus":{"is":"completed","path":"pay.1","answer":7},"path":"pay.1"}',
        r.Held(Raw(b'{"is":"completed","path":"pay.1","answer":7}'), "pay.1"),
    ),
    ('{"is":"resumed","reason":"why"}', r.Resumed("why")),
    ('{"is":"acted","action":"retry","path":"pay.1","reason":"why"}', r.Acted("retry", "pay.1", "why")),
    ('{"is":"ignored","what":"answer","path":"pay.1","why":"late"}', r.Ignored("answer", "pay.1", "late")),
    (
        '{"is":"scope-entered","path":"scope-1.1","element":"scope-1","scope":"","due":5}',
        r.ScopeEntered("scope-1.1", "scope-1", "", 5),
    ),
    (
        '{"is":"scope-entered","path":"scope-1.1","element":"scope-1","scope":"","remind":7}',
        r.ScopeEntered("scope-1.1", "scope-1", "", remind=7),
    ),
    (
        '{"is":"scope-entered","path":"repeat-1.2","element":"repeat-1","scope":"","round":2}',
        r.ScopeEntered("repeat-1.2", "repeat-1", "", round=2),
    ),
    (
        '{"is":"each-begun","path":"each-1.1","element":"each-1","scope":"","leaf":"guests","items":[7,null]}',
        r.EachBegun("each-1.1", "each-1", "", "guests", [SEVEN, NULL]),
    ),
    (
        '{"is":"item-begun","path":"each-1.1/item.2","element":"each-1","scope":"each-1.1","index":1}',
        r.ItemBegun("each-1.1/item.2", "each-1", "each-1.1", 1),
    ),
    ('{"is":"scope-left","path":"scope-1.1","undo":"undo_it"}', r.ScopeLeft("scope-1.1", "undo_it")),
    (
        '{"is":"scope-failed","path":"","code":"no","reason":"why","element":"pay","caught":false}',
        r.ScopeFailed("", "no", "why", "pay", False),
    ),
    ('{"is":"scope-undone","path":"scope-1.1"}', r.ScopeUndone("scope-1.1")),
    ('{"is":"terminated","path":"","element":"end-1"}', r.Terminated("", "end-1")),
    ('{"is":"chosen","element":"choice-1","scope":"","case":"large"}', r.Chosen("choice-1", "", "large")),
    ('{"is":"join-reached","element":"join-1","scope":"","of":2}', r.JoinReached("join-1", "", 2)),
    ('{"is":"looped","element":"again-1","scope":"","times":1}', r.Looped("again-1", "", 1)),
    (
        '{"is":"command-sent","path":"pay.1","element":"pay","scope":"","type":"Pay/1","command":{"a":"b"},'
        '"to":"Payment","number":3,"due":9}',
        r.CommandSent("pay.1", "pay", "", "Pay/1", TEXT, "Payment", 3, 9),
    ),
    (
        '{"is":"attempt-failed","path":"pay.1","attempt":1,"reason":"why","unknown":true,"retry_at":9}',
        r.AttemptFailed("pay.1", 1, "why", True, 9),
    ),
    ('{"is":"attempt-begun","path":"pay.1","attempt":2}', r.AttemptBegun("pay.1", 2)),
    ('{"is":"attempt-begun","path":"pay.1","attempt":6,"anew":true}', r.AttemptBegun("pay.1", 6, True)),
    (
        '{"is":"step-completed","path":"pay.1","answer":7,"undo":"refund","pivot":true,"via":"resolve"}',
        r.StepCompleted("pay.1", SEVEN, "refund", True, "resolve"),
    ),
    ('{"is":"step-completed","path":"pay.1","answer":null}', r.StepCompleted("pay.1", NULL, via="answer")),
    ('{"is":"step-refused","path":"pay.1","code":"no","reason":"why"}', r.StepRefused("pay.1", "no", "why")),
    (
        '{"is":"step-failed","path":"pay.1","code":"failed","reason":"why","unknown":true,"undo":"refund"}',
        r.StepFailed("pay.1", "failed", "why", True, "refund"),
    ),
    ('{"is":"resolving","path":"pay.1","why":"timeout"}', r.Resolving("pay.1", "timeout")),
    ('{"is":"resolving","path":"pay.1","why":"why","code":"failed"}', r.Resolving("pay.1", "why", "failed")),
    ('{"is":"step-dropped","path":"pay.1","why":"not done"}', r.StepDropped("pay.1", "not done")),
    ('{"is":"step-skipped","path":"pay.1","reason":"why"}', r.StepSkipped("pay.1", "why")),
    (
        '{"is":"wait-begun","path":"paid.1","element":"paid","scope":"","event":"Paid/1","key":"k","due":9}',
        r.WaitBegun("paid.1", "paid", "", "Paid/1", "k", 9),
    ),
    (
        '{"is":"wait-begun","path":"paid.1","element":"paid","scope":"","event":"Paid/1","key":"k","remind":7,'
        '"race":"race-1.1"}',
        r.WaitBegun("paid.1", "paid", "", "Paid/1", "k", None, 7, "race-1.1"),
    ),
    (
        '{"is":"wait-begun","path":"paid.1","element":"paid","scope":"","event":"Paid/1","key":"k",'
        '"host":"scope-1.1"}',
        r.WaitBegun("paid.1", "paid", "", "Paid/1", "k", host="scope-1.1"),
    ),
    (
        '{"is":"task-opened","path":"approve.1","element":"approve","scope":"","type":"Approval/1",'
        '"subject":{"a":"b"},"due":9,"remind":7,"race":"race-1.1"}',
        r.TaskOpened("approve.1", "approve", "", "Approval/1", TEXT, 9, 7, "race-1.1"),
    ),
    (
        '{"is":"task-opened","path":"approve.1","element":"approve","scope":"","type":"null","subject":null}',
        r.TaskOpened("approve.1", "approve", "", "null", NULL),
    ),
    (
        '{"is":"task-assigned","path":"approve.1","to":"ann","by":"bob"}',
        r.TaskAssigned("approve.1", "ann", "bob"),
    ),
    ('{"is":"task-assigned","path":"approve.1","to":""}', r.TaskAssigned("approve.1", "")),
    ('{"is":"task-done","path":"approve.1","answer":7,"by":"ann"}', r.TaskDone("approve.1", SEVEN, "ann")),
    (
        '{"is":"race-begun","path":"race-1.1","element":"race-1","scope":"","due":9}',
        r.RaceBegun("race-1.1", "race-1", "", 9),
    ),
    ('{"is":"race-over","path":"race-1.1","by":"paid.1"}', r.RaceOver("race-1.1", "paid.1")),
    ('{"is":"race-over","path":"race-1.1"}', r.RaceOver("race-1.1")),
    ('{"is":"reminded","path":"paid.1","times":2,"remind":9}', r.Reminded("paid.1", 2, 9)),
    ('{"is":"reminded","path":"paid.1","times":3}', r.Reminded("paid.1", 3)),
    (
        '{"is":"event-published","path":"tell.1","element":"tell","scope":"","type":"Told/1","event":7,"key":"k"}',
        r.EventPublished("tell.1", "tell", "", "Told/1", SEVEN, "k"),
    ),
    (
        '{"is":"event-published","path":"tell.1","element":"tell","scope":"","type":"Told/1","event":7}',
        r.EventPublished("tell.1", "tell", "", "Told/1", SEVEN),
    ),
    (
        '{"is":"event-taken","path":"paid.1","event_id":"e-1","event":{"a":"b"}}',
        r.EventTaken("paid.1", "e-1", TEXT),
    ),
    ('{"is":"wait-expired","path":"paid.1"}', r.WaitExpired("paid.1")),
    (
        '{"is":"sleep-begun","path":"rest.1","element":"rest","scope":"","due":9}',
        r.SleepBegun("rest.1", "rest", "", 9),
    ),
    ('{"is":"woke","path":"rest.1"}', r.Woke("rest.1")),
    (
        '{"is":"answered","path":"result.1","element":"result","scope":"","answer":7}',
        r.Answered("result.1", "result", "", SEVEN),
    ),
    (
        '{"is":"compensation-begun","path":"compensate-1.1","element":"compensate-1","scope":"","target":"pay"}',
        r.CompensationBegun("compensate-1.1", "compensate-1", "", "pay"),
    ),
    (
        '{"is":"compensation-begun","path":"compensate-1.1","element":"compensate-1","scope":""}',
        r.CompensationBegun("compensate-1.1", "compensate-1", ""),
    ),
    ('{"is":"compensation-done","path":"compensate-1.1"}', r.CompensationDone("compensate-1.1")),
    (
        '{"is":"undo-sent","path":"pay.1~1","element":"pay","scope":"","of":"pay.1","type":"Refund/1",'
        '"command":7,"to":"Payment","number":4}',
        r.UndoSent("pay.1~1", "pay", "", "pay.1", "Refund/1", SEVEN, "Payment", 4),
    ),
    ('{"is":"undo-completed","path":"pay.1~1","via":"hand"}', r.UndoCompleted("pay.1~1", "hand")),
    ('{"is":"undo-completed","path":"pay.1~1"}', r.UndoCompleted("pay.1~1", "answer")),
    ('{"is":"undo-skipped","path":"pay.1~1","reason":"why"}', r.UndoSkipped("pay.1~1", "why")),
    (
        '{"is":"parked","path":"pay.1~1","element":"pay","scope":"","kind":"function","reason":"why","at":9,'
        '"of":"pay.1"}',
        r.Parked("pay.1~1", "pay", "", "function", "why", 9, "pay.1"),
    ),
    ('{"is":"unparked","path":"pay.1"}', r.Unparked("pay.1")),
]

STIMULI: list[tuple[str, Stimulus]] = [
    (
        '{"is":"start","id":"t-1","input_type":"Trip/1","input":7,"correlation":"c-1","causation":"m-1",'
        '"tags":{"k":"v"},"event_id":"e-1","at":9}',
        s.Start("t-1", "Trip/1", SEVEN, "c-1", "m-1", {"k": "v"}, "e-1", 9),
    ),
    (
        '{"is":"start","id":"t-1","input_type":"Trip/1","input":7,"correlation":"c-1","parent":"p-1",'
        '"reply_to":"book.1"}',
        s.Start("t-1", "Trip/1", SEVEN, "c-1", parent="p-1", reply_to="book.1"),
    ),
    ('{"is":"give-up","reason":"why"}', s.GiveUp("why")),
    ('{"is":"reverse","reply_to":"book.1~1"}', s.Reverse("book.1~1")),
    (
        '{"is":"decide","answer":7,"by":"ann","path":"approve.1"}',
        s.Decide(SEVEN, "ann", "approve.1"),
    ),
    ('{"is":"decide","answer":7}', s.Decide(SEVEN)),
    ('{"is":"assign","to":"ann","by":"bob","path":"approve.1"}', s.Assign("ann", "bob", "approve.1")),
    ('{"is":"assign","to":"ann"}', s.Assign("ann")),
    ('{"is":"completed","path":"pay.1","answer":7}', s.Completed("pay.1", SEVEN)),
    ('{"is":"refused","path":"pay.1","code":"no","reason":"why"}', s.Refused("pay.1", "no", "why")),
    ('{"is":"failed","path":"pay.1","reason":"why","unknown":true}', s.Failed("pay.1", "why", True)),
    (
        '{"is":"resolved","path":"pay.1","outcome":"done","answer":7}',
        s.Resolved("pay.1", "done", SEVEN),
    ),
    (
        '{"is":"resolved","path":"pay.1","outcome":"refused","answer":null,"reason":"why"}',
        s.Resolved("pay.1", "refused", NULL, "why"),
    ),
    ('{"is":"event","path":"paid.1","event_id":"e-1","event":7}', s.EventArrived("paid.1", "e-1", SEVEN)),
    ('{"is":"timer","path":"pay.1","timer":"deadline"}', s.TimerFired("pay.1", "deadline")),
    ('{"is":"blocked","path":"pay.1","kind":"down","reason":"why"}', s.Blocked("pay.1", "down", "why")),
    ('{"is":"cancel","reason":"why"}', s.Cancel("why")),
    ('{"is":"retry","reason":"why","path":"pay.1"}', s.Retry("why", "pay.1")),
    ('{"is":"skip","reason":"why","path":"pay.1"}', s.Skip("why", "pay.1")),
    ('{"is":"mark-done","reason":"why","answer":7,"path":"pay.1"}', s.MarkDone("why", SEVEN, "pay.1")),
    ('{"is":"suspend","reason":"why"}', s.Suspend("why")),
    ('{"is":"resume","reason":"why"}', s.Resume("why")),
]


DEEP = b'[{"is":"held","stimulus":' + b"[" * 100_000
"""Brackets without end, in the place of something that is read as it stands."""


def kind(case: object) -> str:
    return type(case).__name__ if not isinstance(case, str) else ""


@pytest.mark.parametrize(("written", "meant"), RECORDS, ids=kind)
def test_a_record_is_read_as_it_was_meant(written: str, meant: Record) -> None:
    assert decode_records(f"[{written}]".encode()) == [meant]


@pytest.mark.parametrize(("written", "meant"), RECORDS, ids=kind)
def test_a_record_is_written_as_it_is_read(written: str, meant: Record) -> None:
    assert encode_records([meant]).decode() == f"[{written}]"


@pytest.mark.parametrize(("written", "meant"), STIMULI, ids=kind)
def test_a_stimulus_is_read_as_it_was_meant_and_written_so(written: str, meant: Stimulus) -> None:
    assert decode_stimulus(Raw(written.encode())) == meant
    assert bytes(encode_stimulus(meant)).decode() == written


def test_every_kind_of_record_has_a_copy() -> None:
    assert {type(meant) for _, meant in RECORDS} == set(get_args(Record))


def test_every_kind_of_stimulus_has_a_copy() -> None:
    assert {type(meant) for _, meant in STIMULI} == set(get_args(Stimulus))


def test_a_row_holds_its_records_in_order() -> None:
    row = f"[{','.join(written for written, _ in RECORDS)}]"
    assert decode_records(row.encode()) == [meant for _, meant in RECORDS]


@pytest.mark.parametrize("data", [b"{}", b'[{"is":"unheard-of"}]', b'[{"is":"woke"}]', b"[", b"", DEEP])
def test_what_is_no_row_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match=r".+"):
        decode_records(data)


def test_what_is_no_stimulus_is_refused() -> None:
    for data in (b"[]", b'{"is":"unheard-of"}', DEEP):
        with pytest.raises(DecodeError, match=r".+"):
            decode_stimulus(Raw(data))
