"""Repeats: a block goes round until a condition holds (loop activity). Each round is a scope of its own."""

from __future__ import annotations

import pytest

from reliability.model.graphs import answer, choice, each, end, parallel, refuse, repeat, scope, step, wait
from saga.machine import advancing
from saga.machine import records as r

from .scenario import Scenario, scenario


def rounds(*until: bool, at_most: int = 5) -> Scenario:
    return scenario(
        repeat(step("a", undo="A"), until="enough", at_most=at_most), step("b"), holds={"enough": list(until)}
    )


def test_a_repeat_ends_when_its_condition_holds_which_is_asked_after_each_round() -> None:
    rounds(False, False, True).answer("a").sends("a").answer("a").sends("a").answer("a").sends("b")


def test_the_first_round_comes_before_the_condition_is_asked() -> None:
    rounds(True).sends("a").answer("a").sends("b")


def test_a_repeat_goes_round_at_most_so_often_and_then_goes_on() -> None:
    saga = rounds(False, at_most=2).answer("a").sends("a").answer("a").sends("b")
    assert saga.author.holds == {"enough": []}, "it is asked only when it matters"


def test_each_round_has_ids_of_its_own_and_says_which_one_it_is() -> None:
    saga = rounds(False, True).answer("a")
    assert saga.path("a") == "repeat-1.2/a.1"
    assert r.ScopeEntered("repeat-1.2", "repeat-1", "", round=2) in saga.last


def test_all_rounds_are_undone_in_reverse_when_the_saga_turns_back() -> None:
    saga = rounds(False, True).answer("a", 1).answer("a", 2).refuse("b").sends("A")
    assert saga.author.seen["A"].path == "repeat-1.2/a.1"
    saga.answer("A").sends("A")
    assert saga.author.seen["A"].path == "repeat-1.1/a.1"
    saga.answer("A").ends("COMPENSATED", "no")


def test_a_refusal_in_a_round_leaves_the_repeat_and_undoes_the_rounds_before() -> None:
    rounds(False, False).answer("a").refuse("a").undoes("A").ends("COMPENSATED", "no")


def test_a_refusal_is_caught_around_the_repeat() -> None:
    saga = scenario(
        scope(repeat((step("a", undo="A"), step("b")), until="enough"), catch={"no": step("c")}),
        holds={"enough": False},
    )
    saga.answer("a").answer("b").answer("a").refuse("b").undoes("A", "A").sends("c")


def test_a_refusal_that_is_caught_in_a_round_goes_on_with_the_next_one() -> None:
    saga = scenario(
        repeat(scope((step("a", undo="A"), step("b")), catch={"no": ()}), until="enough"),
        holds={"enough": [False, True]},
    )
    saga.answer("a").refuse("b").undoes("A").sends("a").answer("a").answer("b").ends("COMPLETED")


def test_an_end_in_a_round_ends_the_round_only() -> None:
    saga = scenario(
        repeat((step("a"), choice((("stop", end()),), step("b"))), until="enough"),
        step("c"),
        holds={"stop": [True, False], "enough": [False, True]},
    )
    saga.answer("a").sends("a").answer("a").sends("b").answer("b").sends("c")


def test_what_is_open_in_a_round_that_ends_is_resolved_before_the_next_one_begins() -> None:
    saga = scenario(
        repeat(parallel(step("a", undo="A"), (step("b"), end())), until="enough"),
        holds={"enough": [False, True]},
    )
    saga.answer("b").asks("a").sends().resolve("a", "done").undoes("A").sends("a", "b")


def test_a_refuse_block_in_a_round_turns_back() -> None:
    saga = scenario(repeat((step("a", undo="A"), refuse("sold-out")), until="enough")).answer("a")
    saga.undoes("A").ends("COMPENSATED", "sold-out")


def test_a_condition_that_raises_parks_the_round_and_a_retry_asks_it_again() -> None:
    saga = scenario(repeat(step("a"), until="enough"), step("b"), holds={"enough": True}).broken("enough")
    saga.answer("a").parked(repeat_1="function").impossible(saga.skip, "no way around repeat-1")
    saga.mended("enough").retry().sends("b")


def test_a_condition_that_raises_in_a_round_that_was_ended_is_asked_again_too() -> None:
    saga = scenario(repeat((step("a"), end()), until="enough"), step("b"), holds={"enough": True})
    saga.broken("enough").answer("a").parked(repeat_1="function").mended("enough").retry().sends("b")


def test_a_saga_whose_round_is_parked_can_be_cancelled() -> None:
    saga = scenario(repeat(step("a", undo="A"), until="enough")).broken("enough").answer("a")
    saga.cancel().undoes("A").ends("COMPENSATED", "cancelled")


def test_repeats_nest() -> None:
    saga = scenario(
        repeat(repeat(step("a"), until="inner"), until="outer"),
        holds={"inner": [False, True, True], "outer": [False, True]},
    )
    saga.answer("a").answer("a").answer("a").ends("COMPLETED")
    assert saga.sent_order() == ["a", "a", "a"]
    assert r.ScopeLeft("repeat-1.2/repeat-2.1") in saga.last


def test_a_leaf_has_the_value_of_its_latest_round() -> None:
    rounds(False, True).answer("a", 1).knows(a=1).answer("a", 2).knows(a=2)


def test_a_round_without_anything_to_wait_for_is_not_gone_through_for_ever() -> None:
    saga = scenario(repeat(answer("x"), until="enough", at_most=100_000), holds={"enough": False})
    assert [incident.reason for incident in saga.pending.incidents.values()] == [
        "it goes round and round without ever waiting"
    ]


def test_an_each_in_it_does_not_make_an_endless_loop_a_long_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advancing, "MOST_ITEMS", 100)
    flow = repeat(each("things", answer("x")), until="enough", at_most=100_000)
    saga = scenario(flow, holds={"enough": False}, lists={"things": [1, 2]})
    assert [incident.reason for incident in saga.pending.incidents.values()] == [
        "it goes round and round without ever waiting"
    ]


def test_a_repeat_that_is_come_to_again_counts_anew() -> None:
    saga = scenario(
        repeat(repeat(wait("w"), until="inner", at_most=2), until="outer"),
        holds={"inner": False, "outer": [False, True]},
    )
    for number in range(3):
        saga.event("w", f"event-{number}").waits("w")
    saga.event("w", "event-3").ends("COMPLETED")
