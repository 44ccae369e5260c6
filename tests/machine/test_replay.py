"""Replay: the journal leads to the state, and what does not fit is refused."""

from __future__ import annotations

import pytest
from msgspec import Raw

from reliability.model.graphs import parallel, scope, sleep, step, wait
from saga.machine import Unfitting, decode_records, evolve, pending, replay
from saga.machine import records as r

from .scenario import Scenario, scenario

STARTED = r.Started("t-1", "Trip", 1, "ab", "Trip/1", Raw(b"{}"), 0, "t-1")


def a_long_story() -> Scenario:
    saga = scenario(
        step("x", undo="X"),
        scope(parallel((step("a", undo="A", attempts=2), step("b")), wait("w")), catch={"no": sleep("rest")}),
        step("y", timeout=500),
    )
    saga.answer("x").fail("a").at(100).answer("a").refuse("b").answer("A").suspend().resume().at(150)
    return saga.at(650).resolve("y", "not-done").answer("X")


def test_every_prefix_of_a_journal_can_be_replayed_and_tells_what_must_be_outside() -> None:
    saga = a_long_story()
    for end in range(1, len(saga.rows) + 1):
        pending(replay(record for row in saga.rows[:end] for record in decode_records(row)))
    saga.ends("COMPENSATED", "timeout")


def test_the_first_record_says_that_the_saga_started() -> None:
    with pytest.raises(Unfitting, match="the first record is Ended, not Started"):
        evolve(None, r.Ended("COMPLETED"))


def test_a_journal_without_records_is_no_saga() -> None:
    with pytest.raises(Unfitting, match="there is no record"):
        replay([])


@pytest.mark.parametrize(
    "record",
    [
        r.Ended("no such status"),
        r.StepCompleted("gone.1", Raw(b"1")),
        r.AttemptBegun("gone.1", 2),
        r.ScopeLeft("gone.1"),
        r.ItemBegun("items.1/1", "items", "gone.1", 0),
        r.ItemBegun("items.1/1", "items", "", 0),
        r.ScopeFailed("gone.1", "no", "no", "a", True),
        r.CommandSent("gone.1/a.1", "a", "gone.1", "A/1", Raw(b"1"), "context", 1),
        r.UndoSent("a.1~1", "a", "", "a.1", "A/1", Raw(b"1"), "context", 1),
        r.UndoCompleted("a.1~1"),
        r.Unparked("gone.1"),
        STARTED,
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_that_does_not_fit_is_refused(record: r.Record) -> None:
    with pytest.raises(Unfitting):
        replay([STARTED, record])


def test_a_compensation_of_anything_but_the_last_completion_does_not_fit() -> None:
    saga = scenario(step("a", undo="A"), step("b", undo="B"), step("c")).answer("a").answer("b")
    records = [record for row in saga.rows for record in decode_records(row)]
    wrong = r.UndoSent("a.1~1", "a", "", "a.1", "A/1", Raw(b"1"), "context", 9)
    with pytest.raises(Unfitting, match=r"b\.1 is the last one done"):
        replay([*records, wrong])
