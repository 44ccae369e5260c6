"""Steps out of time: the outcome is inquired; what is thrown and undone follows from what is found."""

from __future__ import annotations

from reliability.model.graphs import parallel, scope, step
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import scenario


def test_the_time_of_a_step_runs_from_its_arrival_across_attempts() -> None:
    saga = scenario(step("pay", timeout=150, attempts=9)).fail("pay").at(100).fail("pay")
    assert saga.pending.timers == {"pay.1|deadline": 150, "pay.1|wake": 300}
    saga.at(150).asks("pay").timers()


def test_a_step_out_of_time_is_inquired_and_not_sent_any_more() -> None:
    scenario(step("pay", timeout=100)).at(99).sends("pay").asks().at(100).sends().asks("pay").timers()


def test_out_of_time_during_the_pause_before_the_next_attempt_there_is_no_next_attempt() -> None:
    saga = (
        scenario(step("pay", timeout=100, attempts=5)).at(50).fail("pay").at(100).asks("pay").at(1000).sends()
    )
    saga.resolve("pay", "not-done").ends("COMPENSATED", "timeout")


def test_out_of_time_and_done_it_is_undone_with_its_answer() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", undo="refund", timeout=100), step("ship"))
    saga.answer("reserve").at(100).resolve("pay", "done", 7).sends("refund")
    assert bytes(saga.author.seen["refund"].answer or b"") == b"7"
    saga.answer("refund").sends("release").answer("release").ends("COMPENSATED", "timeout")


def test_out_of_time_and_not_done_there_is_nothing_of_it_to_undo() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", undo="refund", timeout=100))
    saga.answer("reserve").at(100).resolve("pay", "not-done").sends("release")
    saga.answer("release").ends("COMPENSATED", "timeout")


def test_out_of_time_and_refused_it_counts_as_not_done() -> None:
    scenario(step("pay", undo="refund", timeout=100)).at(100).resolve("pay", "refused").ends(
        "COMPENSATED", "timeout"
    )


def test_out_of_time_and_unknown_it_is_undone_without_an_answer() -> None:
    saga = scenario(step("pay", to="gateway", undo="refund", timeout=100)).at(100).resolve("pay", "unknown")
    saga.sends("refund")
    assert saga.author.seen["refund"].answer is None


def test_not_begun_is_not_enough_when_an_earlier_attempt_ended_unknown() -> None:
    saga = scenario(step("pay", to="gateway", undo="refund", timeout=150, attempts=3))
    saga.fail("pay", unknown=True).at(150).resolve("pay", "not-done").sends("refund")


def test_an_attempt_that_ends_unknown_during_the_inquiry_counts() -> None:
    saga = scenario(step("pay", to="gateway", undo="refund", timeout=100)).at(100).fail("pay", unknown=True)
    saga.resolve("pay", "not-done").sends("refund")


def test_an_answer_that_comes_during_the_inquiry_tells_that_it_was_done() -> None:
    saga = scenario(step("pay", undo="refund", timeout=100)).at(100).answer("pay", 7).sends("refund")
    assert bytes(saga.author.seen["refund"].answer or b"") == b"7"


def test_a_refusal_that_comes_during_the_inquiry_tells_that_it_was_not_done() -> None:
    saga = scenario(step("pay", undo="refund", timeout=100)).at(100).refuse("pay", "no-money")
    saga.ends("COMPENSATED", "timeout")


def test_what_the_inquiry_finds_is_of_no_use_when_the_answer_came_first() -> None:
    saga = scenario(step("pay", undo="refund", timeout=100)).at(100)
    path = saga.path("pay")
    saga.answer("pay")
    saga.tell(s.Resolved(path, "done")).leaves().sends("refund")


def test_a_caught_timeout_goes_on_where_it_was_caught_once_the_scope_is_undone() -> None:
    saga = scenario(scope(step("pay", undo="refund", timeout=100), catch={"timeout": step("bill")}))
    saga.at(100).resolve("pay", "done").sends("refund").answer("refund").sends("bill").answer("bill")
    saga.ends("COMPLETED")


def test_an_answer_in_time_disarms_the_timer() -> None:
    scenario(step("pay", timeout=100), step("ship")).answer("pay").timers()


def test_two_steps_out_of_time_are_both_inquired_before_anything_is_undone() -> None:
    saga = scenario(
        step("reserve", undo="release"),
        parallel(step("pay", undo="refund", timeout=100), step("pack", undo="unpack", timeout=100)),
    )
    saga.answer("reserve").at(100).asks("pay", "pack").resolve("pay", "done").sends().asks("pack")
    saga.resolve("pack", "not-done").sends("refund").answer("refund").sends("release")


def test_what_is_inquired_already_is_not_inquired_again_when_the_saga_turns_back() -> None:
    saga = scenario(parallel(step("pay", timeout=100), step("pack"))).at(100).refuse("pack")
    saga.leaves(r.StepRefused, r.ScopeFailed).asks("pay")


def test_that_it_was_refused_is_journaled_with_the_reason() -> None:
    saga = scenario(step("pay", timeout=100)).at(100).tell(s.Resolved("pay.1", "refused", reason="no money"))
    assert saga.last[0] == r.StepDropped("pay.1", "no money")
    saga = scenario(step("pay", timeout=100)).at(100).resolve("pay", "refused")
    assert saga.last[0] == r.StepDropped("pay.1", "refused")


def test_a_timer_that_fires_early_leaves_nothing() -> None:
    saga = scenario(step("pay", timeout=100))
    saga.timer("pay.1", "deadline").leaves().sends("pay")


def test_a_timer_that_fires_twice_leaves_nothing_the_second_time() -> None:
    saga = scenario(step("pay", timeout=100)).at(100).leaves(r.Resolving)
    saga.timer("pay.1", "deadline").leaves().asks("pay")


def test_an_unknown_outcome_is_journaled_as_one_in_either_direction() -> None:
    late = scenario(step("a", undo="A", timeout=5)).at(5).resolve("a", "unknown")
    [failed] = [record for record in late.last if isinstance(record, r.StepFailed)]
    assert (failed.code, failed.unknown, failed.undo) == ("timeout", True, "A")
    given_up = scenario(step("a", undo="A")).cancel().resolve("a", "unknown")
    [failed] = [record for record in given_up.last if isinstance(record, r.StepFailed)]
    assert (failed.code, failed.unknown, failed.undo) == ("unknown", True, "A")


def test_the_journal_says_that_an_inquiry_has_found_it_done() -> None:
    """`verify` holds what was told against the inboxes of contexts; what a person said is not there."""
    out_of_time = scenario(step("a", undo="A", timeout=5)).at(5).resolve("a", "done")
    out_of_attempts = scenario(step("a")).fail("a").resolve("a", "done")
    given_up = scenario(step("a")).cancel().resolve("a", "done")
    for saga in (out_of_time, out_of_attempts, given_up):
        [done] = [record for record in saga.last if isinstance(record, r.StepCompleted)]
        assert done.via == "resolve"
