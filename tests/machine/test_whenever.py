"""Whenever: each time an event comes while a scope is open, something happens beside it (non-interrupting boundary
events)."""

from __future__ import annotations

from reliability.model.graphs import Blocks, end, refuse, repeat, scope, step, wait
from saga.machine import records as r

from .scenario import Scenario, scenario

NOTE = step("note", undo="unnote")


def watched(*body: Blocks, then: Blocks = NOTE, **options: object) -> Scenario:
    return scenario(scope(body or step("a"), whenever=((wait("w"), then),), **options), step("b"))  # type: ignore[arg-type]


def test_as_long_as_the_scope_is_open_its_events_are_waited_for() -> None:
    watched().waits("w").sends("a").answer("a").waits().sends("b")


def test_each_event_makes_something_happen_beside_what_is_done_in_the_scope() -> None:
    saga = watched().event("w", "e-1").sends("a", "note").answer("note").waits("w").event("w", "e-2")
    assert saga.sends("a", "note").path("note") == "note.2"
    assert saga.answer("note").path("w") == "w.3"


def test_the_next_event_is_taken_when_what_the_one_before_led_to_is_done() -> None:
    """Else its values would take the place of those which that still needs."""
    watched().event("w", "e-1").waits().answer("note").waits("w")


def test_when_the_scope_is_done_meanwhile_no_other_event_is_waited_for() -> None:
    watched().event("w").answer("a").answer("note").waits().sends("b")


def test_an_event_is_taken_once() -> None:
    watched().event("w", "e-1").answer("note").event("w", "e-1").leaves().sends("a").waits("w")


def test_an_event_that_comes_after_the_scope_changes_nothing() -> None:
    saga = watched()
    late = saga.path("w")
    saga.answer("a").event_at(late).leaves(r.Ignored).sends("b")


def test_what_happens_beside_goes_on_when_the_scope_is_completed() -> None:
    saga = watched().event("w").answer("a").sends("note", "b").answer("b").status("RUNNING").answer("note")
    saga.ends("COMPLETED")


def test_a_scope_that_turns_back_waits_no_more() -> None:
    saga = watched((step("a", undo="A"), step("c")), catch={"no": step("d")}).answer("a").refuse("c").waits()
    saga.undoes("A").sends("d").waits()


def test_a_scope_that_comes_to_an_end_block_waits_no_more() -> None:
    watched((step("a"), end())).answer("a").waits().sends("b")


def test_a_scope_out_of_time_waits_no_more() -> None:
    watched(timeout=10, catch={"timeout": step("d")}).at(10).waits().resolve("a", "not-done").sends("d")


def test_what_was_done_beside_is_undone_when_the_saga_turns_back_and_not_when_the_scope_does() -> None:
    saga = watched((step("a", undo="A"), step("c")), catch={"no": step("d")}).event("w").answer("note")
    saga.answer("a").refuse("c").undoes("A").sends("d").refuse("d").undoes("unnote").ends("COMPENSATED", "no")


def test_a_refusal_beside_a_scope_is_not_caught_by_that_scope() -> None:
    saga = watched(then=refuse("no"), catch={"no": step("d")}).event("w").asks("a").resolve("a", "not-done")
    saga.ends("COMPENSATED", "no")


def test_an_end_beside_a_scope_ends_what_the_scope_stands_in() -> None:
    watched(then=end()).event("w").waits().asks("a").resolve("a", "not-done").ends("COMPLETED")


def test_a_function_that_raises_parks_the_scope_before_it_is_entered() -> None:
    saga = Scenario(scope(step("a"), whenever=((wait("w"), ()),))).broken("w").begun()
    saga.parked(scope_1="function").sends().waits().mended("w").retry().sends("a").waits("w")


def test_each_visit_of_a_scope_has_waits_of_its_own() -> None:
    saga = scenario(
        repeat(scope(step("a"), whenever=((wait("w"), step("note")),)), until="enough"),
        holds={"enough": [False, True]},
    )
    saga.event("w", "e-1").answer("a").waits().answer("note").waits("w").sends("a")
    saga.event("w", "e-1").leaves().event("w", "e-2").sends("a", "note")


def test_a_scope_may_watch_for_several_events() -> None:
    both = ((wait("v"), step("x")), (wait("w"), step("y")))
    scenario(scope(step("a"), whenever=both)).waits("v", "w").event("w").sends("a", "y").waits("v").answer(
        "y"
    ).waits("v", "w")


def test_a_scope_within_a_scope_takes_its_own_events_only() -> None:
    inner = scope(step("a"), whenever=((wait("v"), step("x")),))
    saga = scenario(scope((inner, step("c")), whenever=((wait("w"), step("y")),))).waits("v", "w")
    saga.answer("a").waits("w").sends("c")


def test_a_suspended_saga_takes_no_events_and_waits_again_when_it_is_resumed() -> None:
    watched().suspend().waits().event("w").leaves().resume().waits("w").event("w").sends("a", "note")
