"""Late, repeated and foreign messages are not impossible: each has a defined outcome."""

from __future__ import annotations

import pytest

from reliability.model.graphs import parallel, scope, sleep, step, wait
from saga.machine import Stimulus
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import raw, scenario

FOREIGN: list[Stimulus] = [
    s.Completed("gone.1", raw(1)),
    s.Refused("gone.1", "no", "sorry"),
    s.Failed("gone.1", "broke"),
    s.EventArrived("gone.1", "event-1", raw(1)),
]
SILENT: list[Stimulus] = [
    s.Resolved("gone.1", "done"),
    s.Resolved("gone.1", "not-done"),
    s.TimerFired("gone.1", "deadline"),
    s.TimerFired("gone.1", "wake"),
    s.Blocked("gone.1", "no-handler", "nobody"),
]


@pytest.mark.parametrize("stimulus", FOREIGN, ids=lambda stimulus: type(stimulus).__name__)
def test_a_message_that_nobody_waits_for_is_ignored_and_counted(stimulus: Stimulus) -> None:
    saga = scenario(step("a")).tell(stimulus).leaves(r.Ignored).sends("a")
    assert saga.state is not None
    assert saga.state.ignored == 1


@pytest.mark.parametrize("stimulus", SILENT, ids=lambda stimulus: type(stimulus).__name__)
def test_what_has_lost_its_meaning_leaves_nothing(stimulus: Stimulus) -> None:
    scenario(step("a")).tell(stimulus).leaves().sends("a")


@pytest.mark.parametrize("stimulus", [*FOREIGN, *SILENT], ids=lambda stimulus: type(stimulus).__name__)
def test_a_saga_that_is_over_is_changed_by_nothing(stimulus: Stimulus) -> None:
    saga = scenario(step("a")).answer("a").tell(stimulus).ends("COMPLETED")
    assert all(type(record) is r.Ignored for record in saga.last)


def test_a_second_answer_is_ignored() -> None:
    saga = scenario(step("a"), step("b")).answer("a", 1).tell(s.Completed("a.1", raw(2))).leaves(r.Ignored)
    assert saga.state is not None
    assert saga.state.results["a"] == raw(1)


def test_a_late_answer_after_a_refusal_changes_nothing() -> None:
    scenario(step("a"), step("b")).refuse("a").tell(s.Completed("a.1", raw(1))).ends("COMPENSATED", "no")


def test_a_late_answer_after_an_inquiry_changes_nothing() -> None:
    saga = (
        scenario(scope(step("a", timeout=10), catch={"timeout": step("b")})).at(10).resolve("a", "not-done")
    )
    saga.tell(s.Completed("scope-1.1/a.1", raw(1))).leaves(r.Ignored).sends("b")


def test_messages_for_waits_sleeps_and_scopes_are_ignored() -> None:
    saga = scenario(parallel(wait("x"), sleep("rest"), scope(step("a"))))
    for path in ("x.1", "rest.1", "scope-1.1"):
        saga.tell(s.Completed(path, raw(1))).leaves(r.Ignored)
        saga.tell(s.Refused(path, "no", "sorry")).leaves(r.Ignored)
        saga.tell(s.Failed(path, "broke")).leaves(r.Ignored)
        saga.tell(s.Blocked(path, "down", "down")).leaves()
    saga.waits("x").timers(rest=50).sends("a")


def test_an_event_for_a_step_is_ignored() -> None:
    scenario(step("a")).event("a").leaves(r.Ignored).sends("a")


def test_a_second_failure_during_the_pause_before_the_next_attempt_counts_for_nothing() -> None:
    scenario(step("a", attempts=2)).fail("a").fail("a").timers(a=100).at(100).sends("a")


def test_a_second_refusal_of_what_is_parked_for_it_is_ignored() -> None:
    saga = scenario(step("pay", pivot=True), step("ship")).answer("pay").refuse("ship")
    saga.refuse("ship").leaves(r.Ignored).parked(ship="refused")


def test_a_second_refusal_of_a_parked_compensation_is_ignored() -> None:
    saga = scenario(step("a", undo="A"), step("b")).answer("a").refuse("b").refuse("A")
    saga.refuse("A").leaves(r.Ignored).parked(a="undo-refused")


def test_a_failure_of_what_is_parked_already_changes_nothing() -> None:
    scenario(step("a", attempts=1)).block("a", "down").fail("a").parked(a="down").sends().asks()


def test_an_answer_to_what_is_parked_settles_it() -> None:
    scenario(step("a"), step("b")).block("a", "down").answer("a").parked().sends("b")


def test_a_refusal_of_what_is_parked_settles_it() -> None:
    scenario(step("a")).block("a", "down").refuse("a").ends("COMPENSATED", "no")


def test_the_answer_to_an_earlier_compensation_does_not_count_for_the_one_sent_by_hand() -> None:
    saga = scenario(step("a", undo="A"), step("b")).answer("a").refuse("b").refuse("A").retry()
    saga.tell(s.Completed("a.1~1", raw(1))).leaves(r.Ignored).sends("A")
