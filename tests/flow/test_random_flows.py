"""Random nested blocks: their graphs hang together, and lead where the blocks say.

The second half walks each flow twice, once through the blocks as they are written and once through the graph,
with the same answers to every question (does the condition hold, is the step refused, is the wait late, which way
wins the race, how many items, rounds and reminders are there), and compares what was reached. So the compiler is
held against a reading of the language that knows no graphs.
"""

from __future__ import annotations

import zlib
from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reliability.fuzz.drawing import Flow, a_flow, defined
from saga import DefinitionError
from saga.flow import Graph, blocks, definition_of
from saga.flow import graph as g
from saga.flow.compile import compile_flow
from saga.flow.elements import Element, Items, Task, Wait
from saga.flow.parts import Part as Tree
from saga.flow.parts import parts_of


class Drawn:
    """Chance that hypothesis decides about, and so can make simpler."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def number(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def yes(self) -> bool:
        return self.draw(st.booleans())

    def pick(self, items: Any) -> Any:
        return self.draw(st.sampled_from(items))


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    return a_flow(Drawn(draw))


def compiled(flow: Flow) -> Graph:
    nodes = compile_flow(parts_of(flow.blocks), dict.fromkeys(flow.methods, "Do/1"))
    return Graph(name="Random", version=1, input="Placed/1", nodes=nodes, start="start")


# --- the graph hangs together ---------------------------------------------------------------------


def targets(node: g.Node) -> list[str]:
    return [target for _, target in g.flows(node)]


@given(flows())
def test_every_flow_leads_to_a_node_of_the_same_scope(flow: Flow) -> None:
    graph = compiled(flow)
    for node in graph.nodes.values():
        assert all(graph.nodes[target].scope == node.scope for target in targets(node))
        assert node.scope == "" or isinstance(graph.nodes[node.scope], g.Scoped)


@given(flows())
def test_every_node_is_reached_from_the_start(flow: Flow) -> None:
    graph = compiled(flow)
    found, waiting = {"start"}, ["start"]
    while waiting:
        node = graph.nodes[waiting.pop()]
        new = {*targets(node), *([node.start] if isinstance(node, g.Scoped) else [])} - found
        found |= new
        waiting += new
    assert found == set(graph.nodes)


@given(flows())
def test_every_scope_has_one_start_and_is_known_by_its_id(flow: Flow) -> None:
    graph = compiled(flow)
    starts = Counter(node.scope for node in graph.nodes.values() if isinstance(node, g.Start))
    inner = [node for node in graph.nodes.values() if isinstance(node, g.Scoped)]
    assert starts == Counter(["", *(node.id for node in inner)])
    assert all(graph.nodes[node.start].scope == node.id for node in inner)
    assert all(node.id == id for id, node in graph.nodes.items())


@given(flows())
def test_every_join_waits_for_all_branches_of_its_fork(flow: Flow) -> None:
    graph = compiled(flow)
    for node in graph.nodes.values():
        if isinstance(node, g.Join):
            fork = graph.nodes[node.id.removesuffix("-join")]
            assert isinstance(fork, g.Fork)
            assert node.count == len(fork.next)


@given(flows())
def test_every_loop_goes_back_to_a_scope(flow: Flow) -> None:
    graph = compiled(flow)
    for node in graph.nodes.values():
        if isinstance(node, g.Again):
            assert isinstance(graph.nodes[node.target], g.Scope)


@given(flows())
def test_a_random_flow_is_a_definition_unless_something_in_it_is_never_reached(flow: Flow) -> None:
    made = defined(flow)
    if isinstance(made, DefinitionError):
        assert all("is never reached" in problem.what for problem in made.problems)
    else:
        graph = definition_of(made).graph
        assert list(graph.nodes) == list(compiled(flow).nodes)
        leaves = {
            name
            for name, method in flow.methods.items()
            if isinstance(method, Element) and not isinstance(method, Items)
        }
        assert leaves <= set(graph.nodes)
        assert Graph.from_json(graph.to_json()) == graph


# --- the graph leads where the blocks say ---------------------------------------------------------


class Refused(Exception):
    def __init__(self, code: str) -> None:
        self.code = code


class Ended(Exception):
    """`end()` was reached; the innermost scope is completed."""


class Again(Exception):
    """`again()` was reached."""


class Walk:
    """What both walks share: answers that depend on the seed, the question and how often it was asked."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.asked: Counter[str] = Counter()
        self.reached: list[str] = []

    def answer(self, id: str) -> int:
        self.asked[id] += 1
        return zlib.crc32(f"{self.seed} {id} {self.asked[id]}".encode()) % 12

    def visit(self, id: str) -> str | None:
        """Reach a leaf; return the code it is refused with, None when it is done."""
        self.reached.append(id)
        asks = id.startswith(("step", "call"))
        return {0: "x", 1: "y"}.get(self.answer(id)) if asks else None

    def is_late(self, id: str) -> bool:
        return self.answer(id) < 3

    def holds(self, id: str) -> bool:
        return self.answer(id) < 6

    def count(self, id: str) -> int:
        """Return how often something happens: 0 to 2 times."""
        return self.answer(f"{id} count") % 3

    def winner(self, id: str, ways: int) -> int:
        return self.answer(f"{id} winner") % ways

    def start(self) -> None:
        """Go through the whole flow."""
        raise NotImplementedError

    def run(self) -> list[str]:
        try:
            self.start()
        except Refused as refused:
            self.reached.append(f"refused: {refused.code}")
        except Ended:
            self.reached.append("ended")
        return self.reached


class ThroughBlocks(Walk):
    """Goes through the parts of a flow. `loops` counts the agains in one visit of the enclosing scope."""

    def __init__(self, seed: int, flow: Flow) -> None:
        super().__init__(seed)
        self.root = parts_of(flow.blocks)

    def start(self) -> None:
        self.go(self.root, Counter())

    def go(self, part: Tree, loops: Counter[str]) -> None:
        match part.block:
            case tuple():
                for inner in part.parts:
                    self.go(inner, loops)
            case Element():
                self.leaf(part, part.block, loops)
            case blocks.Choice():
                for (asked, _), inner in zip(part.block.cases, part.parts, strict=False):
                    if self.holds(asked.name):
                        return self.go(inner, loops)
                self.go(part.parts[-1], loops)
            case blocks.Parallel():
                for inner in part.parts:
                    self.go(inner, loops)
            case blocks.Race():
                way = part.parts[self.winner(part.id, len(part.parts))]
                if way.role == "late":
                    return self.go(way, loops)
                runner, behind = way.parts
                self.reached.append(runner.id)
                self.go(behind, loops)
            case blocks.Repeat():
                for round in range(1, part.block.at_most + 1):
                    self.body(part)
                    if round < part.block.at_most and self.holds(part.block.until.name):
                        break
            case blocks.Each():
                for _ in range(self.count(part.id)):
                    self.body(part)
            case blocks.Scope():
                self.beside(part)
                self.scope(part, part.block, loops)
            case blocks.Compensate():
                target = part.block.target
                self.reached.append(f"undo {target.name if isinstance(target, Element) else None}")
            case blocks.Refuse():
                raise Refused(part.block.code)
            case blocks.End():
                raise Ended
            case blocks.Again():
                loops[part.id] += 1
                if loops[part.id] <= part.block.at_most:
                    raise Again
                raise Refused("")  # stands for the refusal that was caught
        return None

    def leaf(self, part: Tree, leaf: Element[Any, Any], loops: Counter[str]) -> None:
        code = self.visit(part.id)
        if code is not None:
            raise Refused(code)
        if isinstance(leaf, Wait | Task):
            self.beside(part)
            if self.is_late(f"{part.id} late"):
                if leaf.otherwise is None:
                    raise Refused("timeout")
                self.go(part.parts[0], loops)

    def beside(self, part: Tree) -> None:
        """What happens while something goes on, all of it at the beginning."""
        for every in part.inner("every"):
            for _ in range(self.count(f"{part.id} every")):
                self.go(every, Counter())
        for way in part.inner("whenever"):
            host, behind = way.parts
            for _ in range(self.count(f"{part.id} whenever")):
                self.reached.append(host.id)
                self.go(behind, Counter())

    def body(self, part: Tree) -> None:
        (body,) = part.inner("body")
        with suppress(Ended):
            self.go(body, Counter())

    def scope(self, part: Tree, scope: blocks.Scope, loops: Counter[str]) -> None:
        while True:
            try:
                return self.body(part)
            except Refused as refused:
                if refused.code not in scope.catch:
                    raise
                code = refused.code
            try:
                return self.go(dict(zip(scope.catch, part.inner("catch"), strict=True))[code], loops)
            except Again:
                self.beside(part)
            except Refused as refused:
                raise Refused(refused.code or code) from None


class ThroughGraph(Walk):
    """Goes through the nodes of a graph, one token after the other."""

    def __init__(self, seed: int, graph: Graph) -> None:
        super().__init__(seed)
        self.nodes = graph.nodes

    def start(self) -> None:
        self.go("start", Counter())

    def go(self, id: str, loops: Counter[str]) -> str:
        """Follow a token until it is gone; return the node where it ended."""
        failed: dict[str, str] = {}
        while True:
            node = self.nodes[id]
            match node:
                case g.Start():
                    id = node.next
                case g.Step() | g.Sleep() | g.Answer() | g.Publish():
                    code = self.visit(id)
                    if code is not None:
                        raise Refused(code)
                    id = node.next
                case g.Wait() | g.Task():
                    self.visit(id)
                    self.beside(node)
                    if not self.is_late(f"{id} late"):
                        id = node.next
                    elif node.late is None:
                        raise Refused("timeout")
                    else:
                        id = node.late
                case g.Choice():
                    held = (target for asked, target in node.cases if self.holds(asked))
                    id = next(held, node.otherwise)
                case g.Race():
                    ways = [*node.ways, *([node.late] if node.late else [])]
                    way = self.winner(id, len(ways))
                    id = self.taken(node.ways[way]) if way < len(node.ways) else ways[way]
                case g.Fork():
                    joins = {self.go(target, loops) for target in node.next}
                    (id,) = joins
                    join = self.nodes[id]
                    assert isinstance(join, g.Join)
                    id = join.next
                case g.Scope():
                    self.beside(node)
                    try:
                        self.body(node)
                    except Refused as refused:
                        if refused.code not in node.catch:
                            raise
                        failed[id] = refused.code
                        id = node.catch[refused.code]
                    else:
                        id = node.next
                case g.Repeat():
                    for round in range(1, node.at_most + 1):
                        self.body(node)
                        if round < node.at_most and self.holds(node.until):
                            break
                    id = node.next
                case g.Each():
                    for _ in range(self.count(id)):
                        self.body(node)
                    id = node.next
                case g.Compensate():
                    self.reached.append(f"undo {node.target}")
                    id = node.next
                case g.Again():
                    loops[id] += 1
                    if loops[id] > node.at_most:
                        raise Refused(failed[node.target])
                    id = node.target
                case g.Refuse():
                    raise Refused(node.code)
                case g.Terminate():
                    raise Ended
                case g.Join() | g.End():
                    return id

    def taken(self, leaf: str) -> str:
        """Return what is behind a leaf that waits, which has got what it waits for."""
        self.reached.append(leaf)
        node = self.nodes[leaf]
        assert isinstance(node, g.Wait | g.Task | g.Sleep)
        return node.next

    def beside(self, node: g.Wait | g.Task | g.Scope) -> None:
        if node.every is not None:
            for _ in range(self.count(f"{node.id} every")):
                self.go(node.every.start, Counter())
        for leaf in node.whenever if isinstance(node, g.Scope) else ():
            for _ in range(self.count(f"{node.id} whenever")):
                self.go(self.taken(leaf), Counter())

    def body(self, node: g.Scoped) -> None:
        with suppress(Ended):
            self.go(node.start, Counter())


@given(flows(), st.integers(0, 2**32))
def test_the_graph_leads_where_the_blocks_say(flow: Flow, seed: int) -> None:
    graph = compiled(flow)
    assert ThroughGraph(seed, graph).run() == ThroughBlocks(seed, flow).run()


@given(flows(), st.integers(0, 2**32))
def test_what_is_said_to_be_never_reached_is_never_reached(flow: Flow, seed: int) -> None:
    made = defined(flow)
    if isinstance(made, DefinitionError):
        reached = ThroughBlocks(seed, flow).run()
        assert not {problem.element for problem in made.problems} & set(reached)
