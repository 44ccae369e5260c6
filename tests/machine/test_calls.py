"""Calls: another saga carries out a part (call activity). The caller sees one command and one answer or refusal."""

from __future__ import annotations

from typing import Any

from reliability.model.graphs import call, each, end, parallel, scope, step, wait
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import Scenario, raw, scenario


def caller(**options: Any) -> Scenario:
    return scenario(step("x", undo="X"), call("book", **options), step("y")).answer("x")


# --- the caller -------------------------------------------------------------------------------------


def test_a_call_is_outside_as_a_saga_and_no_command() -> None:
    saga = caller().calls("book").sends()
    (sent, given_up) = saga.pending.calls["book.1"]
    assert (sent.to, sent.number, given_up) == ("saga book/1", 0, False)


def test_the_answer_of_the_called_saga_is_the_value_of_the_call() -> None:
    caller().answer("book", "room 7").calls().sends("y").knows(x=None, book="room 7")


def test_when_the_called_saga_is_refused_so_is_the_call_with_its_code() -> None:
    caller().refuse("book", "sold-out").undoes("X").ends("COMPENSATED", "sold-out")


def test_a_refusal_of_a_called_saga_is_caught_like_any_other() -> None:
    scenario(scope(call("book"), catch={"sold-out": step("c")})).refuse("book", "sold-out").sends("c")


def test_a_call_out_of_time_gives_the_called_saga_up_and_waits_for_its_end() -> None:
    saga = caller(timeout=100).timers(book=100).at(100).gives_up("book").calls().timers()
    saga.resolve("book", "not-done").undoes("X").ends("COMPENSATED", "timeout")


def test_a_called_saga_that_completed_though_it_was_given_up_is_undone() -> None:
    saga = caller(timeout=100, undo=True).at(100).resolve("book", "done").calls("book")
    saga.answer_at("book.1~1").undoes("X").ends("COMPENSATED", "timeout")


def test_a_saga_that_turns_back_gives_up_what_it_has_called() -> None:
    saga = scenario(parallel(call("book"), step("a"))).refuse("a").gives_up("book")
    saga.resolve("book", "not-done").ends("COMPENSATED", "no")


def test_a_saga_that_is_cancelled_gives_up_what_it_has_called() -> None:
    caller().cancel().gives_up("book").resolve("book", "not-done").undoes("X").ends(
        "COMPENSATED", "cancelled"
    )


def test_an_end_gives_up_what_was_called_in_another_branch() -> None:
    saga = scenario(parallel(call("book"), (step("a"), end()))).answer("a").gives_up("book")
    saga.resolve("book", "not-done").ends("COMPLETED")


def test_a_completed_call_is_undone_by_undoing_the_called_saga() -> None:
    saga = caller(undo=True).answer("book").refuse("y").calls("book").sends()
    (sent, given_up) = saga.pending.calls["book.1~1"]
    assert (sent.is_reversal, sent.to, given_up) == (True, "saga book/1", False)
    saga.answer_at("book.1~1").undoes("X").ends("COMPENSATED", "no")


def test_a_completed_call_with_a_compensation_of_its_own_is_undone_by_that() -> None:
    caller(undo="unbook").answer("book").refuse("y").calls().undoes("unbook", "X").ends("COMPENSATED", "no")


def test_a_completed_call_with_nothing_to_undo_is_left_alone() -> None:
    caller().answer("book").refuse("y").calls().undoes("X").ends("COMPENSATED", "no")


def test_behind_a_call_that_is_a_pivot_there_is_no_way_back() -> None:
    saga = caller(pivot=True).answer("book").refuse("y").parked(y="refused")
    saga.impossible(saga.cancel, "only goes forward")


def test_a_saga_whose_call_of_a_pivot_is_under_way_cannot_be_cancelled() -> None:
    saga = caller(pivot=True)
    saga.impossible(saga.cancel, "pivot step book is under way")


def test_a_called_saga_that_cannot_begin_parks_the_call_and_a_retry_calls_it_again() -> None:
    caller().block("book").parked(book="no-handler").calls().retry().calls("book").answer("book").sends("y")


def test_a_saga_that_turns_back_while_its_call_is_parked_gives_it_up() -> None:
    caller().block("book").cancel().gives_up("book").resolve("book", "not-done").undoes("X").ends(
        "COMPENSATED", "cancelled"
    )


def test_a_call_is_made_once_for_each_item() -> None:
    saga = scenario(each("guests", call("book", undo=True), 2), lists={"guests": [1, 2, 3]}).calls(
        "book", "book"
    )
    saga.answer_at("each-1.1/item.2/book.1", "b").calls("book", "book")
    assert set(saga.pending.calls) == {"each-1.1/item.1/book.1", "each-1.1/item.3/book.1"}


def test_what_a_suspended_caller_hears_is_held_and_not_asked_for_again() -> None:
    caller().suspend().calls("book").answer("book", 7).calls().resume().sends("y").knows(x=None, book=7)


# --- the called one ---------------------------------------------------------------------------------


def called(*flow: Any) -> Scenario:
    return scenario(*flow, parent="trip-0", reply_to="book.1")


def test_a_called_saga_knows_who_has_called_it() -> None:
    saga = called(step("a"))
    assert saga.state is not None
    assert (saga.state.parent, saga.state.reply_to) == ("trip-0", "book.1")


def test_a_called_saga_that_is_given_up_is_undone() -> None:
    saga = called(step("a", undo="A"), step("b")).answer("a").give_up().asks("b")
    saga.resolve("b", "not-done").undoes("A").ends("COMPENSATED", "cancelled")


def test_a_called_saga_that_is_given_up_behind_its_pivot_goes_on_to_its_end() -> None:
    called(step("a", pivot=True), step("b")).answer("a").give_up().leaves().answer("b").ends("COMPLETED")


def test_a_called_saga_that_is_given_up_while_its_pivot_is_under_way_waits_for_the_outcome() -> None:
    called(step("a", pivot=True), step("b")).give_up().sends("a").answer("a").sends("b")
    called(step("a", pivot=True), step("b")).give_up().refuse("a").ends("COMPENSATED", "no")


def test_to_give_up_a_saga_that_is_over_or_being_undone_changes_nothing() -> None:
    called(step("a")).answer("a").give_up().leaves().ends("COMPLETED")
    called(step("a", undo="A"), step("b")).answer("a").refuse("b").give_up().leaves().sends("A")


def test_a_suspended_saga_that_is_given_up_is_undone_when_it_is_resumed() -> None:
    saga = called(step("a", undo="A"), wait("w")).answer("a").suspend().give_up().leaves(r.Held)
    saga.resume().undoes("A").ends("COMPENSATED", "cancelled")


def test_a_completed_saga_whose_caller_is_undone_is_undone_in_reverse() -> None:
    saga = called(step("a", undo="A"), step("b", undo="B")).answer("a").answer("b").ends("COMPLETED")
    saga.reverse().status("COMPENSATING").undoes("B", "A").ends("COMPENSATED", "cancelled")


def test_a_completed_saga_that_is_undone_answers_the_visit_that_undoes_it() -> None:
    saga = called(step("a", undo="A")).answer("a").reverse("book.1~1")
    assert saga.state is not None
    assert saga.state.reply_to == "book.1~1"


def test_a_completed_saga_with_nothing_to_undo_is_undone_at_once() -> None:
    called(step("a")).answer("a").reverse().leaves(r.Reversed, r.Ended).ends("COMPENSATED", "cancelled")


def test_a_saga_that_came_to_an_end_block_is_undone_all_the_same() -> None:
    called(step("a", undo="A"), end()).answer("a").reverse().undoes("A").ends("COMPENSATED", "cancelled")


def test_a_saga_that_was_undone_is_not_undone_again() -> None:
    saga = called(step("a", undo="A")).answer("a").reverse().undoes("A").reverse("other.1~1").leaves()
    saga.ends("COMPENSATED", "cancelled")


def test_a_saga_that_is_under_way_has_nothing_to_reverse() -> None:
    called(step("a", undo="A"), step("b")).answer("a").reverse().leaves().sends("b")


def test_a_compensation_of_a_reversed_saga_that_is_refused_waits_for_a_person() -> None:
    saga = called(step("a", undo="A")).answer("a").reverse().refuse("A").parked(a="undo-refused")
    saga.skip().ends("COMPENSATED", "cancelled")


def test_a_reversed_saga_can_be_suspended_and_resumed() -> None:
    called(step("a", undo="A")).answer("a").reverse().suspend().answer("A").resume().ends(
        "COMPENSATED", "cancelled"
    )


def test_what_comes_late_to_a_reversed_saga_is_ignored() -> None:
    saga = called(step("a", undo="A")).answer("a").reverse()
    saga.tell(s.Completed("a.1", raw(None))).leaves(r.Ignored).undoes("A").ends("COMPENSATED", "cancelled")
