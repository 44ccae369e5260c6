"""The rules of the pivot, on flows as they are written and on graphs as such."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from saga import DefinitionError, Saga, again, choice, end, parallel, refuse, scope
from saga.flow import graph as g
from saga.flow.pivot import pivot_problems

Sagas: TypeAlias = Callable[..., type[Saga[Any]]]
DAY = timedelta(days=1)
PIVOT: dict[str, Any] = {"pivot": True}
UNDONE: dict[str, Any] = {"undone": True}


@pytest.fixture
def problems_of(saga_of: Sagas) -> Callable[..., list[tuple[str, str]]]:
    """Return a function that makes a saga, of which step `p` is a pivot, and returns element and problem."""

    def make(flow: Callable[..., object], **options: dict[str, Any]) -> list[tuple[str, str]]:
        try:
            saga_of(flow, p=PIVOT, **options)
        except DefinitionError as error:
            return [(problem.element, problem.what) for problem in error.problems]
        return []

    return make


Problems: TypeAlias = Callable[..., list[tuple[str, str]]]


# --- where a pivot may stand ----------------------------------------------------------------------


def test_a_pivot_among_steps_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda a, p, b: (a, p, b), a=UNDONE) == []


def test_a_pivot_in_a_plain_scope_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda a, p, b: (scope(a, p), b)) == []


def test_a_pivot_in_a_catch_block_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda a, p: scope(a, catch={"no": p})) == []


def test_a_pivot_in_one_way_of_a_choice_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda is_x, a, p, b: (choice((is_x, p), otherwise=a), b), a=UNDONE, b=UNDONE) == []


def test_a_pivot_before_or_behind_a_parallel_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda a, b, p, c, d: (parallel(a, b), p, parallel(c, d))) == []


def test_a_pivot_has_no_compensation(saga_of: Sagas) -> None:
    with pytest.raises(
        DefinitionError, match=r"p: is a pivot and has a compensation \(undo_p\); there is no way"
    ):
        saga_of(lambda p: p, p=PIVOT | UNDONE)


@pytest.mark.parametrize(
    "flow",
    [
        lambda p, a: parallel(a, p),
        lambda a, b, p: parallel(a, (b, p)),
        lambda a, p, b: parallel(a, scope(p, b)),
        lambda a, is_x, p: parallel(a, choice((is_x, p))),
        lambda a, b, c, p: parallel((parallel(a, b), p), c),
        lambda a, b, c, d, p: scope(a, catch={"no": (parallel((parallel(b, c), p), d), again(at_most=1))}),
    ],
    ids=["alone", "behind a step", "in a scope", "in a choice", "behind an inner parallel", "in a loop"],
)
def test_a_pivot_is_not_in_a_parallel(problems_of: Problems, flow: Callable[..., object]) -> None:
    assert ("p", "is a pivot in a parallel, whose other branches may fail after it") in problems_of(flow)


def test_a_pivot_in_a_loop_with_a_parallel_before_it_is_not_in_the_parallel(problems_of: Problems) -> None:
    """The way back from the pivot leads through the fork, but not to inside of it."""
    found = problems_of(lambda a, b, c, p: scope(a, catch={"no": (parallel(b, c), p, again(at_most=1))}))
    assert found == [("p", "is a pivot and is reached again from itself")]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"timeout": DAY, "catch": {"timeout": ()}}, "a catch and a timeout"),
        ({"catch": {"no": ()}}, "a catch"),
    ],
)
def test_a_pivot_is_not_in_a_scope_that_may_be_undone(
    problems_of: Problems, options: dict[str, Any], what: str
) -> None:
    expected = [("p", f"is a pivot in scope-1, which has {what} and so may be undone after it")]
    assert problems_of(lambda p: scope(p, **options)) == expected
    assert problems_of(lambda p: scope(scope(p), **options)) == expected


def test_a_pivot_is_not_in_a_scope_with_a_timeout(problems_of: Problems) -> None:
    expected = [("p", "is a pivot in scope-1, which has a timeout and so may be undone after it")]
    assert problems_of(lambda p: scope(p, timeout=DAY)) == expected


def test_a_pivot_is_not_in_a_scope_with_a_compensation(problems_of: Problems) -> None:
    expected = [("p", "is a pivot in scope-1, which has a compensation and so may be undone after it")]
    assert problems_of(lambda p, undo_all: scope(p, compensation=undo_all)) == expected


# --- a second pivot -------------------------------------------------------------------------------


def test_no_pivot_leads_to_another_one(problems_of: Problems) -> None:
    expected = [("q", "is a second pivot, behind the pivot p")]
    assert problems_of(lambda p, a, q: (p, a, q), q=PIVOT) == expected
    assert problems_of(lambda p, a, q: (scope(a, p), scope(q)), q=PIVOT) == expected


def test_two_ways_may_have_a_pivot_each(problems_of: Problems) -> None:
    assert problems_of(lambda is_x, p, q: choice((is_x, p), otherwise=q), q=PIVOT) == []


def test_no_pivot_leads_back_to_itself(problems_of: Problems) -> None:
    found = problems_of(lambda a, p: scope(a, catch={"no": (p, again(at_most=3))}))
    assert found == [("p", "is a pivot and is reached again from itself")]


# --- what stands behind it ------------------------------------------------------------------------


def test_a_refuse_behind_a_pivot_must_be_caught(problems_of: Problems) -> None:
    what = "refuses with code 'no' behind the pivot p, and nothing catches it"
    no = refuse("no", code="no")
    assert problems_of(lambda p, is_x: (p, choice((is_x, no)))) == [("refuse-1", what)]
    assert problems_of(lambda p, is_x: (p, scope(choice((is_x, no)), catch={"other": ()}))) == [
        ("refuse-1", what)
    ]
    assert problems_of(lambda p, is_x: (p, scope(scope(choice((is_x, no))), catch={"no": ()}))) == []


def test_a_refuse_before_a_pivot_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda is_x, p: (choice((is_x, refuse("no", code="no"))), p)) == []


def test_a_refuse_in_a_catch_block_is_not_caught_by_its_scope(problems_of: Problems) -> None:
    no = refuse("no", code="no")
    found = problems_of(lambda p, a: (p, scope(a, catch={"no": no})))
    assert [element for element, _ in found] == ["refuse-1"]


def test_a_catch_that_goes_again_behind_a_pivot_does_not_catch_for_good(problems_of: Problems) -> None:
    """What it caught goes on when the `again` is used up, and then the saga would be parked."""
    no = refuse("no", code="no")
    what = "refuses with code 'no' behind the pivot p, and nothing catches it when the again of scope-1 is used up"
    inner: Callable[..., Any] = lambda is_x, *catch: scope(choice((is_x, no)), catch={"no": catch})
    assert problems_of(lambda p, is_x: (p, inner(is_x, again(at_most=3)))) == [("refuse-1", what)]
    assert problems_of(lambda p, is_x, a: (p, inner(is_x, a, again(at_most=3)))) == [("refuse-1", what)]
    assert problems_of(lambda p, is_x, is_y: (p, inner(is_x, choice((is_y, again(at_most=3)))))) == [
        ("refuse-1", what)
    ]


def test_what_goes_on_after_the_last_again_behind_a_pivot_may_be_caught_further_out(
    problems_of: Problems,
) -> None:
    no = refuse("no", code="no")
    inner: Callable[..., Any] = lambda is_x: scope(choice((is_x, no)), catch={"no": again(at_most=3)})
    assert problems_of(lambda p, is_x: (p, scope(inner(is_x), catch={"no": ()}))) == []
    outer = problems_of(lambda p, is_x: (p, scope(inner(is_x), catch={"no": again(at_most=2)})))
    assert [element for element, _ in outer] == ["refuse-1"]
    other = problems_of(lambda p, is_x: (p, scope(inner(is_x), catch={"other": ()})))
    assert [element for element, _ in other] == ["refuse-1"]


def test_time_that_runs_out_again_and_again_behind_a_pivot_is_not_caught_for_good(
    problems_of: Problems,
) -> None:
    within: dict[str, Any] = {"within": DAY}
    catch: dict[str, Any] = {"timeout": again(at_most=3)}
    rest = "and nothing catches it when the again of scope-1 is used up"
    assert problems_of(lambda p, until_a: (p, scope(until_a, catch=catch)), until_a=within) == [
        ("until_a", f"may be late behind the pivot p, {rest}")
    ]
    assert problems_of(lambda p, a: (p, scope(a, timeout=DAY, catch=catch))) == [
        ("scope-1", f"has a timeout behind the pivot p, {rest}")
    ]


def test_a_late_wait_behind_a_pivot_must_have_somewhere_to_go(problems_of: Problems) -> None:
    within: dict[str, Any] = {"within": DAY}
    what = "may be late behind the pivot p, and nothing catches it"
    assert problems_of(lambda p, until_a: (p, until_a), until_a=within) == [("until_a", what)]
    assert problems_of(lambda p, until_a: (p, until_a)) == []
    assert problems_of(lambda p, until_a: (p, until_a), until_a={**within, "otherwise": ()}) == []
    assert problems_of(lambda p, until_a: (p, scope(until_a, catch={"timeout": ()})), until_a=within) == []


def test_the_timeout_of_a_scope_behind_a_pivot_must_be_caught(problems_of: Problems) -> None:
    what = "has a timeout behind the pivot p, and nothing catches it"
    assert problems_of(lambda p, a: (p, scope(a, timeout=DAY))) == [("scope-1", what)]
    assert problems_of(lambda p, a: (p, scope(a, timeout=DAY, catch={"timeout": ()}))) == []
    assert problems_of(lambda p, a: (p, scope(scope(a, timeout=DAY), catch={"timeout": ()}))) == []


def test_the_timeout_of_a_step_behind_a_pivot_is_fine(problems_of: Problems) -> None:
    """It parks the saga, as any technical failure there does."""
    assert problems_of(lambda p, a: (p, a), a={"timeout": DAY}) == []


def test_a_compensation_behind_a_pivot_never_runs(problems_of: Problems) -> None:
    what = "has a compensation that never runs, since it stands behind the pivot p"
    assert problems_of(lambda p, a: (p, a), a=UNDONE) == [("a", what)]
    assert problems_of(lambda p, a: (p, scope(a)), a=UNDONE) == [("a", what)]
    assert problems_of(lambda p, a, undo_all: (p, scope(a, compensation=undo_all))) == [("scope-1", what)]


def test_a_compensation_behind_a_pivot_is_harmless_where_it_may_run(problems_of: Problems) -> None:
    assert problems_of(lambda p, a: (p, scope(a, catch={"no": ()})), a=UNDONE) == []
    assert problems_of(lambda p, a: (p, scope(scope(a), catch={"no": ()})), a=UNDONE) == []


def test_a_compensation_that_is_also_reached_around_the_pivot_is_fine(problems_of: Problems) -> None:
    assert problems_of(lambda is_x, p, a: (choice((is_x, p)), a), a=UNDONE) == []


def test_a_compensation_behind_a_pivot_runs_when_a_branch_is_open_at_the_end(problems_of: Problems) -> None:
    assert problems_of(lambda p, a, is_x, b: (p, parallel(a, (choice((is_x, end())), b))), a=UNDONE) == []


# --- graphs ---------------------------------------------------------------------------------------


def test_the_rules_hold_for_any_graph() -> None:
    """Two branches that never join, as BPMN allows: everything behind the fork is in parallel."""
    nodes = [
        g.Start(id="start", next="fork"),
        g.Fork(id="fork", next=("a", "p")),
        g.Step(id="a", next="end", command="Do/1"),
        g.Step(id="p", next="b", command="Do/1", pivot=True),
        g.Step(id="b", next="p", command="Do/1"),
        g.End(id="end"),
    ]
    graph = g.Graph(name="x", version=1, input="I/1", start="start", nodes={node.id: node for node in nodes})
    assert [problem.what for problem in pivot_problems(graph)] == [
        "is a pivot in a parallel, whose other branches may fail after it",
        "is a pivot and is reached again from itself",
    ]
