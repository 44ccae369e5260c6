"""The rules of the pivot: once a pivot step is done there is no way back, so nothing behind it may need one.

Rules
1. A pivot is not undone: it has no compensation, and stands in no scope that is undone as a whole (one with a
   compensation, a catch or a timeout), nor in a parallel, an `each` or beside a wait or scope, where others might fail
   after it, nor in a saga with a deadline. A call of a saga that has a pivot is one.
2. A saga passes one pivot, once: none leads to another one, or back to itself, so it stands in no `repeat`.
3. Behind a pivot a refusal of the flow's own making (a `refuse`, a wait or task that is late, a scope out of time)
   must be caught, by a scope behind the pivot, and for good: a catch that may end in an `again` of its scope does not,
   since what was caught goes on when that is used up. Refusals of participants cannot be foreseen; they park it.
   The same holds for what happens beside something before the pivot, in the same scope: it may still be under way.
4. Behind a pivot a compensation runs only inside a scope that catches, or that is ended while a branch is
   open, or for a `compensate`; elsewhere it is a mistake. One that is also reached on a way around the pivot is none.

All of it is reachability in the graph, so it holds for every language that compiles to one. A scope is left
through its end nodes, and through its catches from anywhere in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saga.errors import Problem
from saga.flow.graph import (
    Again,
    Call,
    Compensate,
    Each,
    End,
    Fork,
    Graph,
    Join,
    Node,
    Refuse,
    Repeat,
    Scope,
    Scoped,
    Step,
    Task,
    Terminate,
    Wait,
    flows,
)
from saga.flow.reach import reach

__all__ = ["pivot_problems"]


def pivot_problems(graph: Graph) -> list[Problem]:
    """Return what breaks the rules of the pivot in `graph`, in the order of its nodes."""
    pivots = [node for node in graph.nodes.values() if isinstance(node, Step) and node.pivot]
    if not pivots:
        return []
    in_parallel, beside = _inside_parallels(graph), _beside(graph)
    problems = [problem for pivot in pivots for problem in _place_problems(graph, pivot, in_parallel)]
    problems += [
        Problem(
            pivot.id,
            f"is {_a_pivot(pivot)} in what happens beside something else",
            "move it into the flow itself",
        )
        for pivot in pivots
        if pivot.id in beside
    ]
    if graph.deadline_ms is not None:
        what = f"is passed when {pivots[0].id} is done, a pivot, behind which there is no way back"
        problems.append(
            Problem("deadline", what, "put scope(..., timeout=...) around what comes before the pivot")
        )
    behind: dict[str, Step] = {}
    for pivot in pivots:
        for id in reach(_successors(graph, pivot.id), lambda id: _successors(graph, id)):
            behind.setdefault(id, pivot)
    around = _before_pivots(graph, pivots)
    for node in graph.nodes.values():
        if node.id in behind:
            problems.extend(_problems_behind(graph, node, behind[node.id], node.id in around))
    for pivot in pivots:
        problems.extend(_problems_meanwhile(graph, pivot, set(behind)))
    return problems


def _place_problems(graph: Graph, pivot: Step, in_parallel: set[str]) -> Iterator[Problem]:
    if pivot.compensation is not None:
        yield Problem(
            pivot.id,
            f"is a pivot and has a compensation ({pivot.compensation})",
            "there is no way back from a pivot: drop one of the two",
        )
    around = list(graph.enclosing(pivot))
    if in_parallel & {pivot.id, *(scope.id for scope in around)}:
        yield Problem(
            pivot.id,
            f"is {_a_pivot(pivot)} in a parallel, whose other branches may fail after it",
            "move it before or behind the parallel",
        )
    for scope in around:
        if isinstance(scope, Each):
            what = f"is {_a_pivot(pivot)} in {scope.id}, whose other items may fail after it"
            yield Problem(pivot.id, what, f"move it before or behind {scope.id}")
        if not isinstance(scope, Scope):
            continue
        parts = [
            word
            for word, given in (
                ("a compensation", scope.compensation is not None),
                ("a catch", bool(scope.catch)),
                ("a timeout", scope.timeout_ms is not None),
            )
            if given
        ]
        if parts:
            yield Problem(
                pivot.id,
                f"is {_a_pivot(pivot)} in {scope.id}, which has {' and '.join(parts)} and so may be undone after it",
                "move it out of the scope",
            )


def _a_pivot(node: Step, word: str = "a pivot") -> str:
    """Return what a pivot is called; the author of a call need not know that it is one."""
    return f"{word} ({node.saga}, which it calls, has one)" if isinstance(node, Call) else word


def _problems_behind(graph: Graph, node: Node, pivot: Step, also_around: bool) -> Iterator[Problem]:
    """Yield what is wrong with `node` behind `pivot`; `also_around`: some way to it passes no pivot."""
    place = f"behind the pivot {pivot.id}"
    scopes = list(graph.enclosing(node))
    match node:
        case Step(pivot=True):
            if node.id == pivot.id:
                what = f"is {_a_pivot(node)} and is reached again from itself"
                remedy = "move it out of the loop"
            else:
                what = f"is {_a_pivot(node, 'a second pivot')}, {place}"
                remedy = "only one step can be the last that may be refused"
            yield Problem(node.id, what, remedy)
        case _:
            yield from _refusals(graph, node, place, "put it before the pivot")
    # a call that is undone by undoing what it called has nothing that could be dropped
    has_undo = isinstance(node, Step | Scope) and node.compensation not in (None, node.id)
    pivotal = isinstance(node, Step) and node.pivot
    if has_undo and not pivotal and not also_around and not _may_be_undone(graph, node, scopes):
        yield Problem(
            node.id,
            f"has a compensation that never runs, since it stands {place}",
            "drop the compensation, or put it in a scope with a catch",
        )


def _problems_meanwhile(graph: Graph, pivot: Step, behind: set[str]) -> Iterator[Problem]:
    """Yield what may refuse when the pivot is passed, because it happens beside something that led there."""
    levels = {pivot.scope, *(scope.scope for scope in graph.enclosing(pivot))}
    for host, entries in _hosts(graph):
        leads_there = pivot.id in reach([host.id], lambda id: _successors(graph, id))
        if host.scope not in levels or host.id in behind or not leads_there:
            continue
        place = f"beside {host.id}, which the pivot {pivot.id} does not wait for"
        for id in reach(entries, lambda id: _successors(graph, id)):
            yield from _refusals(graph, graph.nodes[id], place, f"put scope(...) around {host.id}")


def _refusals(graph: Graph, node: Node, place: str, or_else: str) -> Iterator[Problem]:
    """Yield why `node` may refuse of its own, without being caught, at a `place` where there is no way back."""
    scopes = list(graph.enclosing(node))
    match node:
        case Refuse() if (escape := _escape(graph, scopes, node.code)) is not None:
            yield Problem(
                node.id,
                f"refuses with code {node.code!r} {place}, and {escape}",
                f"put it in a scope with catch={{{node.code!r}: ...}}, or {or_else}",
            )
        case Wait() | Task() if (
            node.within_ms is not None
            and node.late is None
            and (escape := _escape(graph, scopes, "timeout")) is not None
        ):
            yield Problem(
                node.id,
                f"may be late {place}, and {escape}",
                "give it otherwise=..., or put it in a scope with catch={'timeout': ...}",
            )
        case Scope() if (
            node.timeout_ms is not None and (escape := _escape(graph, [node, *scopes], "timeout")) is not None
        ):
            yield Problem(
                node.id,
                f"has a timeout {place}, and {escape}",
                "give it catch={'timeout': ...}, or drop the timeout",
            )
        case _:
            pass


def _escape(graph: Graph, scopes: Iterable[Scoped], code: str) -> str | None:
    """Return how a refusal with this code gets out of all these scopes, the innermost first; None: it does not."""
    again = ""
    for scope in scopes:
        if not isinstance(scope, Scope) or code not in scope.catch:
            continue
        if not _may_go_again(graph, scope, code):
            return None
        again = again or f" when the again of {scope.id} is used up"
    return f"nothing catches it{again}"


def _may_go_again(graph: Graph, scope: Scope, code: str) -> bool:
    """Return whether the catch of this code leads to an `again` of its scope."""
    caught = reach([scope.catch[code]], lambda id: () if id == scope.id else _successors(graph, id))
    return any(isinstance(node := graph.nodes[id], Again) and node.target == scope.id for id in caught)


def _may_be_undone(graph: Graph, node: Node, scopes: list[Scoped]) -> bool:
    if any(isinstance(scope, Scope) and scope.catch for scope in scopes):
        return True
    if any(isinstance(other, Compensate) for other in graph.nodes.values()):
        return True
    levels = {node.scope, *(scope.scope for scope in scopes)}
    return any(isinstance(other, Terminate) and other.scope in levels for other in graph.nodes.values())


# --- reachability ---------------------------------------------------------------------------------


def _successors(graph: Graph, id: str) -> list[str]:
    """Return where a token may be after the node, across scopes."""
    node = graph.nodes[id]
    if isinstance(node, Scope):
        beside = [*node.whenever, *([node.every.start] if node.every else [])]
        return [node.start, *node.catch.values(), *beside]
    if isinstance(node, Repeat):
        return [node.start]
    if isinstance(node, Each):
        return [node.start, node.next]  # there may be no items
    if isinstance(node, End | Terminate):
        if not node.scope or _ends_beside(node):
            return []
        around = graph.scope(node.scope)
        return [around.next, around.start] if isinstance(around, Repeat) else [around.next]
    return [target for _, target in flows(node)]


def _ends_beside(node: Node) -> bool:
    """Return whether it is the end of what happens beside something, which is not the end of its scope."""
    return isinstance(node, End) and node.id.endswith(("-every-end", "-whenever-end"))


def _beside(graph: Graph) -> set[str]:
    """Return the nodes of what happens beside waits, tasks and scopes, with what is in scopes there.

    An `end` there ends the scope around, so what follows that one is beside nothing.
    """
    found: set[str] = set()
    for host, entries in _hosts(graph):
        ends = {
            node.id
            for node in graph.nodes.values()
            if isinstance(node, Terminate) and node.scope == host.scope
        }
        found |= reach(entries, lambda id, ends=ends: () if id in ends else _successors(graph, id))  # type: ignore[misc]
    return found


def _hosts(graph: Graph) -> Iterator[tuple[Wait | Task | Scope, list[str]]]:
    """Yield what has something that happens beside it, with the nodes that this begins with."""
    for node in graph.nodes.values():
        if not isinstance(node, Wait | Task | Scope):
            continue
        entries = [] if node.every is None else [node.every.start]
        if isinstance(node, Scope):
            entries += node.whenever
        if entries:
            yield node, entries


def _before_pivots(graph: Graph, pivots: list[Step]) -> set[str]:
    """Return the nodes to which a way leads that passes no pivot."""
    stops = {pivot.id for pivot in pivots}
    return reach([graph.start], lambda id: [] if id in stops else _successors(graph, id))


def _inside_parallels(graph: Graph) -> set[str]:
    """Return the nodes between a fork and the join of all its branches, but not those in scopes there."""
    inside: set[str] = set()
    for fork in graph.nodes.values():
        if isinstance(fork, Fork):
            branches = [_along(graph, [entry], {fork.id}) for entry in fork.next]
            joins = {id for id in set.intersection(*branches) if isinstance(graph.nodes[id], Join)}
            inside |= _along(graph, fork.next, {fork.id} | joins) - joins
    return inside


def _along(graph: Graph, entries: Iterable[str], stops: set[str]) -> set[str]:
    """Return the nodes reached from `entries` by flows of the same scope; no way goes on from `stops`."""
    return reach(entries, lambda id: [] if id in stops else [to for _, to in flows(graph.nodes[id])])
