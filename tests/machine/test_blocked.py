"""Commands that cannot be delivered: no handler, participant down, poison."""

from __future__ import annotations

import pytest

from reliability.model.graphs import end, parallel, scope, step
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import scenario

KINDS = ["no-handler", "down", "poison"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_that_cannot_be_delivered_is_parked_and_goes_on_with_the_same_id(kind: str) -> None:
    saga = scenario(step("a")).block("a", kind).parked(a=kind).sends().retry().sends("a").parked()
    assert saga.path("a") == "a.1"


def test_others_are_not_held_up() -> None:
    saga = (
        scenario(parallel(step("a"), step("b")), step("c")).block("a").answer("b").sends().retry().answer("a")
    )
    saga.sends("c")


def test_blocked_during_the_pause_before_an_attempt_it_is_parked_and_the_pause_is_over() -> None:
    scenario(step("a", attempts=3)).fail("a").block("a").timers().at(500).sends().retry().sends("a")


def test_blocked_again_it_stays_as_it_is() -> None:
    saga = scenario(step("a")).block("a", "down")
    saga.tell(s.Blocked("a.1", "no-handler", "nobody")).leaves().parked(a="down")


def test_a_deadline_does_not_run_out_on_what_is_parked_and_does_once_it_goes_on() -> None:
    saga = scenario(step("a", timeout=100)).block("a").timers().at(500).parked(a="no-handler").retry()
    saga.timers(a=100).at(500).asks("a")


def test_a_blocked_compensation_is_parked_and_goes_on_with_the_same_id() -> None:
    saga = (
        scenario(step("a", undo="A"), step("b")).answer("a").refuse("b").block("A", "down").parked(a="down")
    )
    saga.retry().sends("A")
    assert saga.path("A") == "a.1~1"


@pytest.mark.parametrize("kind", KINDS)
def test_a_blocked_inquiry_is_parked_and_asks_again(kind: str) -> None:
    saga = scenario(step("a", undo="A", timeout=10)).at(10).block("a", kind).parked(a=kind).asks()
    saga.retry().asks("a").sends().resolve("a", "done").sends("A")


def test_another_inquiry_can_be_told_from_the_one_before() -> None:
    """What leaves is the difference of `pending` between two commits, and both may be in the same batch."""
    saga = scenario(step("a", timeout=10)).at(10)
    assert saga.pending.inquiries == {"a.1": 1}
    assert saga.block("a", "down").retry().pending.inquiries == {"a.1": 2}


def test_a_blocked_inquiry_holds_back_what_is_to_be_undone() -> None:
    saga = (
        scenario(step("x", undo="X"), parallel(step("a"), step("b")))
        .answer("x")
        .refuse("b")
        .block("a", "down")
    )
    saga.sends().retry().resolve("a", "not-done").sends("X")


def test_a_blocked_inquiry_of_a_step_out_of_attempts_still_knows_why_it_was_made() -> None:
    saga = scenario(step("a")).fail("a").block("a", "down").retry().resolve("a", "not-done")
    saga.ends("COMPENSATED", "failed")


def test_a_blocked_inquiry_may_be_answered_late() -> None:
    scenario(step("a", undo="A", timeout=10)).at(10).block("a", "down").answer("a").sends("A").parked()


@pytest.mark.parametrize("direction", ["back", "to its end"])
def test_skipping_a_blocked_inquiry_lets_the_scope_go_on(direction: str) -> None:
    """Whoever skips it has made sure that there is nothing to undo."""
    last = step("b") if direction == "back" else (step("b"), end())
    saga = scenario(parallel(step("a", undo="A"), last))
    if direction == "back":
        saga.refuse("b").block("a", "down").skip().ends("COMPENSATED", "no")
    else:
        saga.answer("b").block("a", "down").skip().ends("COMPLETED")


def test_marking_a_blocked_inquiry_done_undoes_it() -> None:
    saga = (
        scenario(parallel(step("a", undo="A"), step("b")))
        .refuse("b")
        .block("a", "down")
        .mark_done()
        .sends("A")
    )
    saga.answer("A").ends("COMPENSATED", "no")


def test_marking_a_blocked_step_out_of_time_done_goes_on() -> None:
    scenario(step("a", undo="A", timeout=10), step("b")).at(10).block("a", "down").mark_done().sends("b")


def test_a_blocked_command_is_inquired_when_its_scope_turns_back() -> None:
    saga = scenario(scope(parallel(step("a", undo="A"), step("b")), catch={"no": step("c")})).block(
        "a", "down"
    )
    saga.refuse("b").parked().asks("a").block("a", "down").parked(a="down").retry().resolve(
        "a", "done"
    ).sends("A")
    saga.answer("A").sends("c")


def test_a_cancel_inquires_about_what_is_parked() -> None:
    saga = scenario(step("a", undo="A")).block("a", "down").cancel().asks("a").resolve("a", "done").sends("A")
    assert r.ScopeFailed("", "cancelled", "changed my mind", "", False) not in saga.last
