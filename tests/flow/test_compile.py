"""What each block becomes: nodes by id, and the flows between them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

from saga import Retry, again, choice, end, parallel, refuse, scope
from saga.flow import Graph
from saga.flow import graph as g

Arrows: TypeAlias = Callable[..., list[str]]
Graphs: TypeAlias = Callable[..., Graph]
DAY = timedelta(days=1)


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


def test_a_scope_with_a_compensation_names_it_and_its_command(graph_of: Graphs) -> None:
    node = graph_of(lambda a, undo_all: scope(a, compensation=undo_all)).nodes["scope-1"]
    assert node == g.Scope(
        id="scope-1", next="end", start="scope-1-start", compensation="undo_all", undo_command="Do/1"
    )


def test_the_compensation_of_a_scope_is_no_node(graph_of: Graphs) -> None:
    assert "undo_all" not in graph_of(lambda a, undo_all: scope(a, compensation=undo_all)).nodes


def test_an_empty_scope_goes_straight_to_its_end(arrows_of: Arrows) -> None:
    assert "scope-1-start -> scope-1-end" in arrows_of(lambda a: (scope(), a))


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


def test_a_graph_survives_being_stored(graph_of: Graphs) -> None:
    retry = Retry(factor=3, jitter=1)
    graph = graph_of(lambda a, is_x, b: scope(a, choice((is_x, b)), catch={"x": ()}), a={"retry": retry})
    read = Graph.from_json(graph.to_json())
    assert read == graph
    assert read.digest() == graph.digest()
    assert read.to_json() == graph.to_json()


def test_the_digest_changes_with_the_flow_and_not_with_the_order_of_methods(graph_of: Graphs) -> None:
    assert graph_of(lambda a, b: (a, b)).digest() == graph_of(lambda b, a: (a, b)).digest()
    assert graph_of(lambda a, b: (a, b)).digest() != graph_of(lambda a, b: (b, a)).digest()
