"""Each: a block for every item (multi-instance activity), some of them at once. Each item is a scope of its own."""

from __future__ import annotations

import pytest

from reliability.model.graphs import (
    Blocks,
    answer,
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
from saga.machine import records as r

from .scenario import Scenario, raw, scenario

GUESTS = {"guests": ["ann", "bob", "cem"]}


def guests(*body: Blocks, concurrency: int = 1, **options: object) -> Scenario:
    return scenario(each("guests", body, concurrency), step("z"), lists=GUESTS, **options)


def items_of(saga: Scenario, undo: str) -> object:
    done = saga.author.seen[undo]
    return done.item and bytes(done.item)


# --- items ------------------------------------------------------------------------------------------


def test_items_go_through_the_block_one_after_the_other_in_their_order() -> None:
    saga = guests(step("a")).sends("a").answer("a").sends("a").answer("a").sends("a").answer("a").sends("z")
    assert saga.author.items_seen["a"] == ["ann", "bob", "cem"]


def test_each_item_has_ids_of_its_own() -> None:
    saga = guests(step("a")).answer("a")
    assert saga.path("a") == "each-1.1/item.2/a.1"
    assert r.ItemBegun("each-1.1/item.2", "each-1", "each-1.1", 1) in saga.last


def test_with_a_concurrency_of_two_two_items_are_under_way_at_once() -> None:
    saga = guests(step("a"), concurrency=2).sends("a", "a")
    saga.answer_at("each-1.1/item.2/a.1").sends("a", "a")
    saga.answer_at("each-1.1/item.1/a.1").sends("a").answer_at("each-1.1/item.3/a.1").sends("z")


def test_with_a_concurrency_above_the_number_of_items_all_are_under_way() -> None:
    guests(step("a"), concurrency=9).sends("a", "a", "a")


def test_without_items_the_flow_goes_on_at_once() -> None:
    scenario(each("guests", step("a")), step("z"), lists={"guests": []}).sends("z").knows(guests=[])


def test_a_function_that_lists_no_items_parks_the_each_and_a_retry_calls_it_again() -> None:
    saga = Scenario(each("guests", step("a")), lists=GUESTS).broken("guests").begun()
    saga.parked(each_1="function").mended("guests").retry().sends("a")


def test_an_each_whose_items_cannot_be_listed_can_be_skipped() -> None:
    saga = Scenario(each("guests", step("a")), step("z"), lists=GUESTS).broken("guests").begun()
    saga.skip().sends("z")


def test_the_items_are_journaled_so_that_they_are_not_listed_again() -> None:
    saga = guests(step("a"))
    begun = [record for record in saga.last if isinstance(record, r.EachBegun)]
    assert [bytes(item) for item in begun[0].items] == [b'"ann"', b'"bob"', b'"cem"']


def test_thousands_of_items_are_gone_through_though_none_of_them_waits() -> None:
    saga = scenario(each("guests", answer("x")), step("z"), lists={"guests": list(range(4000))}).sends("z")
    assert len(saga.last) > 12_000


def test_an_end_ends_its_item_only() -> None:
    saga = guests(step("a"), choice((("stop", end()),), step("b")), holds={"stop": [True, False, True]})
    saga.answer("a").sends("a").answer("a").sends("b").answer("b").answer("a").sends("z")


# --- what is known ----------------------------------------------------------------------------------


def test_an_item_sees_its_own_values_and_those_from_before_it_began() -> None:
    saga = guests(step("a", undo="A"), step("b", undo="B"), step("c")).answer("a", 1).answer("b", 2)
    saga.answer("c").answer("a", 3).answer("b", 4).refuse("c").sends("B")
    assert {name: bytes(value) for name, value in saga.author.seen["B"].values.items()} == {
        "guests": b'["ann","bob","cem"]',
        "a": b"3",
        "b": b"4",
    }


def test_the_values_of_all_items_are_known_when_the_each_is_completed_by_index() -> None:
    saga = guests(step("a"), concurrency=3)
    for number in (2, 0, 1):
        saga.answer_at(f"each-1.1/item.{number + 1}/a.1", number)
    saga.knows(guests=["ann", "bob", "cem"], a={"0": 0, "1": 1, "2": 2})


def test_an_item_whose_way_did_not_lead_to_a_leaf_has_no_value_of_it() -> None:
    saga = guests(choice((("some", step("a")),)), holds={"some": [True, False, True]})
    saga.answer("a", 1).answer("a", 3).knows(guests=["ann", "bob", "cem"], a={"0": 1, "2": 3})


def test_nested_ones_are_known_by_the_outer_index_first() -> None:
    lists = {"tables": [1, 2], "seats": ["l", "r"]}
    saga = scenario(each("tables", each("seats", step("a"))), lists=lists)
    for value in range(4):
        saga.answer("a", value)
    values = {"0": {"0": 0, "1": 1}, "1": {"0": 2, "1": 3}}
    saga.knows(tables=[1, 2], seats={"0": ["l", "r"], "1": ["l", "r"]}, a=values).ends("COMPLETED")


def test_an_each_that_begins_anew_forgets_what_it_had_collected() -> None:
    """It may have fewer items, or not lead to the same leaves: else values would go with the wrong items."""
    saga = scenario(
        repeat(each("guests", choice((("some", step("a")),))), until="enough"),
        lists={"guests": [1]},
        holds={"some": [True, False], "enough": [False, True]},
    )
    saga.answer("a", 7).knows(guests=[1]).ends("COMPLETED")


# --- turning back -----------------------------------------------------------------------------------


def test_what_was_done_for_all_items_is_undone_in_reverse_once_each_with_its_item() -> None:
    saga = guests(step("a", undo="A")).answer("a").answer("a").answer("a").refuse("z")
    for item in (b'"cem"', b'"bob"', b'"ann"'):
        saga.sends("A")
        assert items_of(saga, "A") == item
        saga.answer("A")
    saga.ends("COMPENSATED", "no")


def test_a_refusal_of_one_item_resolves_the_others_and_leaves_the_each() -> None:
    saga = guests(step("a", undo="A"), concurrency=3).refuse_at("each-1.1/item.2/a.1").asks("a", "a")
    saga.resolve_at("each-1.1/item.1/a.1", "done").resolve_at("each-1.1/item.3/a.1", "not-done")
    saga.undoes("A").ends("COMPENSATED", "no")
    assert items_of(saga, "A") == b'"ann"'


def test_what_is_found_done_of_a_given_up_item_is_undone_with_its_item_and_values() -> None:
    saga = guests(step("a", undo="A"), step("b", undo="B"), concurrency=2)
    saga.answer_at("each-1.1/item.1/a.1", 1).refuse_at("each-1.1/item.2/a.1").asks("b").resolve(
        "b", "done", 2
    )
    saga.sends("B")
    assert items_of(saga, "B") == b'"ann"'
    assert bytes(saga.author.seen["B"].values["a"]) == b"1"


def test_a_refusal_that_is_caught_for_an_item_disturbs_no_other_item() -> None:
    saga = guests(scope((step("a", undo="A"), step("b")), catch={"no": step("c")}))
    saga.answer("a").refuse("b").undoes("A").sends("c").answer("c").sends("a")


def test_an_each_is_undone_as_a_whole_only_when_all_items_are_completed() -> None:
    """BPMN: a multi-instance activity is compensated when all its instances did complete; before, each for itself."""
    saga = scenario(scope(each("guests", step("a", undo="A")), undo="U"), step("z"), lists=GUESTS)
    saga.answer("a").refuse("a").undoes("A").ends("COMPENSATED", "no")
    saga = scenario(scope(each("guests", step("a", undo="A")), undo="U"), step("z"), lists=GUESTS)
    saga.answer("a").answer("a").answer("a").refuse("z").undoes("U").ends("COMPENSATED", "no")


def test_an_end_around_the_each_ends_all_items() -> None:
    saga = scenario(parallel(each("guests", wait("w"), 3), (step("b"), end())), lists=GUESTS)
    saga.waits("w", "w", "w").answer("b").waits().ends("COMPLETED")


def test_a_compensation_in_an_item_undoes_what_was_done_for_this_item() -> None:
    saga = guests(
        step("a", undo="A"), choice((("back", compensate()),)), holds={"back": [False, True, False]}
    )
    saga.answer("a").answer("a").sends("A")
    assert items_of(saga, "A") == b'"bob"'
    saga.answer("A").sends("a").answer("a").sends("z").refuse("z").undoes("A", "A").ends("COMPENSATED", "no")


def test_an_item_that_is_parked_holds_up_its_each_but_not_the_other_items() -> None:
    saga = guests(step("a"), concurrency=2).broken("a").answer_at("each-1.1/item.1/a.1")
    saga.parked(a="function").sends("a").answer_at("each-1.1/item.2/a.1").sends()
    saga.mended("a").retry().answer("a").sends("z")


@pytest.mark.parametrize("concurrency", [1, 2, 3])
def test_an_each_within_an_each_has_its_own_concurrency(concurrency: int) -> None:
    lists = {"tables": [1, 2], "seats": ["l", "r", "m"]}
    saga = scenario(each("tables", each("seats", step("a"), concurrency), 2), lists=lists)
    assert len(saga.pending.commands) == 2 * concurrency


def test_a_condition_is_asked_about_the_item_it_stands_in() -> None:
    flow = each("things", choice((("holds", step("a")),)))
    saga = scenario(flow, holds={"holds": [True, False]}, lists={"things": ["x", "y"]}).sends("a").answer("a")
    assert saga.author.items_seen["holds"] == ["x", "y"]
    saga.ends("COMPLETED")


def test_a_scope_that_is_undone_as_a_whole_is_undone_for_its_item() -> None:
    flow = (each("things", scope(step("a"), undo="U")), step("b"))
    saga = scenario(*flow, lists={"things": ["x", "y"]}).answer("a").answer("a").refuse("b").sends("U")
    assert saga.author.seen["U"].item == raw("y")
    saga.answer("U").sends("U")
    assert saga.author.seen["U"].item == raw("x")
    saga.answer("U").ends("COMPENSATED", "no")
