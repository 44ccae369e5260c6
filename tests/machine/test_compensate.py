"""Compensation in the middle of the flow (compensation throw event): what was done so far is undone, then it goes on.

The rules of BPMN: only what completed is undone, once per completion, with what was known then; an inner scope only if
it completed; the flow waits for all of it. Ours: strictly in reverse, one at a time.
"""

from __future__ import annotations

import pytest

from reliability.model.graphs import (
    again,
    call,
    choice,
    compensate,
    each,
    end,
    parallel,
    repeat,
    scope,
    step,
    wait,
)
from saga.machine import Unfitting, replay
from saga.machine import records as r

from .scenario import raw, scenario

A, B = step("a", undo="A"), step("b", undo="B")


def test_everything_so_far_is_undone_in_reverse_and_the_flow_waits_for_it_and_goes_on() -> None:
    saga = scenario(A, B, compensate(), step("c")).answer("a").answer("b")
    saga.sends("B").answer("B").sends("A").answer("A").sends("c").answer("c").ends("COMPLETED")


def test_what_is_undone_is_not_undone_again_when_the_saga_turns_back() -> None:
    scenario(A, compensate(), B, step("c")).answer("a").undoes("A").answer("b").refuse("c").undoes("B").ends(
        "COMPENSATED", "no"
    )


def test_what_is_undone_is_not_undone_again_by_a_second_compensation() -> None:
    scenario(A, compensate(), compensate("a"), compensate(), step("c")).answer("a").undoes("A").sends("c")


def test_without_anything_to_undo_the_flow_goes_on_at_once() -> None:
    saga = scenario(step("a"), compensate(), step("c")).answer("a").sends("c")
    assert [
        r.CompensationBegun("compensate-1.1", "compensate-1", ""),
        r.CompensationDone("compensate-1.1"),
    ] == (saga.last[1:3])


def test_only_the_named_step_is_undone() -> None:
    saga = scenario(A, B, compensate("a"), step("c")).answer("a").answer("b").undoes("A").sends("c")
    saga.refuse("c").undoes("B").ends("COMPENSATED", "no")


def test_every_completion_of_the_named_step_is_undone() -> None:
    saga = scenario(repeat(A, until="enough"), compensate("a"), step("c"), holds={"enough": [False, True]})
    saga.answer("a").answer("a").undoes("A", "A").sends("c").refuse("c").ends("COMPENSATED", "no")


def test_of_a_named_scope_all_is_undone_that_was_done_in_it() -> None:
    saga = scenario(A, scope((B, step("d", undo="D")), name="s"), compensate("s"), step("c"))
    saga.answer("a").answer("b").answer("d").undoes("D", "B").sends("c").refuse("c").undoes("A")


def test_a_named_scope_with_a_compensation_of_its_own_is_undone_by_that() -> None:
    saga = scenario(scope((A, B), undo="U", name="s"), compensate("s"), step("c"))
    saga.answer("a").answer("b").undoes("U").sends("c").refuse("c").ends("COMPENSATED", "no")


def test_a_named_each_is_undone_for_all_of_its_items() -> None:
    saga = scenario(each("guests", A, name="e"), compensate("e"), step("c"), lists={"guests": [1, 2]})
    saga.answer("a").answer("a").undoes("A", "A").sends("c")


def test_a_leaf_that_is_called_item_is_not_taken_for_the_items_of_an_each() -> None:
    saga = scenario(
        step("item", undo="I"),
        each("guests", A, name="e"),
        compensate("item"),
        step("c"),
        lists={"guests": [1]},
    )
    saga.answer("item").answer("a").undoes("I").sends("c")


def test_in_a_scope_only_what_was_done_in_it_is_undone() -> None:
    saga = scenario(A, scope((B, compensate(), step("c")))).answer("a").answer("b").undoes("B").sends("c")
    saga.refuse("c").undoes("A").ends("COMPENSATED", "no")


def test_what_is_open_in_another_branch_goes_on_and_is_not_undone() -> None:
    saga = scenario(parallel(A, (B, compensate(), step("c")))).answer("b").sends("a", "B")
    saga.answer("B").sends("a", "c").answer("a").answer("c").ends("COMPLETED")


def test_what_another_branch_completes_meanwhile_is_not_undone() -> None:
    saga = scenario(parallel(A, (B, compensate(), step("c")))).answer("b").answer("a").sends("B")
    saga.answer("B").sends("c").refuse("c").undoes("A").ends("COMPENSATED", "no")


def test_what_another_branch_has_completed_before_is_undone_too() -> None:
    saga = scenario(parallel(A, (B, compensate(), step("c")))).answer("a").answer("b")
    saga.undoes("B", "A").sends("c")


def test_an_inner_scope_that_is_not_completed_is_not_undone() -> None:
    saga = scenario(parallel(scope((A, wait("w"))), (B, compensate(), step("c")))).answer("a").answer("b")
    saga.undoes("B").sends("c").waits("w")


def test_two_compensations_at_once_undo_one_after_the_other_and_nothing_twice() -> None:
    saga = scenario(A, B, parallel(compensate(), compensate("a")), step("c")).answer("a").answer("b")
    saga.sends("B").answer("B").sends("A").answer("A").sends("c")


def test_a_compensation_sees_what_was_known_when_its_step_was_completed() -> None:
    saga = scenario(A, B, compensate("a")).answer("a", 1).answer("b", 2)
    assert {name: bytes(value) for name, value in saga.author.seen["A"].values.items()} == {"a": b"1"}


def test_a_compensation_that_is_refused_waits_for_a_person_and_then_goes_on() -> None:
    saga = scenario(A, compensate(), step("c")).answer("a").refuse("A").parked(a="undo-refused").sends()
    saga.retry().sends("A").answer("A").sends("c")
    scenario(A, compensate(), step("c")).answer("a").refuse("A").skip().sends("c")
    scenario(A, compensate(), step("c")).answer("a").refuse("A").mark_done().sends("c")


def test_a_compensation_whose_function_raises_is_parked_and_retried() -> None:
    saga = scenario(A, compensate(), step("c")).broken("A").answer("a").parked(a="function")
    saga.mended("A").retry().sends("A").answer("A").sends("c")


def test_a_saga_that_turns_back_meanwhile_finishes_the_compensation_that_is_out_and_undoes_the_rest() -> None:
    saga = scenario(A, B, parallel(compensate("a"), step("c"))).answer("a").answer("b").sends("A", "c")
    saga.refuse("c").sends("A").answer("A").undoes("B").ends("COMPENSATED", "no")


def test_an_end_meanwhile_finishes_the_compensation_that_is_out_and_leaves_the_rest() -> None:
    saga = scenario(A, B, parallel(compensate(), (step("c"), end()))).answer("a").answer("b").answer("c")
    saga.sends("B").answer("B").sends().ends("COMPLETED")


def test_a_compensation_in_a_catch_undoes_what_was_done_around_the_scope() -> None:
    saga = scenario(A, scope((B, step("c")), catch={"no": (compensate(), step("d"))}), step("e"))
    saga.answer("a").answer("b").refuse("c").undoes("B").undoes("A").sends("d").answer("d").sends("e")


def test_after_a_compensation_a_scope_may_be_tried_again() -> None:
    saga = scenario(scope((A, step("c")), catch={"no": (compensate(), again(1))}), step("e"))
    saga.answer("a").refuse("c").undoes("A").sends("a").answer("a").answer("c").sends("e")


def test_a_step_that_is_done_again_after_a_compensation_is_undone_again() -> None:
    saga = scenario(
        repeat((A, choice((("back", compensate()),))), until="enough"),
        step("c"),
        holds={"back": [True, False], "enough": [False, True]},
    )
    saga.answer("a").undoes("A").answer("a").refuse("c").undoes("A").ends("COMPENSATED", "no")
    assert saga.author.seen["A"].path == "repeat-1.2/a.1"


def test_a_completed_call_is_undone_too() -> None:
    saga = scenario(call("book", undo=True), compensate("book"), step("c")).answer("book").calls("book")
    saga.answer_at("book.1~1").calls().sends("c")


def test_a_suspended_saga_goes_on_with_its_compensation_when_it_is_resumed() -> None:
    saga = scenario(A, B, compensate(), step("c")).answer("a").answer("b").suspend().answer("B").sends()
    saga.resume().sends("A").answer("A").sends("c")


def test_a_cancelled_compensation_leaves_nothing_undone_twice() -> None:
    saga = scenario(A, B, compensate(), step("c")).answer("a").answer("b").answer("B").cancel().sends("A")
    saga.answer("A").ends("COMPENSATED", "cancelled")
    assert saga.sent_order() == ["a", "b", "B", "A"]


def test_what_ends_meanwhile_in_the_same_scope_does_not_undo_it_twice() -> None:
    saga = scenario(A, parallel(compensate(), wait("w", every=(10, ())))).answer("a").sends("A")
    saga.at(10).leaves(r.Reminded).sends("A").answer("A").event("w").ends("COMPLETED")


def test_a_compensation_of_what_was_not_done_does_not_fit() -> None:
    saga = scenario(A, B, compensate("a")).answer("a").answer("b")
    wrong = r.UndoSent("x.1~1", "x", "", "x.1", "X/1", raw(1), "context", 9)
    with pytest.raises(Unfitting, match=r"x\.1 is to be undone, and was not done in ''"):
        replay([*saga.records(), wrong])
