"""Terminate ends: the innermost scope ends at once; what is found done then is undone, the rest stays."""

from __future__ import annotations

from reliability.model.graphs import choice, end, parallel, scope, step, wait

from .scenario import scenario


def test_an_end_completes_the_saga_at_once() -> None:
    scenario(choice((("gone", end()),)), step("ship"), holds={"gone": True}).ends("COMPLETED")


def test_an_end_keeps_what_was_done_before() -> None:
    scenario(step("a", undo="A"), end()).answer("a").ends("COMPLETED")


def test_an_end_drops_waits_in_other_branches() -> None:
    scenario(parallel(wait("x", within=99), (step("a"), end()))).answer("a").ends("COMPLETED")


def test_an_end_inquires_about_open_commands_and_undoes_what_was_done() -> None:
    saga = scenario(step("x", undo="X"), parallel(step("a", undo="A"), (step("b", undo="B"), end()))).answer(
        "x"
    )
    saga.answer("b").asks("a").status("RUNNING").resolve("a", "done").sends("A").answer("A").ends("COMPLETED")
    assert "X" not in saga.sent_order()
    assert "B" not in saga.sent_order()


def test_an_end_has_nothing_to_undo_when_open_commands_were_not_done() -> None:
    saga = scenario(parallel(step("a", undo="A"), (step("b"), end()))).answer("b")
    saga.resolve("a", "not-done").ends("COMPLETED")


def test_an_end_undoes_open_commands_of_unknown_outcome_without_an_answer() -> None:
    saga = scenario(parallel(step("a", to="gateway", undo="A"), (step("b"), end()))).answer("b")
    saga.resolve("a", "unknown").sends("A").answer("A").ends("COMPLETED")


def test_an_end_undoes_what_is_found_done_in_reverse() -> None:
    saga = scenario(parallel(step("a", undo="A"), step("c", undo="C"), (step("b"), end()))).answer("b")
    saga.resolve("a", "done").sends().resolve("c", "done").sends("C").answer("C").sends("A")


def test_an_end_in_a_scope_goes_on_behind_it_once_that_is_done() -> None:
    saga = scenario(scope(parallel(step("a", undo="A"), (step("b"), end()))), step("c")).answer("b")
    saga.sends().answer("a").sends("A").answer("A").sends("c")


def test_what_an_ended_scope_keeps_is_undone_when_the_saga_turns_back_later() -> None:
    saga = scenario(scope(parallel(step("a", undo="A"), (step("b", undo="B"), end()))), step("c")).answer("b")
    saga.resolve("a", "not-done").refuse("c").sends("B").answer("B").ends("COMPENSATED", "no")


def test_an_end_lets_compensations_go_on_and_finishes_what_a_failed_inner_scope_was_undoing() -> None:
    inner = scope((step("a", undo="A"), step("b", undo="B"), step("c")), catch={"no": step("never")})
    saga = scenario(parallel(inner, (step("d"), end()))).answer("a").answer("b").refuse("c").sends("B", "d")
    saga.answer("d").sends("B").answer("B").sends("A").answer("A").ends("COMPLETED")
    assert "never" not in saga.sent_order()


def test_an_end_undoes_what_several_failed_inner_scopes_had_done_in_the_reverse_order_of_completion() -> None:
    def failing(first: str, second: str, last: str) -> scope:
        return scope(
            (step(first, undo=first.upper()), step(second, undo=second.upper()), step(last)), catch={"no": ()}
        )

    saga = scenario(parallel(failing("a", "c", "x"), failing("b", "d", "y"), (step("e"), end())))
    saga.answer("b").answer("a").answer("c").answer("d").refuse("x").refuse("y").sends("C", "D", "e")
    saga.answer("e").answer("C").answer("D").sends("A").answer("A").sends("B").answer("B").ends("COMPLETED")


def test_an_outer_end_still_undoes_what_an_inner_end_has_found_done() -> None:
    inner = scope(parallel(step("a", undo="A"), step("b", undo="B"), (step("c", undo="C"), end())))
    saga = scenario(parallel(inner, (step("d"), end()))).answer("c").resolve("a", "done").sends("d").asks("b")
    saga.answer("d").resolve("b", "not-done").sends("A").answer("A").ends("COMPLETED")


def test_a_saga_that_is_ending_cannot_be_cancelled_any_more() -> None:
    saga = scenario(parallel(step("a"), (step("b"), end()))).answer("b").cancel().leaves()
    saga.resolve("a", "not-done").ends("COMPLETED")


def test_a_scope_that_fails_while_an_inner_one_is_ending_undoes_everything_in_it() -> None:
    inner = scope(parallel(step("a", undo="A"), (step("b", undo="B"), end())))
    saga = scenario(parallel(inner, step("c"))).answer("b").refuse("c").asks("a").resolve("a", "done")
    saga.sends("A").answer("A").sends("B").answer("B").ends("COMPENSATED", "no")
