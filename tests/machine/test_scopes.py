"""Scopes: they fail, time out, are caught, repeated and undone as one."""

from __future__ import annotations

from reliability.model.graphs import again, end, parallel, refuse, scope, sleep, step, wait
from saga.machine import records as r

from .scenario import scenario


def test_a_scope_completes_and_the_flow_goes_on_behind_it() -> None:
    scenario(scope(step("pay")), step("ship")).answer("pay").sends("ship").answer("ship").ends("COMPLETED")


def test_an_empty_scope_completes_at_once() -> None:
    scenario(scope(()), step("ship")).sends("ship")


def test_a_caught_refusal_undoes_the_scope_first_and_then_goes_on_at_the_catch() -> None:
    saga = scenario(scope((step("a", undo="A"), step("b")), catch={"no": step("c")}), step("d"))
    saga.answer("a").refuse("b").sends("A").answer("A").sends("c").answer("c").sends("d").answer("d")
    saga.ends("COMPLETED")


def test_that_a_scope_turns_back_is_journaled_with_why_and_whether_it_is_caught() -> None:
    saga = scenario(scope(step("b"), catch={"no": step("c")})).refuse("b")
    assert r.ScopeFailed("scope-1.1", "no", "sorry", "b", True) in saga.last
    assert r.ScopeFailed("", "no", "sorry", "c", False) in saga.refuse("c").last
    cancelled = scenario(step("b")).cancel()
    assert r.ScopeFailed("", "cancelled", "changed my mind", "", False) in cancelled.last


def test_a_catch_undoes_only_what_was_done_in_its_scope() -> None:
    saga = scenario(step("before", undo="B"), scope(step("b"), catch={"no": step("c")})).answer("before")
    saga.refuse("b").sends("c")


def test_an_empty_catch_goes_on_behind_the_scope() -> None:
    scenario(scope(step("b"), catch={"no": ()}), step("c")).refuse("b").sends("c")


def test_a_refusal_of_another_code_is_not_caught() -> None:
    scenario(scope(step("b"), catch={"other": step("c")})).refuse("b").ends("COMPENSATED", "no")


def test_the_innermost_scope_that_catches_the_code_catches() -> None:
    inner = scope(step("a"), catch={"no": step("inner")})
    scenario(scope(inner, catch={"no": step("outer")})).refuse("a").sends("inner")


def test_an_outer_scope_catches_what_the_inner_one_does_not_and_undoes_both() -> None:
    saga = scenario(
        scope(
            (step("x", undo="X"), scope((step("a", undo="A"), step("b")), catch={"other": ()})),
            catch={"no": step("c")},
        )
    )
    saga.answer("x").answer("a").refuse("b").sends("A").answer("A").sends("X").answer("X").sends("c")


def test_a_refusal_in_a_catch_is_not_caught_by_the_same_scope() -> None:
    scenario(scope(step("a"), catch={"no": step("b")})).refuse("a").refuse("b").ends("COMPENSATED", "no")


def test_a_refuse_block_is_caught_like_a_refusal() -> None:
    scenario(scope((step("a", undo="A"), refuse("sold-out")), catch={"sold-out": step("c")})).answer(
        "a"
    ).sends("A").answer("A").sends("c")


def test_out_of_attempts_is_caught_with_code_failed() -> None:
    scenario(scope(step("a"), catch={"failed": step("c")})).fail("a").resolve("a", "not-done").sends("c")


def test_what_is_on_its_way_in_a_scope_that_an_outer_one_gives_up_is_gone() -> None:
    inner = scope(parallel(refuse("no"), step("a")))
    saga = scenario(scope(inner, catch={"no": step("c")})).sends("c")
    assert saga.sent_order() == ["c"]


def test_a_scope_out_of_time_is_undone_and_goes_on_at_its_catch() -> None:
    saga = scenario(scope((step("a", undo="A"), step("b")), timeout=100, catch={"timeout": step("c")}))
    saga.timers(scope_1=100).answer("a").at(99).sends("b").at(100).asks("b").timers()
    saga.resolve("b", "not-done").sends("A").answer("A").sends("c")


def test_a_scope_out_of_time_that_nobody_catches_turns_the_saga_back() -> None:
    scenario(scope(wait("x"), timeout=100)).at(100).ends("COMPENSATED", "timeout")


def test_a_scope_out_of_time_is_caught_by_an_outer_one() -> None:
    scenario(scope(scope(sleep("rest"), timeout=10), catch={"timeout": step("c")})).at(10).sends("c")


def test_a_scope_that_completes_in_time_is_disarmed() -> None:
    scenario(scope(step("a"), timeout=100), step("b")).answer("a").timers().at(200).sends("b")


def test_while_a_scope_is_being_undone_its_time_does_not_matter() -> None:
    saga = scenario(
        scope((step("a", undo="A"), step("b")), timeout=100, catch={"no": (), "timeout": step("t")})
    )
    saga.answer("a").refuse("b").at(500).sends("A").answer("A").ends("COMPLETED")


def test_a_timer_of_a_scope_that_fires_early_or_has_no_time_to_keep_leaves_nothing() -> None:
    saga = scenario(scope(scope(step("a")), timeout=100)).timer("scope-1.1", "deadline").leaves()
    saga.timer("scope-1.1/scope-2.1", "deadline").leaves().sends("a")


def test_each_visit_of_a_scope_has_its_own_time() -> None:
    saga = scenario(scope(wait("x"), timeout=100, catch={"timeout": again(at_most=1)}))
    saga.timers(scope_1=100).at(100).timers(scope_1=200).at(200).ends("COMPENSATED", "timeout")


def test_again_goes_back_to_the_scope_with_new_ids() -> None:
    saga = scenario(scope((step("a", undo="A"), step("b")), catch={"no": again(at_most=2)}))
    saga.answer("a").refuse("b").answer("A").sends("a")
    assert saga.path("a") == "scope-1.2/a.1"
    saga.answer("a").answer("b").ends("COMPLETED")


def test_again_used_up_throws_the_caught_refusal_on() -> None:
    saga = scenario(step("x", undo="X"), scope(step("a"), catch={"no": again(at_most=2)})).answer("x")
    saga.refuse("a").refuse("a").sends("a").refuse("a").sends("X").answer("X").ends("COMPENSATED", "no")
    assert saga.sent_order().count("a") == 3
    assert saga.state is not None
    assert saga.state.failure is not None
    assert (saga.state.failure.reason, saga.state.failure.element) == ("sorry", "again-1")


def test_again_used_up_throws_to_an_outer_catch() -> None:
    inner = scope(step("a"), catch={"no": again(at_most=1)})
    scenario(scope(inner, catch={"no": step("c")})).refuse("a").refuse("a").sends("c")


def test_again_counts_anew_in_each_visit_of_the_enclosing_scope() -> None:
    inner = scope(step("a"), catch={"no": again(at_most=1)})
    saga = scenario(scope(inner, catch={"no": again(at_most=1)}))
    for _ in range(3):
        saga.refuse("a").sends("a")
    saga.refuse("a").ends("COMPENSATED", "no")


def test_what_comes_before_again_in_the_catch_is_done_each_time_and_undone_in_the_end() -> None:
    saga = scenario(scope(step("a"), catch={"no": (step("tell", undo="untell"), again(at_most=1))}))
    saga.refuse("a").answer("tell").refuse("a").answer("tell").sends("untell").answer("untell")
    saga.sends("untell").answer("untell").ends("COMPENSATED", "no")


def test_scopes_in_branches_fail_each_for_itself() -> None:
    saga = scenario(
        parallel(scope((step("a", undo="A"), step("b")), catch={"no": step("c")}), step("d")), step("e")
    )
    saga.answer("a").refuse("b").sends("A", "d").answer("d").answer("A").sends("c").answer("c").sends("e")


def test_an_outer_scope_that_fails_while_an_inner_one_is_being_undone_waits_for_that_compensation() -> None:
    saga = scenario(
        step("x", undo="X"),
        parallel(
            scope((step("a", undo="A"), step("b", undo="B"), step("c")), catch={"no": step("d")}), step("e")
        ),
    )
    saga.answer("x").answer("a").answer("b").refuse("c").sends("B", "e").refuse("e", "oh").sends("B")
    saga.answer("B").sends("A").answer("A").sends("X").answer("X").ends("COMPENSATED", "oh")


def test_an_outer_scope_that_fails_takes_over_a_parked_compensation_of_an_inner_one() -> None:
    saga = scenario(
        parallel(scope((step("a", undo="A"), step("c")), catch={"no": step("d")}), step("e")),
    )
    saga.answer("a").refuse("c").refuse("A").refuse("e", "oh").parked(a="undo-refused").skip()
    saga.ends("COMPENSATED", "oh")


def test_an_outer_scope_that_fails_undoes_across_inner_ones_in_the_order_of_completion() -> None:
    saga = scenario(
        parallel(
            scope((step("a", undo="A"), step("b", undo="B"), wait("x"))),
            scope((step("c", undo="C"), wait("y"))),
            step("e"),
        )
    )
    saga.answer("a").answer("c").answer("b").refuse("e").answer("B").answer("C").answer("A")
    assert saga.sent_order()[-3:] == ["B", "C", "A"]


def test_a_scope_counts_as_completed_when_it_is_left_not_when_its_steps_were_done() -> None:
    saga = scenario(
        parallel(scope((step("a", undo="A"), wait("x"))), scope((step("b", undo="B"), wait("y"))), step("e"))
    )
    saga.answer("a").answer("b").event("x").refuse("e").sends("A").answer("A").sends("B")


def test_a_parked_compensation_stays_parked_when_an_outer_scope_fails() -> None:
    saga = scenario(parallel(scope((step("a", undo="A"), step("c")), catch={"no": ()}), step("e"))).broken(
        "A"
    )
    saga.answer("a").refuse("c").mended("A").refuse("e", "oh").parked(a="function").sends()
    saga.retry().sends("A").answer("A").ends("COMPENSATED", "oh")


def test_an_end_in_a_scope_ends_that_scope_only() -> None:
    scenario(scope((step("a"), end())), step("b")).answer("a").sends("b")


def test_a_scope_left_and_entered_again_keeps_the_visits_apart() -> None:
    saga = scenario(scope(step("a", undo="A"), catch={"no": again(at_most=1)}), step("b")).refuse("a")
    saga.answer("a").refuse("b").sends("A")
    assert saga.author.seen["A"].path == "scope-1.2/a.1"
    assert saga.last[-1] == r.UndoSent(
        "scope-1.2/a.1~1",
        "a",
        "",
        "scope-1.2/a.1",
        "A/1",
        saga.visit("A").sent.command,
        "context",
        4,  # type: ignore[union-attr]
    )
