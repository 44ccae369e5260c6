"""Compensation: in reverse, one at a time, only what was done, at most once; and when it cannot be done."""

from __future__ import annotations

from reliability.model.graphs import parallel, scope, step
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import raw, scenario


def undoing_two():  # type: ignore[no-untyped-def]
    saga = scenario(step("reserve", undo="release"), step("pay", undo="refund"), step("ship"))
    return saga.answer("reserve", "R").answer("pay", "P").refuse("ship")


def test_compensations_go_one_at_a_time() -> None:
    undoing_two().sends("refund").status("COMPENSATING")


def test_a_compensation_has_an_id_of_its_own() -> None:
    assert list(undoing_two().pending.commands) == ["pay.1~1"]


def test_a_compensation_sees_the_values_as_they_were_when_its_step_completed() -> None:
    saga = undoing_two().answer("refund")
    assert saga.author.seen["release"].values == {"reserve": raw("R")}
    assert saga.author.seen["release"].answer == raw("R")
    assert saga.author.seen["refund"].values == {"reserve": raw("R"), "pay": raw("P")}


def test_steps_without_compensation_are_passed_over() -> None:
    saga = scenario(step("a", undo="A"), step("b"), step("c")).answer("a").answer("b").refuse("c").sends("A")
    saga.answer("A").ends("COMPENSATED", "no")


def test_a_compensation_runs_once_however_often_its_answer_comes() -> None:
    saga = undoing_two()
    twice = s.Completed("pay.1~1", raw(None))
    saga.tell(twice).tell(twice).leaves(r.Ignored).sends("release")


def test_a_failed_compensation_is_tried_again_with_the_same_id_and_growing_pauses() -> None:
    saga = undoing_two().fail("refund").sends()
    (first,) = saga.pending.timers.values()
    assert 90 <= first <= 110
    saga.at(first).sends("refund")
    assert saga.pending.commands["pay.1~1"][1] == 2


def test_a_compensation_out_of_its_ten_attempts_is_parked() -> None:
    saga = undoing_two()
    for _ in range(9):
        saga.fail("refund").parked().at(saga.now + 70_000).sends("refund")
    saga.fail("refund").parked(pay="undo-failed").sends()


def test_a_refused_compensation_is_parked_at_once_and_nothing_before_it_is_undone() -> None:
    undoing_two().refuse("refund").parked(pay="undo-refused").sends().status("PARKED")


def test_a_parked_compensation_out_of_attempts_may_still_be_answered() -> None:
    saga = undoing_two()
    for _ in range(10):
        saga.fail("refund").at(saga.now + 70_000)
    saga.answer("refund").parked().sends("release")


def test_retrying_a_compensation_that_failed_keeps_its_id() -> None:
    saga = undoing_two()
    for _ in range(10):
        saga.fail("refund").at(saga.now + 70_000)
    saga.retry("pay").sends("refund")
    assert saga.path("refund") == "pay.1~1"


def test_a_compensation_out_of_attempts_that_turns_out_to_be_refused_is_parked_for_that() -> None:
    saga = undoing_two()
    for _ in range(10):
        saga.fail("refund").at(saga.now + 70_000)
    saga.refuse("refund").parked(pay="undo-refused").retry("pay")
    assert saga.path("refund") == "pay.1~2"


def test_retrying_a_compensation_that_was_refused_sends_another_one() -> None:
    saga = undoing_two().refuse("refund").retry("pay").sends("refund")
    assert saga.path("refund") == "pay.1~2"
    saga.answer("refund").sends("release")


def test_a_compensation_that_is_skipped_leaves_the_step_done_and_goes_on() -> None:
    undoing_two().refuse("refund").skip().parked().sends("release").answer("release").ends(
        "COMPENSATED", "no"
    )


def test_a_compensation_marked_done_goes_on() -> None:
    undoing_two().refuse("refund").mark_done().sends("release")


def test_a_compensation_whose_function_raised_is_parked_and_called_again_on_retry() -> None:
    saga = undoing_two().broken("release").answer("refund").parked(reserve="function").sends()
    saga.mended("release").retry().sends("release")
    assert saga.path("release") == "reserve.1~2"
    saga.answer("release").ends("COMPENSATED", "no")


def test_a_compensation_whose_function_raised_can_be_skipped_or_marked_done() -> None:
    undoing_two().broken("release").answer("refund").skip().ends("COMPENSATED", "no")
    undoing_two().broken("release").answer("refund").mark_done().ends("COMPENSATED", "no")


def test_a_compensation_that_raises_again_is_parked_again() -> None:
    saga = undoing_two().broken("refund", "release")
    saga = (
        scenario(step("a", undo="A"), step("b"))
        .broken("A")
        .answer("a")
        .refuse("b")
        .retry()
        .parked(a="function")
    )
    saga.mended("A").retry().sends("A")


def test_a_compensation_of_a_scope_whose_function_raised_is_parked_and_called_again_on_retry() -> None:
    saga = scenario(scope(step("a"), undo="U"), step("b")).broken("U").answer("a").refuse("b")
    saga.parked(scope_1="function").mended("U").retry().sends("U").answer("U").ends("COMPENSATED", "no")


def test_a_completed_scope_is_undone_as_a_unit_where_it_completed() -> None:
    saga = scenario(
        parallel(scope((step("a", undo="A"), step("b", undo="B"))), step("c", undo="C")), step("last")
    )
    saga.answer("a").answer("c").answer("b").refuse("last")
    saga.sends("B").answer("B").sends("A").answer("A").sends("C").answer("C").ends("COMPENSATED", "no")


def test_a_scope_with_a_compensation_is_undone_by_it_alone() -> None:
    saga = scenario(scope((step("a", undo="A"), step("b", undo="B")), undo="U"), step("last"))
    saga.answer("a", 1).answer("b", 2).refuse("last").sends("U")
    assert saga.author.seen["U"].values == {"a": raw(1), "b": raw(2)}
    saga.answer("U").ends("COMPENSATED", "no")


def test_a_scope_with_a_compensation_that_is_not_completed_is_undone_step_by_step() -> None:
    saga = scenario(scope((step("a", undo="A"), step("b", undo="B")), undo="U"))
    saga.answer("a").refuse("b").sends("A").answer("A").ends("COMPENSATED", "no")


def test_a_compensation_of_a_scope_can_fail_be_parked_and_retried() -> None:
    saga = scenario(scope(step("a"), undo="U"), step("last")).answer("a").refuse("last").fail("U").sends()
    saga.at(200).sends("U").refuse("U").parked(scope_1="undo-refused").retry().sends("U").answer("U")
    saga.ends("COMPENSATED", "no")


def test_a_step_visited_twice_is_undone_twice_each_visit_with_its_own_answer() -> None:
    saga = scenario(scope(step("a", undo="A"), catch={}), step("last")).answer("a").refuse("last").sends("A")
    assert saga.author.seen["A"].path == "scope-1.1/a.1"
