"""What a person does: cancel, retry, skip, mark done, suspend, resume; in every status of a saga."""

from __future__ import annotations

import pytest

from reliability.model.graphs import answer, choice, parallel, sleep, step, wait
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import Scenario, raw, scenario


def test_a_cancelled_saga_is_undone() -> None:
    saga = scenario(step("a", undo="A"), step("b")).answer("a").cancel().asks("b").status("COMPENSATING")
    saga.resolve("b", "not-done").sends("A").answer("A").ends("COMPENSATED", "cancelled")


def test_a_cancel_is_journaled_with_its_reason() -> None:
    assert r.Acted("cancel", "", "changed my mind") in scenario(step("a")).cancel().last


def test_while_compensating_a_cancel_changes_nothing() -> None:
    saga = scenario(step("a", undo="A"), step("b")).answer("a").refuse("b").cancel().leaves().sends("A")
    saga.answer("A").ends("COMPENSATED", "no")


def test_a_parked_saga_can_be_cancelled() -> None:
    saga = scenario(step("a", undo="A"), step("b")).broken("b").answer("a").parked(b="function").cancel()
    saga.parked().sends("A")


def test_a_saga_parked_while_compensating_is_not_changed_by_a_cancel() -> None:
    saga = scenario(step("a", undo="A"), step("b")).answer("a").refuse("b").refuse("A").cancel().leaves()
    saga.parked(a="undo-refused")


def test_a_saga_that_waits_can_be_cancelled() -> None:
    scenario(parallel(wait("x"), sleep("rest"))).cancel().ends("COMPENSATED", "cancelled")


def test_a_saga_that_is_over_is_not_changed_by_a_cancel() -> None:
    scenario(step("a")).answer("a").cancel().leaves().ends("COMPLETED")


@pytest.mark.parametrize("action", ["retry", "skip", "mark_done"])
def test_nothing_can_be_done_about_a_visit_that_is_not_parked(action: str) -> None:
    saga = scenario(step("a"))
    saga.impossible(getattr(saga, action), "nothing in it is parked, it is RUNNING")


@pytest.mark.parametrize("action", ["retry", "skip", "mark_done", "suspend", "resume"])
def test_nothing_can_be_done_about_a_saga_that_is_over(action: str) -> None:
    saga = scenario(step("a")).answer("a")
    saga.impossible(getattr(saga, action), "it is COMPLETED, nothing changes it any more")


def test_of_several_parked_visits_one_must_be_named() -> None:
    saga = scenario(parallel(step("a"), step("b"))).block("a").block("b")
    saga.impossible(saga.retry, r"say which one of a\.1, b\.1")
    saga.retry("a").sends("a").retry("b.1").sends("a", "b")


def test_a_visit_that_is_not_parked_cannot_be_retried_even_when_others_are() -> None:
    saga = scenario(parallel(step("a"), step("b"))).block("a")
    saga.impossible(lambda: saga.retry("b"), r"'b' is not parked; there is: a\.1")


def test_retrying_a_step_whose_function_raised_calls_it_again() -> None:
    saga = Scenario(step("a")).broken("a").begun().parked(a="function").retry().parked(a="function")
    saga.mended("a").retry().sends("a").parked()


def test_what_a_person_does_is_journaled_with_the_reason() -> None:
    assert scenario(step("a")).block("a").retry().last[0] == r.Acted("retry", "a.1", "try again")
    assert scenario(step("a")).block("a").skip().last[0] == r.Acted("skip", "a.1", "not needed")
    assert scenario(step("a")).block("a").mark_done().last[0] == r.Acted("mark_done", "a.1", "did it by hand")


@pytest.mark.parametrize("action", ["retry", "skip", "mark_done"])
def test_what_a_person_does_about_a_compensation_is_journaled_too(action: str) -> None:
    saga = scenario(step("a", undo="A"), step("b")).answer("a").refuse("b").refuse("A")
    getattr(saga, action)()
    acted = saga.last[0]
    assert isinstance(acted, r.Acted)
    assert (acted.action, acted.path) == (action, "a.1~1")


def test_a_retried_command_has_a_fresh_number_of_attempts() -> None:
    saga = scenario(step("a", attempts=2)).fail("a").at(100).block("a", "down").retry().fail("a").sends()
    saga.at(1000).sends("a")


def test_a_retried_command_can_be_told_from_the_one_before() -> None:
    """What leaves is the difference of `pending` between two commits, and both may be in the same batch."""
    saga = scenario(step("a")).block("a", "down")
    assert saga.retry().pending.commands["a.1"][1] == 2


def test_skipping_a_parked_step_goes_on_behind_it() -> None:
    saga = Scenario(step("a", undo="A"), step("b")).broken("a").begun().skip().sends("b").refuse("b")
    saga.ends("COMPENSATED", "no")


def test_skipping_waits_sleeps_and_answers_goes_on_behind_them() -> None:
    saga = Scenario(wait("x"), sleep("rest"), answer("result")).broken("x", "rest", "result").begun()
    saga.parked(x="function").skip().parked(rest="function").skip().parked(result="function").skip()
    saga.ends("COMPLETED")


def test_skipping_a_choice_takes_its_otherwise() -> None:
    saga = Scenario(choice((("large", step("a")),), step("b")), holds={"large": True}).broken("large").begun()
    saga.parked(choice_1="function").skip().sends("b")


def test_marking_a_step_done_goes_on_with_the_answer_given_and_it_can_be_undone() -> None:
    saga = scenario(step("a", undo="A"), step("b")).block("a").mark_done(value=7).sends("b").refuse("b")
    saga.sends("A")
    assert saga.author.seen["A"].answer == raw(7)


def test_marking_a_pivot_done_passes_it() -> None:
    saga = scenario(step("pay", pivot=True), step("ship")).block("pay").mark_done().sends("ship")
    saga.impossible(saga.cancel, "only goes forward")


@pytest.mark.parametrize("flow", [wait("x"), sleep("x"), choice((("x", ()),))])
def test_what_is_no_step_cannot_be_marked_done(flow: object) -> None:
    saga = Scenario(flow, holds={"x": True}).broken("x").begun()  # type: ignore[arg-type]
    saga.impossible(saga.mark_done, "is no step")


def test_a_suspended_saga_sends_nothing_new_and_waits_for_nothing() -> None:
    saga = scenario(parallel(step("a"), wait("x", within=50), sleep("rest"))).suspend().status("SUSPENDED")
    saga.sends("a").waits().timers().answer("a").leaves(r.Held)


def test_what_comes_in_while_suspended_is_taken_up_in_its_order_when_resumed() -> None:
    saga = scenario(parallel(step("a", undo="A"), step("b"))).suspend().answer("a").refuse("b").sends()
    saga.resume().status("COMPENSATING").sends("A")


def test_what_was_held_is_taken_up_once() -> None:
    saga = scenario(parallel(step("a"), step("b"))).suspend().answer("a").resume().suspend().resume()
    saga.leaves(r.Resumed).sends("b")


def test_suspended_again_a_saga_waits_for_what_it_has_sent_since() -> None:
    scenario(step("a", attempts=2)).suspend().fail("a").sends().resume().at(100).suspend().sends("a")


def test_what_is_held_behind_the_end_of_the_saga_is_ignored() -> None:
    saga = scenario(step("a")).suspend().answer("a").answer("a").resume().ends("COMPLETED")
    assert isinstance(saga.last[-1], r.Ignored)


def test_timers_and_events_of_a_suspended_saga_come_when_it_is_resumed() -> None:
    saga = scenario(parallel(wait("x"), sleep("rest"))).suspend().event("x").leaves()
    saga.timer("rest.1", "wake").leaves().resume().waits("x").timers(rest=50).at(60).event("x").ends(
        "COMPLETED"
    )


def test_a_timer_that_became_due_while_suspended_is_armed_again_in_the_past() -> None:
    scenario(step("a", timeout=100)).suspend().at(500).sends("a").resume().timers(a=100).at(500).asks("a")


def test_attempts_and_refusals_that_come_in_while_suspended_count_when_resumed() -> None:
    scenario(step("a", attempts=2)).suspend().fail("a").resume().sends().at(100).sends("a")


def test_what_is_inquired_when_a_saga_is_suspended_may_be_found_meanwhile() -> None:
    saga = scenario(step("a", undo="A", timeout=10)).at(10).suspend().asks("a").resolve("a", "done").asks()
    saga.resume().sends("A")


@pytest.mark.parametrize("action", ["cancel", "retry", "skip", "mark_done", "suspend"])
def test_a_suspended_saga_must_be_resumed_before_anything_else(action: str) -> None:
    saga = scenario(step("a")).suspend()
    saga.impossible(getattr(saga, action), "resume it first")


def test_a_saga_that_is_not_suspended_cannot_be_resumed() -> None:
    saga = scenario(step("a"))
    saga.impossible(saga.resume, "not suspended")


def test_a_parked_saga_can_be_suspended_and_is_parked_again_when_resumed() -> None:
    scenario(step("a")).block("a").suspend().status("SUSPENDED").resume().status("PARKED")


def test_a_compensating_saga_can_be_suspended() -> None:
    saga = (
        scenario(step("a", undo="A"), step("b"))
        .answer("a")
        .refuse("b")
        .suspend()
        .sends("A")
        .answer("A")
        .sends()
    )
    saga.resume().ends("COMPENSATED", "no")


def test_foreign_messages_are_held_too_and_ignored_later() -> None:
    saga = scenario(step("a")).suspend().tell(s.Completed("b.1", raw(1))).leaves(r.Held).resume()
    saga.leaves(r.Resumed, r.Ignored)


def test_attempts_are_counted_anew_when_a_person_retries() -> None:
    saga = scenario(step("p", pivot=True), step("a", attempts=2)).answer("p")
    for _ in range(3):
        saga.fail("a").sends().at(saga.now + 1_000).sends("a").fail("a").parked(a="failed")
        saga.retry("a").sends("a")
    saga.answer("a").ends("COMPLETED")
