"""What each block becomes: nodes by id, and the flows between them."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

import msgspec
import pytest

from saga import (
    Retry,
    Saga,
    again,
    call,
    choice,
    compensate,
    each,
    end,
    parallel,
    race,
    refuse,
    repeat,
    scope,
)
from saga.flow import Graph, definition_of
from saga.flow import graph as g
from saga.flow.elements import Element
from saga.flow.parts import parts_of

from .conftest import Placed

Sagas: TypeAlias = Callable[..., type[Saga[Any]]]
Arrows: TypeAlias = Callable[..., list[str]]
Graphs: TypeAlias = Callable[..., Graph]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says."""

    text: str


def scopes(graph: Graph) -> dict[str, str]:
    return {node.id: node.scope for node in graph.nodes.values() if node.scope}


# --- leaves and sequences -------------------------------------------------------------------------


def test_a_single_leaf_stands_between_start_and_end(arrows_of: Arrows) -> None:
    assert arrows_of(lambda a: a) == ["start -> a", "a -> end"]


def test_a_sequence_goes_from_leaf_to_leaf(arrows_of: Arrows) -> None:
    expected = ["start -> a", "a -> until_b", "until_b -> nap_c", "nap_c -> tell_d", "tell_d -> end"]
    assert arrows_of(lambda a, until_b, nap_c, tell_d: (a, until_b, nap_c, tell_d)) == expected


def test_sequences_nest_without_a_trace(arrows_of: Arrows) -> None:
    assert arrows_of(lambda a, b, c: (a, (b, ((), c)))) == arrows_of(lambda a, b, c: (a, b, c))


def test_leaves_become_nodes_of_their_kind(graph_of: Graphs) -> None:
    nodes = graph_of(lambda a, until_b, nap_c, tell_d: (a, until_b, nap_c, tell_d)).nodes
    assert [type(node) for node in nodes.values()] == [g.Start, g.Step, g.Wait, g.Sleep, g.Answer, g.End]
    assert nodes["a"] == g.Step(id="a", next="until_b", command="Do/1")
    assert nodes["until_b"] == g.Wait(id="until_b", next="nap_c", event="Arrived/1")


def test_a_step_carries_its_options(graph_of: Graphs) -> None:
    retry = Retry(attempts=3, first=timedelta(seconds=2), factor=3, max=timedelta(minutes=1), jitter=0)
    node = graph_of(lambda a: a, a={"timeout": DAY, "retry": retry, "undone": True}).nodes["a"]
    assert node == g.Step(
        id="a",
        next="end",
        command="Do/1",
        timeout_ms=86_400_000,
        retry=g.RetryPolicy(attempts=3, first_ms=2_000, factor=3.0, max_ms=60_000, jitter=0.0),
        compensation="undo_a",
        undo_command="Undo/1",
    )


def test_a_step_that_says_nothing_is_retried_as_retry_says(graph_of: Graphs) -> None:
    nodes = graph_of(lambda a, b: (a, b), b={"retry": Retry()}).nodes
    assert nodes["a"].retry == nodes["b"].retry == g.RetryPolicy()


def test_durations_are_rounded_up_to_the_millisecond_so_that_nothing_ends_early(graph_of: Graphs) -> None:
    node = graph_of(lambda a: a, a={"timeout": timedelta(microseconds=1001)}).nodes["a"]
    assert isinstance(node, g.Step)
    assert node.timeout_ms == 2


def test_a_pivot_is_marked(graph_of: Graphs) -> None:
    node = graph_of(lambda a: a, a={"pivot": True}).nodes["a"]
    assert isinstance(node, g.Step)
    assert node.pivot


# --- waits ----------------------------------------------------------------------------------------


def test_a_wait_without_otherwise_has_no_late_flow(graph_of: Graphs) -> None:
    node = graph_of(lambda until_a: until_a, until_a={"within": DAY}).nodes["until_a"]
    assert node == g.Wait(id="until_a", next="end", event="Arrived/1", within_ms=86_400_000)


def test_otherwise_flows_on_behind_the_wait(arrows_of: Arrows) -> None:
    def make(b: Any) -> list[str]:
        return arrows_of(lambda until_a, c: (until_a, c), until_a={"within": DAY, "otherwise": b})

    assert make(()) == ["start -> until_a", "until_a -> c", "until_a -late-> c", "c -> end"]
    assert make(refuse("no", code="late")) == [
        "start -> until_a",
        "until_a -> c",
        "until_a -late-> refuse-1",
        "c -> end",
    ]


# --- choice ---------------------------------------------------------------------------------------


def test_a_choice_leads_to_each_case_and_on(arrows_of: Arrows) -> None:
    assert arrows_of(lambda is_x, is_y, a, b, c, d: (choice((is_x, (a, b)), (is_y, c)), d)) == [
        "start -> choice-1",
        "choice-1 -is_x-> a",
        "choice-1 -is_y-> c",
        "choice-1 -otherwise-> d",
        "a -> b",
        "b -> d",
        "c -> d",
        "d -> end",
    ]


def test_a_choice_may_have_an_otherwise_and_an_empty_case(arrows_of: Arrows) -> None:
    assert arrows_of(lambda is_x, a, b: (choice((is_x, ()), otherwise=a), b)) == [
        "start -> choice-1",
        "choice-1 -is_x-> b",
        "choice-1 -otherwise-> a",
        "a -> b",
        "b -> end",
    ]


# --- parallel -------------------------------------------------------------------------------------


def test_a_parallel_forks_and_joins(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(a: Any, b: Any, c: Any, d: Any) -> object:
        return parallel(a, (b, c)), d

    assert arrows_of(flow) == [
        "start -> parallel-1",
        "parallel-1 -1-> a",
        "parallel-1 -2-> b",
        "a -> parallel-1-join",
        "b -> c",
        "c -> parallel-1-join",
        "parallel-1-join -> d",
        "d -> end",
    ]
    assert graph_of(flow).nodes["parallel-1-join"] == g.Join(id="parallel-1-join", next="d", count=2)


def test_an_empty_branch_leads_to_the_join(graph_of: Graphs) -> None:
    node = graph_of(lambda a: parallel(a, (), ())).nodes["parallel-1"]
    assert node == g.Fork(id="parallel-1", next=("a", "parallel-1-join", "parallel-1-join"))


# --- scopes ---------------------------------------------------------------------------------------


def test_a_scope_has_a_start_and_an_end_of_its_own(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(a: Any, b: Any, c: Any) -> object:
        return scope(a, b, timeout=DAY), c

    assert arrows_of(flow) == [
        "start -> scope-1",
        "scope-1 -in-> scope-1-start",
        "scope-1 -> c",
        "scope-1-start -> a",
        "a -> b",
        "b -> scope-1-end",
        "c -> end",
    ]
    assert scopes(graph_of(flow)) == dict.fromkeys(["scope-1-start", "a", "b", "scope-1-end"], "scope-1")


def test_a_catch_stands_outside_of_its_scope_and_goes_on_behind_it(
    arrows_of: Arrows, graph_of: Graphs
) -> None:
    def flow(a: Any, b: Any, c: Any) -> object:
        return scope(a, catch={"sold-out": b, "timeout": ()}), c

    assert arrows_of(flow) == [
        "start -> scope-1",
        "scope-1 -in-> scope-1-start",
        "scope-1 -> c",
        "scope-1 -sold-out-> b",
        "scope-1 -timeout-> c",
        "scope-1-start -> a",
        "a -> scope-1-end",
        "b -> c",
        "c -> end",
    ]
    assert "b" not in scopes(graph_of(flow))


def test_again_goes_back_to_the_scope_whose_catch_it_stands_in(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(a: Any, b: Any, is_x: Any) -> object:
        loop = again(at_most=2)
        return scope(a, scope(b, catch={"inner": again(at_most=3)}), catch={"outer": choice((is_x, loop))})

    found = arrows_of(flow)
    assert "scope-2 -inner-> again-1" in found
    assert "again-1 -again-> scope-2" in found
    assert "choice-1 -is_x-> again-2" in found
    assert "again-2 -again-> scope-1" in found
    assert graph_of(flow).nodes["again-1"] == g.Again(
        id="again-1", scope="scope-1", target="scope-2", at_most=3
    )
    assert graph_of(flow).nodes["again-2"] == g.Again(id="again-2", target="scope-1", at_most=2)


def test_again_in_the_otherwise_of_a_wait_in_a_catch_goes_back_too(arrows_of: Arrows) -> None:
    found = arrows_of(
        lambda a, until_b: scope(a, catch={"no": until_b}),
        until_b={"within": DAY, "otherwise": again(at_most=1)},
    )
    assert "until_b -late-> again-1" in found
    assert "again-1 -again-> scope-1" in found


def test_again_in_a_way_of_a_race_in_a_catch_goes_back_too(arrows_of: Arrows) -> None:
    def flow(a: Any, until_b: Any, ask_c: Any) -> object:
        ways = race((until_b, again(at_most=1)), (ask_c, ()), after=(DAY, again(at_most=2)))
        return scope(a, catch={"no": ways})

    found = arrows_of(flow)
    assert {"until_b -> again-1", "again-1 -again-> scope-1"} <= set(found)
    assert {"race-1 -late-> again-2", "again-2 -again-> scope-1"} <= set(found)


def test_a_scope_with_a_compensation_names_it_and_its_command(graph_of: Graphs) -> None:
    node = graph_of(lambda a, undo_all: scope(a, compensation=undo_all)).nodes["scope-1"]
    assert node == g.Scope(
        id="scope-1", next="end", start="scope-1-start", compensation="undo_all", undo_command="Do/1"
    )


def test_the_compensation_of_a_scope_is_no_node(graph_of: Graphs) -> None:
    assert "undo_all" not in graph_of(lambda a, undo_all: scope(a, compensation=undo_all)).nodes


def test_an_empty_scope_goes_straight_to_its_end(arrows_of: Arrows) -> None:
    assert "scope-1-start -> scope-1-end" in arrows_of(lambda a: (scope(), a))


# --- what happens beside --------------------------------------------------------------------------


def test_a_reminder_of_a_wait_leads_to_an_end_of_its_own(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(until_a: Any, b: Any, c: Any, d: Any) -> object:
        until_a.every = (DAY, (b, c), 3)
        return until_a, d

    assert arrows_of(flow) == [
        "start -> until_a",
        "until_a -> d",
        "until_a -every-> b",
        "b -> c",
        "c -> until_a-every-end",
        "d -> end",
    ]
    node = graph_of(flow).nodes["until_a"]
    every = g.Every(interval_ms=86_400_000, start="b", at_most=3)
    assert node == g.Wait(id="until_a", next="d", event="Arrived/1", every=every)


def test_what_happens_beside_a_scope_stands_outside_of_it(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(a: Any, until_b: Any, c: Any, until_d: Any, e: Any) -> object:
        return scope(a, every=(DAY, e), whenever=((until_b, c), (until_d, ())))

    assert arrows_of(flow) == [
        "start -> scope-1",
        "scope-1 -in-> scope-1-start",
        "scope-1 -> end",
        "scope-1 -whenever 1-> until_b",
        "scope-1 -whenever 2-> until_d",
        "scope-1 -every-> e",
        "scope-1-start -> a",
        "a -> scope-1-end",
        "until_b -> c",
        "c -> until_b-whenever-end",
        "until_d -> until_d-whenever-end",
        "e -> scope-1-every-end",
    ]
    graph = graph_of(flow)
    assert scopes(graph) == dict.fromkeys(["scope-1-start", "a", "scope-1-end"], "scope-1")
    assert graph.nodes["scope-1"] == g.Scope(
        id="scope-1",
        next="end",
        start="scope-1-start",
        every=g.Every(interval_ms=86_400_000, start="e"),
        whenever=("until_b", "until_d"),
    )


def test_a_scope_may_have_one_whenever_without_a_tuple_around_it(graph_of: Graphs) -> None:
    def flow(a: Any, until_b: Any, c: Any) -> object:
        return scope(a, whenever=(until_b, c))

    node = graph_of(flow).nodes["scope-1"]
    assert isinstance(node, g.Scope)
    assert node.whenever == ("until_b",)


def test_a_scope_may_catch_codes_that_are_called_like_what_happens_beside_it(graph_of: Graphs) -> None:
    def flow(a: Any, until_b: Any, c: Any, d: Any, e: Any) -> object:
        return scope(a, every=(DAY, c), whenever=(until_b, ()), catch={"every": d, "whenever 1": e})

    nodes = graph_of(flow).nodes
    assert {"c", "d", "e", "until_b"} <= set(nodes)


# --- tasks, calls, publications -------------------------------------------------------------------


def test_a_task_knows_what_is_shown_and_what_is_decided(graph_of: Graphs) -> None:
    node = graph_of(lambda ask_a: ask_a, ask_a={"answer": Decision, "within": DAY, "otherwise": ()}).nodes[
        "ask_a"
    ]
    assert node == g.Task(
        id="ask_a", next="end", answer="Decision/1", subject="str", within_ms=86_400_000, late="end"
    )


def test_a_task_that_is_only_to_be_done_has_no_answer(graph_of: Graphs) -> None:
    node = graph_of(lambda ask_a: ask_a).nodes["ask_a"]
    assert node == g.Task(id="ask_a", next="end", answer=None, subject="str")


def test_a_call_names_the_saga_with_its_version_and_is_undone_by_undoing_it(graph_of: Graphs) -> None:
    node = graph_of(lambda run_a: run_a, run_a={"timeout": DAY}).nodes["run_a"]
    assert node == g.Call(
        id="run_a",
        next="end",
        command="Placed/1",
        timeout_ms=86_400_000,
        compensation="run_a",
        saga="Called",
        version=1,
    )


def test_a_publication_names_its_event(graph_of: Graphs) -> None:
    nodes = graph_of(lambda say_a, b: (say_a, b)).nodes
    assert nodes["say_a"] == g.Publish(id="say_a", next="b", event="Arrived/1")


# --- race -----------------------------------------------------------------------------------------


def test_a_race_leads_to_its_leaves_and_each_of_them_to_its_block(
    arrows_of: Arrows, graph_of: Graphs
) -> None:
    def flow(until_a: Any, b: Any, ask_c: Any, nap_d: Any, e: Any, f: Any) -> object:
        return race((until_a, b), (ask_c, ()), (nap_d, e), after=(DAY, refuse("no", code="late"))), f

    assert arrows_of(flow) == [
        "start -> race-1",
        "race-1 -1-> until_a",
        "race-1 -2-> ask_c",
        "race-1 -3-> nap_d",
        "race-1 -late-> refuse-1",
        "until_a -> b",
        "b -> f",
        "ask_c -> f",
        "nap_d -> e",
        "e -> f",
        "f -> end",
    ]
    assert graph_of(flow).nodes["race-1"] == g.Race(
        id="race-1", ways=("until_a", "ask_c", "nap_d"), after_ms=86_400_000, late="refuse-1"
    )


def test_a_race_after_which_nothing_happens_goes_on(graph_of: Graphs) -> None:
    node = graph_of(lambda until_a, b: (race((until_a, ()), after=(DAY, ())), b)).nodes["race-1"]
    assert node == g.Race(id="race-1", ways=("until_a",), after_ms=86_400_000, late="b")


# --- loops ----------------------------------------------------------------------------------------


def test_a_repeat_is_a_scope_that_asks_its_condition(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(a: Any, b: Any, is_x: Any, c: Any) -> object:
        return repeat(a, b, until=is_x, at_most=3), c

    assert arrows_of(flow) == [
        "start -> repeat-1",
        "repeat-1 -in-> repeat-1-start",
        "repeat-1 -> c",
        "repeat-1-start -> a",
        "a -> b",
        "b -> repeat-1-end",
        "c -> end",
    ]
    graph = graph_of(flow)
    assert scopes(graph) == dict.fromkeys(["repeat-1-start", "a", "b", "repeat-1-end"], "repeat-1")
    assert graph.nodes["repeat-1"] == g.Repeat(
        id="repeat-1", next="c", start="repeat-1-start", until="is_x", at_most=3
    )


def test_an_each_is_a_scope_that_knows_its_items(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(all_a: Any, b_each: Any, c: Any) -> object:
        return each(all_a, b_each, concurrency=5), c

    assert arrows_of(flow) == [
        "start -> each-1",
        "each-1 -in-> each-1-start",
        "each-1 -> c",
        "each-1-start -> b_each",
        "b_each -> each-1-end",
        "c -> end",
    ]
    graph = graph_of(flow)
    assert graph.nodes["each-1"] == g.Each(
        id="each-1", next="c", start="each-1-start", items="all_a", concurrency=5
    )
    assert "all_a" not in graph.nodes
    assert graph.types["list[str]"]


# --- compensate -----------------------------------------------------------------------------------


def test_compensate_names_its_target_and_goes_on(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(a: Any, b: Any, c: Any) -> object:
        part = scope(a)
        return part, b, compensate(part), compensate(b), compensate(), c

    options = {name: {"undone": True} for name in "ab"}
    assert arrows_of(flow, **options)[-4:] == [
        "compensate-1 -> compensate-2",
        "compensate-2 -> compensate-3",
        "compensate-3 -> c",
        "c -> end",
    ]
    nodes = graph_of(flow, **options).nodes
    assert nodes["compensate-1"] == g.Compensate(id="compensate-1", next="compensate-2", target="scope-1")
    assert nodes["compensate-2"] == g.Compensate(id="compensate-2", next="compensate-3", target="b")
    assert nodes["compensate-3"] == g.Compensate(id="compensate-3", next="c")


def test_compensate_tells_two_scopes_apart_that_look_alike(graph_of: Graphs) -> None:
    def flow(a: Any, b: Any) -> object:
        first, second = scope(a), scope(b)
        return first, second, compensate(second)

    node = graph_of(flow, a={"undone": True}, b={"undone": True}).nodes["compensate-1"]
    assert isinstance(node, g.Compensate)
    assert node.target == "scope-2"


# --- ends -----------------------------------------------------------------------------------------


def test_refuse_ends_the_flow(arrows_of: Arrows, graph_of: Graphs) -> None:
    def flow(is_x: Any, a: Any) -> object:
        return choice((is_x, refuse("no", code="sorry"))), a

    assert "choice-1 -is_x-> refuse-1" in arrows_of(flow)
    assert graph_of(flow).nodes["refuse-1"] == g.Refuse(id="refuse-1", reason="no", code="sorry")


def test_end_terminates_the_innermost_scope(graph_of: Graphs) -> None:
    nodes = graph_of(
        lambda a, is_x, b, is_y: (scope(a, choice((is_x, end()))), choice((is_y, end())), b)
    ).nodes
    assert nodes["terminate-1"] == g.Terminate(id="terminate-1", scope="scope-1")
    assert nodes["terminate-2"] == g.Terminate(id="terminate-2")


def test_what_no_token_can_reach_is_left_out(graph_of: Graphs) -> None:
    assert list(graph_of(lambda a: (a, refuse("no", code="x"))).nodes) == ["start", "a", "refuse-1"]
    assert "scope-1-end" not in graph_of(lambda a: scope(a, end())).nodes
    branch = refuse("no", code="x")
    assert "parallel-1-join" not in graph_of(lambda a: (a, parallel(branch, branch))).nodes


NO = refuse("no", code="no")


def late(until: Any, otherwise: object) -> Any:
    until.within, until.otherwise = DAY, otherwise
    return until


@pytest.mark.parametrize(
    "part",
    [
        lambda a, until_b, is_x, all_c, d_each: (late(until_b, NO), a),
        lambda a, until_b, is_x, all_c, d_each: (late(until_b, end()), a),
        lambda a, until_b, is_x, all_c, d_each: choice((is_x, NO)),
        lambda a, until_b, is_x, all_c, d_each: choice((is_x, a), otherwise=NO),
        lambda a, until_b, is_x, all_c, d_each: parallel((), scope(NO, catch={"no": ()})),
        lambda a, until_b, is_x, all_c, d_each: race((until_b, NO), after=(DAY, ())),
        lambda a, until_b, is_x, all_c, d_each: race((until_b, ()), after=(DAY, NO)),
        lambda a, until_b, is_x, all_c, d_each: repeat(a, end(), until=is_x, at_most=2),
        lambda a, until_b, is_x, all_c, d_each: each(all_c, d_each, NO),
        lambda a, until_b, is_x, all_c, d_each: scope(end()),
        lambda a, until_b, is_x, all_c, d_each: scope(a, catch={"x": NO}),
        lambda a, until_b, is_x, all_c, d_each: scope(NO, catch={"no": a}),
        lambda a, until_b, is_x, all_c, d_each: scope(a, every=(DAY, NO)),
        lambda a, until_b, is_x, all_c, d_each: scope(a, whenever=(until_b, NO)),
    ],
)
def test_the_flow_goes_on_where_one_way_leads_on(graph_of: Graphs, part: Callable[..., object]) -> None:
    """Nothing behind these is said to be never reached."""

    def flow(a: Any, until_b: Any, is_x: Any, all_c: Any, d_each: Any, z: Any) -> object:
        made = part(a, until_b, is_x, all_c, d_each)
        rest = [each for each in (a, until_b) if each not in leaves_in(made)]
        items = () if all_c in leaves_in(made) else each(all_c, d_each)
        return (made, z, *rest, items)

    assert "z" in graph_of(flow).nodes


def leaves_in(block: object) -> set[object]:
    return {part.block for part in parts_of(block).walk() if isinstance(part.block, Element)}


# --- names ----------------------------------------------------------------------------------------


def test_blocks_are_numbered_by_kind_in_reading_order(graph_of: Graphs) -> None:
    def flow(is_a: Any, is_b: Any, is_c: Any, is_d: Any, x: Any) -> object:
        return (
            choice((is_a, choice((is_b, refuse("1", code="first"))))),
            scope(
                choice((is_c, refuse("2", code="second"))),
                catch={"no": (choice((is_d, refuse("3", code="third"))), refuse("4", code="fourth"))},
            ),
            x,
        )

    nodes = graph_of(flow).nodes
    codes = {node.id: node.code for node in nodes.values() if isinstance(node, g.Refuse)}
    assert codes == {"refuse-1": "first", "refuse-2": "second", "refuse-3": "third", "refuse-4": "fourth"}
    asked = {node.id: node.cases[0][0] for node in nodes.values() if isinstance(node, g.Choice)}
    assert asked == {"choice-1": "is_a", "choice-2": "is_b", "choice-3": "is_c", "choice-4": "is_d"}


def test_nodes_are_kept_in_reading_order(graph_of: Graphs) -> None:
    def flow(a: Any, b: Any, c: Any, d: Any, is_x: Any) -> object:
        return scope(a, parallel(b, choice((is_x, c))), catch={"no": d})

    assert list(graph_of(flow).nodes) == [
        "start",
        "scope-1",
        "scope-1-start",
        "a",
        "parallel-1",
        "b",
        "choice-1",
        "c",
        "parallel-1-join",
        "scope-1-end",
        "d",
        "end",
    ]


def test_the_same_block_in_two_places_is_two_nodes(graph_of: Graphs) -> None:
    no = refuse("no", code="no")
    nodes = graph_of(lambda is_x, is_y, a: (choice((is_x, no), (is_y, no)), a)).nodes
    assert {"refuse-1", "refuse-2"} <= set(nodes)


# --- the graph as a whole -------------------------------------------------------------------------


def everything(
    a: Any,
    until_b: Any,
    b_reminder: Any,
    ask_c: Any,
    nap_d: Any,
    say_e: Any,
    run_f: Any,
    all_g: Any,
    h_each: Any,
    is_x: Any,
    i: Any,
    until_j: Any,
    until_k: Any,
    ask_l: Any,
    m: Any,
    undo_all: Any,
    tell: Any,
) -> object:
    """A flow with every element of the language."""
    until_b.within, until_b.otherwise, until_b.every = DAY, (), (DAY, b_reminder, 2)
    ask_c.within, ask_c.otherwise, ask_c.every = DAY, (), (DAY, refuse("no", code="c"))
    part = scope(
        a,
        until_b,
        ask_c,
        timeout=DAY,
        catch={"no": again(at_most=2)},
        compensation=undo_all,
        every=(DAY, refuse("no", code="a"), 3),
        whenever=(until_j, i),
    )
    return (
        part,
        parallel(nap_d, (say_e, run_f)),
        each(all_g, h_each, concurrency=2),
        choice((is_x, compensate(part)), otherwise=end()),
        race((until_k, ()), (ask_l, compensate()), after=(DAY, refuse("no", code="l"))),
        repeat(m, until=is_x, at_most=4),
        tell,
    )


RETRY = Retry(attempts=3, first=timedelta(seconds=2), factor=3, max=timedelta(minutes=1), jitter=0)
OPTIONS: dict[str, Any] = {
    "a": {"undone": True, "timeout": DAY, "retry": RETRY},
    "ask_c": {"answer": Decision},
    "ask_l": {"answer": bool},
    "class_line": {"version": 3, "deadline": DAY, "name": "Everything"},
}


def test_every_kind_of_node_is_made(graph_of: Graphs) -> None:
    nodes = graph_of(everything, **OPTIONS).nodes.values()
    assert {type(node) for node in nodes} == set(typing.get_args(g.Node))


def test_what_is_no_graph_is_refused() -> None:
    for data in (b"[]", b"{", b'{"nodes":' + b"[" * 100_000):
        with pytest.raises(msgspec.DecodeError, match=r".+"):
            Graph.from_json(data)


def test_a_graph_survives_being_stored(graph_of: Graphs) -> None:
    graph = graph_of(everything, **OPTIONS)
    read = Graph.from_json(graph.to_json())
    assert read == graph
    assert read.digest() == graph.digest()
    assert read.to_json() == graph.to_json()


def test_the_digest_changes_with_the_flow_and_not_with_the_order_of_methods(graph_of: Graphs) -> None:
    assert graph_of(lambda a, b: (a, b)).digest() == graph_of(lambda b, a: (a, b)).digest()
    assert graph_of(lambda a, b: (a, b)).digest() != graph_of(lambda a, b: (b, a)).digest()


def changed(value: Any) -> Any:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case None:
            return "x"
        case tuple():
            return value[1:] or ("x",)
        case dict():
            return {**value, "x": "x"}
        case _:
            first = value.__struct_fields__[0]
            return msgspec.structs.replace(value, **{first: changed(getattr(value, first))})


def test_the_digest_changes_with_everything_but_docstrings(graph_of: Graphs) -> None:
    """Every field of the graph, and every field of every node."""
    graph = graph_of(everything, **OPTIONS)
    digests = {graph.digest()}
    expected = 1
    for field in graph.__struct_fields__:
        if field != "nodes":
            other = msgspec.structs.replace(graph, **{field: changed(getattr(graph, field))})
            digests.add(other.digest())
            expected += field != "doc"
    for id, node in graph.nodes.items():
        for field in node.__struct_fields__:
            other_node = msgspec.structs.replace(node, **{field: changed(getattr(node, field))})
            digests.add(msgspec.structs.replace(graph, nodes={**graph.nodes, id: other_node}).digest())
            expected += field != "doc"
    assert len(digests) == expected


def test_types_have_the_fingerprints_of_all_that_is_stored(graph_of: Graphs) -> None:
    """What is shown and decided, what items are listed, what a called saga is given and answers."""
    graph = graph_of(everything, **OPTIONS)
    named = {"Arrived/1", "Decision/1", "Do/1", "Placed/1", "Undo/1", "bool", "list[str]", "str"}
    assert set(graph.types) == named
    assert all(graph.types.values())


def test_a_called_saga_is_pinned_by_name_and_version_only(saga_of: Sagas) -> None:
    """It has instances of its own, which are pinned to its own graph: so it may change as any saga may."""

    def caller(of: type[Saga[Any]]) -> Graph:
        @call(of)
        def run(self: Any) -> Placed: ...

        flow = types.new_class("Caller", (Saga[Placed],), {}, lambda body: body.update(run=run, flow=run))
        return definition_of(flow).graph

    one = saga_of(lambda a, b: (a, b), class_line={"name": "Part"})
    other = saga_of(lambda a, b: (b, a), class_line={"name": "Part"})
    newer = saga_of(lambda a, b: (a, b), class_line={"name": "Part", "version": 2})
    assert caller(one).digest() == caller(other).digest()
    assert caller(one).digest() != caller(newer).digest()
