"""Choices and parallels."""

from __future__ import annotations

import pytest

from reliability.model.graphs import choice, parallel, refuse, sleep, step, wait
from saga.machine import records as r

from .scenario import scenario


def test_a_choice_takes_the_first_case_that_holds() -> None:
    flow = choice((("large", step("approve")), ("gift", step("wrap"))))
    scenario(flow, holds={"large": True, "gift": True}).sends("approve")
    scenario(flow, holds={"large": False, "gift": True}).sends("wrap")


def test_a_choice_of_which_no_case_holds_takes_the_otherwise() -> None:
    saga = scenario(choice((("large", step("approve")),), step("wave")), step("ship"), holds={"large": False})
    saga.sends("wave").answer("wave").sends("ship")


def test_a_choice_without_otherwise_just_goes_on() -> None:
    scenario(choice((("large", step("approve")),)), step("ship"), holds={"large": False}).sends("ship")


def test_a_choice_is_journaled() -> None:
    for holds, case in ((True, "large"), (False, "otherwise")):
        saga = scenario(choice((("large", ()),)), holds={"large": holds})
        assert r.Chosen("choice-1", "", case) in saga.last


def test_a_refuse_turns_the_saga_back_with_its_code() -> None:
    saga = scenario(step("reserve", undo="release"), refuse("sold-out", "nothing left")).answer("reserve")
    saga.sends("release").answer("release").ends("COMPENSATED", "sold-out")


def test_a_parallel_goes_through_all_branches_at_once_and_on_when_all_are_done() -> None:
    saga = scenario(parallel(step("pay"), (step("pack"), step("label"))), step("ship")).sends("pay", "pack")
    saga.answer("pack").sends("pay", "label").answer("pay").answer("label").sends("ship")


def test_an_empty_branch_is_done_at_once() -> None:
    scenario(parallel((), step("pay")), step("ship")).answer("pay").sends("ship")


def test_parallels_nest() -> None:
    saga = scenario(parallel(parallel(step("a"), step("b")), step("c")), step("d")).sends("a", "b", "c")
    saga.answer("c").answer("a").sends("b").answer("b").sends("d")


def test_branches_are_undone_in_the_reverse_of_the_order_in_which_they_completed() -> None:
    saga = scenario(parallel((step("a", undo="A"), step("b", undo="B")), step("c", undo="C")), step("last"))
    saga.answer("a").answer("c").answer("b").refuse("last")
    saga.sends("B").answer("B").sends("C").answer("C").sends("A").answer("A").ends("COMPENSATED", "no")


@pytest.mark.parametrize(("outcome", "undone"), [("done", True), ("not-done", False), ("refused", False)])
def test_a_refusal_in_one_branch_inquires_about_what_is_open_in_the_others(
    outcome: str, undone: bool
) -> None:
    saga = scenario(parallel(step("pay", undo="refund"), step("pack"))).refuse("pack")
    saga.asks("pay").sends().resolve("pay", outcome).sends(*(["refund"] if undone else []))


def test_an_unknown_outcome_in_another_branch_is_undone_without_an_answer() -> None:
    saga = scenario(parallel(step("pay", to="gateway", undo="refund"), step("pack"))).refuse("pack")
    saga.resolve("pay", "unknown").sends("refund")
    assert saga.author.seen["refund"].answer is None


def test_a_refusal_in_one_branch_ends_the_pause_before_an_attempt_in_another() -> None:
    saga = scenario(parallel(step("pay", attempts=3), step("pack"))).fail("pay").refuse("pack")
    saga.asks("pay").timers().at(1000).sends()


def test_a_refusal_in_one_branch_drops_waits_and_sleeps_in_the_others() -> None:
    saga = scenario(
        parallel(wait("fetched", within=99), sleep("rest"), step("pack", undo="unpack"), step("pay"))
    )
    saga.answer("pack").refuse("pay").waits().timers().sends("unpack")


def test_nothing_is_undone_before_every_open_command_is_resolved() -> None:
    saga = scenario(parallel(step("a", undo="A"), step("b", undo="B"), step("c"), step("d"))).answer("a")
    saga.refuse("d").asks("b", "c").resolve("c", "not-done").sends().resolve("b", "done").sends("B")
    saga.answer("B").sends("A")


def test_two_refusals_in_a_row_turn_back_once() -> None:
    saga = scenario(parallel(step("a"), step("b"))).refuse("a", "first").refuse("b", "second")
    saga.ends("COMPENSATED", "first")
    assert [type(record) for record in saga.last] == [r.StepDropped, r.Ended]


def test_an_answer_instead_of_the_outcome_of_the_inquiry_is_as_good() -> None:
    scenario(parallel(step("pay", undo="refund"), step("pack"))).refuse("pack").answer("pay").sends("refund")


def test_a_refusal_leaves_branches_that_have_not_begun_alone() -> None:
    """Tokens go one by one; a branch that refuses at once leaves the next one no time to send."""
    saga = scenario(parallel(refuse("never"), step("pay"))).ends("COMPENSATED", "never")
    assert saga.sent_order() == []
