"""Steps: sent, answered, refused, failed and tried again."""

from __future__ import annotations

import pytest

from reliability.model.graphs import answer, step
from saga.flow.graph import RetryPolicy
from saga.machine import records as r

from .scenario import raw, scenario


def test_steps_run_one_after_the_other() -> None:
    saga = scenario(step("reserve"), step("pay"))
    saga.sends("reserve").answer("reserve").sends("pay").answer("pay").ends("COMPLETED")


def test_an_empty_flow_completes_at_once() -> None:
    scenario().ends("COMPLETED").leaves(r.Started, r.Ended)


def test_a_saga_that_has_begun_cannot_begin_again() -> None:
    saga = scenario(step("reserve"))
    with pytest.raises(ValueError, match="begun already"):
        saga.begun()


def test_answers_are_known_by_the_name_of_the_step() -> None:
    saga = scenario(step("reserve"), step("pay")).answer("reserve", {"id": 7})
    assert saga.state is not None
    assert saga.state.results == {"reserve": raw({"id": 7})}


def test_a_command_carries_what_is_needed_to_send_it_again() -> None:
    saga = scenario(step("reserve"), step("pay")).answer("reserve")
    sent, attempt = saga.pending.commands["pay.1"]
    assert (sent.type, sent.to, sent.number, attempt) == ("pay/1", "context", 2, 1)


def test_a_refused_step_undoes_completed_steps_in_reverse_order() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", undo="refund"), step("ship"))
    saga.answer("reserve").answer("pay").refuse("ship", "too-heavy")
    saga.sends("refund").answer("refund").sends("release").answer("release").ends("COMPENSATED", "too-heavy")


def test_a_refused_step_is_not_tried_again() -> None:
    scenario(step("pay", attempts=5)).refuse("pay").ends("COMPENSATED", "no")


def test_a_refused_step_is_not_undone_itself() -> None:
    scenario(step("pay", undo="refund")).refuse("pay").ends("COMPENSATED", "no")


def test_a_failed_attempt_is_tried_again_after_a_pause_with_the_same_id() -> None:
    saga = scenario(step("pay", attempts=3)).fail("pay")
    saga.sends().timers(pay=100).at(99).sends().at(100).sends("pay")
    assert saga.pending.commands["pay.1"][1] == 2


def test_pauses_between_attempts_grow() -> None:
    saga = scenario(step("pay", attempts=4))
    saga.fail("pay").timers(pay=100).at(100).fail("pay").timers(pay=300).at(300).fail("pay").timers(pay=700)


def test_an_answer_during_the_pause_before_the_next_attempt_counts() -> None:
    scenario(step("pay", attempts=3)).fail("pay").answer("pay").ends("COMPLETED")


def test_a_refusal_during_the_pause_before_the_next_attempt_counts() -> None:
    scenario(step("pay", attempts=3)).fail("pay").refuse("pay").ends("COMPENSATED", "no")


def test_out_of_attempts_its_outcome_is_inquired_before_anything_is_undone() -> None:
    """A copy of the command may still be on its way: without the inquiry it would be carried out later."""
    saga = scenario(step("reserve", undo="release"), step("pay", undo="refund", attempts=2))
    saga.answer("reserve").fail("pay").at(100).fail("pay").sends().asks("pay")
    saga.resolve("pay", "not-done").sends("release").answer("release").ends("COMPENSATED", "failed")


def test_the_reason_of_a_failed_step_is_that_of_its_last_attempt() -> None:
    saga = scenario(step("pay")).fail("pay").resolve("pay", "not-done")
    assert saga.state is not None
    assert saga.state.failure is not None
    assert (saga.state.failure.reason, saga.state.failure.element) == ("broke", "pay")


def test_a_failed_step_that_was_done_after_all_just_goes_on() -> None:
    saga = scenario(step("pay"), step("ship")).fail("pay").resolve("pay", "done", 7).sends("ship")
    assert saga.state is not None
    assert saga.state.results["pay"] == raw(7)


def test_a_failed_step_of_unknown_outcome_is_undone_without_an_answer() -> None:
    saga = scenario(step("pay", to="gateway", undo="refund")).fail("pay", unknown=True)
    saga.resolve("pay", "unknown").sends("refund")
    assert saga.author.seen["refund"].answer is None
    saga.answer("refund").ends("COMPENSATED", "failed")


def test_an_attempt_of_unknown_outcome_is_not_forgotten_when_a_later_one_certainly_failed() -> None:
    saga = scenario(step("pay", to="gateway", undo="refund", attempts=2))
    saga.fail("pay", unknown=True).at(100).fail("pay").resolve("pay", "not-done").sends("refund")


def test_an_attempt_of_unknown_outcome_is_tried_again_and_may_succeed() -> None:
    saga = scenario(step("pay", to="gateway", undo="refund", attempts=2))
    saga.fail("pay", unknown=True).at(100).answer("pay").ends("COMPLETED")


def test_an_unknown_outcome_of_a_step_without_compensation_leaves_nothing_to_undo() -> None:
    saga = scenario(step("mail", to="gateway")).fail("mail", unknown=True)
    saga.resolve("mail", "unknown").ends("COMPENSATED", "failed")


def test_the_last_answer_reached_is_the_answer_of_the_saga() -> None:
    saga = scenario(answer("first"), step("pay"), answer("second"))
    assert saga.state is not None
    assert saga.state.answer == saga.state.results["first"] == raw("first")
    saga.answer("pay").ends("COMPLETED")
    assert saga.state.answer == raw("second")


def test_a_saga_without_answer_has_none() -> None:
    saga = scenario(step("pay")).answer("pay").ends("COMPLETED")
    assert saga.state is not None
    assert saga.state.answer is None


def test_jitter_scatters_pauses_by_its_share_and_no_more() -> None:
    policy = RetryPolicy(first_ms=1000, jitter=0.2)
    assert [policy.delay_ms(1, spread) for spread in (-1.0, 0.0, 1.0)] == [800, 1000, 1200]


def test_pauses_end_at_the_longest_one() -> None:
    assert RetryPolicy(first_ms=100, factor=2, max_ms=1000, jitter=0).delay_ms(60, 0) == 1000


def test_the_pause_of_an_attempt_is_the_same_whenever_it_is_computed() -> None:
    """The jitter comes from the id of the saga and the attempt, not from chance, and scatters sagas."""

    def pause(saga_id: str) -> int:
        saga = scenario(step("pay", attempts=2, first=10_000, jitter=0.5), id=saga_id).fail("pay")
        return saga.pending.timers["pay.1|wake"]

    assert pause("trip-1") == pause("trip-1") != pause("trip-2")
    assert all(5_000 <= pause(f"trip-{number}") <= 15_000 for number in range(50))


def test_a_saga_may_begin_later() -> None:
    saga = scenario(step("pay"), start_at=1000).sends().timers(start=1000)
    saga.at(999).sends().at(1000).sends("pay")


def test_a_saga_whose_beginning_is_past_begins_at_once() -> None:
    scenario(step("pay"), start_at=-5).sends("pay")


def test_a_saga_that_has_not_begun_yet_can_be_cancelled() -> None:
    scenario(step("pay"), start_at=1000).cancel().ends("COMPENSATED", "cancelled")
