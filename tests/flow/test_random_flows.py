"""Random nested blocks: their graphs hang together, and lead where the blocks say.

The second half walks each flow twice, once through the blocks as they are written and once through the graph,
with the same answers to every question (does the condition hold, is the step refused, is the wait late), and
compares what was reached. So the compiler is held against a reading of the language that knows no graphs.
"""

from __future__ import annotations

import types
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from saga import (
    Command,
    DefinitionError,
    Event,
    Key,
    Saga,
    again,
    choice,
    condition,
    end,
    parallel,
    refuse,
    scope,
    sleep,
    step,
    wait,
)
from saga.flow import Graph, blocks, definition_of
from saga.flow import graph as g
from saga.flow.compile import compile_flow
from saga.flow.elements import Element, Wait
from saga.flow.parts import Part, parts_of


@dataclass(frozen=True, slots=True)
class Placed:
    id: str


@dataclass(frozen=True, slots=True)
class Do(Command[None]):
    id: str


@dataclass(frozen=True, slots=True)
class Arrived(Event):
    id: Key[str]


CODES = ("x", "y", "timeout")


@dataclass
class Flow:
    """A random flow, and the methods it is made of by name."""

    methods: dict[str, Any] = field(default_factory=dict)
    blocks: Any = ()

    def method(self, decorate: Callable[[Any], Any], word: str, returned: object) -> Any:
        def function(self: Any) -> Any: ...

        function.__name__ = f"{word}_{len(self.methods)}"
        function.__annotations__ = {"return": returned}
        made = self.methods[function.__name__] = decorate(function)
        return made


@st.composite
def flows(draw: st.DrawFn) -> Flow:
    flow = Flow()

    def some(depth: int, loop: bool, least: int, most: int) -> tuple[Any, ...]:
        return tuple(block(depth - 1, loop) for _ in range(draw(st.integers(least, most))))

    def block(depth: int, loop: bool) -> Any:
        leaves = ["step", "step", "wait", "sleep", "refuse", "end"] + ["again"] * loop
        nested = ["sequence", "choice", "parallel", "scope", "late"] if depth > 0 else []
        match draw(st.sampled_from(leaves + nested)):
            case "step":
                return flow.method(step(), "step", Do)
            case "wait":
                return flow.method(wait(Arrived, within=timedelta(1)), "wait", str)
            case "late":
                return flow.method(
                    wait(Arrived, within=timedelta(1), otherwise=block(depth - 1, loop)), "wait", str
                )
            case "sleep":
                return flow.method(sleep, "sleep", timedelta)
            case "refuse":
                return refuse("no", code=draw(st.sampled_from(CODES[:2])))
            case "end":
                return end()
            case "again":
                return again(at_most=draw(st.integers(1, 2)))
            case "sequence":
                return some(depth, loop, 0, 3)
            case "choice":
                cases = some(depth, loop, 1, 3)
                asked = [(flow.method(condition, "is", bool), each) for each in cases]
                return choice(*asked, otherwise=block(depth - 1, loop))
            case "parallel":
                return parallel(*some(depth, False, 2, 3))
            case _:
                caught = draw(st.sets(st.sampled_from(CODES)))
                catch = {code: block(depth - 1, True) for code in sorted(caught)}
                return scope(*some(depth, False, 0, 3), catch=catch)

    flow.blocks = (flow.method(step(), "step", Do), block(4, False))
    return flow


def compiled(flow: Flow) -> Graph:
    nodes = compile_flow(parts_of(flow.blocks), dict.fromkeys(flow.methods, "Do/1"))
    return Graph(name="Random", version=1, input="Placed/1", nodes=nodes, start="start")


def defined(flow: Flow) -> type[Saga[Any]] | DefinitionError:
    namespace = {**flow.methods, "flow": flow.blocks}
    try:
        return types.new_class("Random", (Saga[Placed],), {}, lambda body: body.update(namespace))
    except DefinitionError as error:
        return error


# --- the graph hangs together ---------------------------------------------------------------------


def targets(node: g.Node) -> list[str]:
    return [target for _, target in g.flows(node)]


@given(flows())
def test_every_flow_leads_to_a_node_of_the_same_scope(flow: Flow) -> None:
    graph = compiled(flow)
    for node in graph.nodes.values():
        assert all(graph.nodes[target].scope == node.scope for target in targets(node))
        assert node.scope == "" or isinstance(graph.nodes[node.scope], g.Scope)


@given(flows())
def test_every_node_is_reached_from_the_start(flow: Flow) -> None:
    graph = compiled(flow)
    found, waiting = {"start"}, ["start"]
    while waiting:
        node = graph.nodes[waiting.pop()]
        new = {*targets(node), *([node.start] if isinstance(node, g.Scope) else [])} - found
        found |= new
        waiting += new
    assert found == set(graph.nodes)


@given(flows())
def test_every_scope_has_one_start_and_is_known_by_its_id(flow: Flow) -> None:
    graph = compiled(flow)
    starts = Counter(node.scope for node in graph.nodes.values() if isinstance(node, g.Start))
    inner = [node for node in graph.nodes.values() if isinstance(node, g.Scope)]
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
        leaves = {name for name, method in flow.methods.items() if isinstance(method, Element)}
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
        return zlib.crc32(f"{self.seed} {id} {self.asked[id]}".encode()) % 4

    def visit(self, id: str) -> str | None:
        """Reach a leaf; return the code it is refused with, None when it is done."""
        self.reached.append(id)
        return [None, None, "x", "y"][self.answer(id)] if id.startswith("step") else None

    def is_late(self, id: str) -> bool:
        return self.answer(id) == 0

    def holds(self, id: str) -> bool:
        return self.answer(id) < 2

    def run(self, walk: Callable[[], None]) -> list[str]:
        try:
            walk()
        except Refused as refused:
            self.reached.append(f"refused: {refused.code}")
        except Ended:
            self.reached.append("ended")
        return self.reached


class ThroughBlocks(Walk):
    """Goes through the parts of a flow. `loops` counts the agains in one visit of the enclosing scope."""

    def go(self, part: Part, loops: Counter[str]) -> None:
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
            case blocks.Scope():
                self.scope(part, part.block, loops)
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

    def leaf(self, part: Part, leaf: Element[Any, Any], loops: Counter[str]) -> None:
        code = self.visit(part.id)
        if code is not None:
            raise Refused(code)
        if isinstance(leaf, Wait) and self.is_late(f"{part.id} late"):
            if not part.parts:
                raise Refused("timeout")
            self.go(part.parts[0], loops)

    def scope(self, part: Part, scope: blocks.Scope, loops: Counter[str]) -> None:
        body, *catching = part.parts
        while True:
            try:
                return self.go(body, Counter())
            except Ended:
                return None
            except Refused as refused:
                if refused.code not in scope.catch:
                    raise
                code = refused.code
            try:
                return self.go(dict(zip(scope.catch, catching, strict=True))[code], loops)
            except Again:
                continue
            except Refused as refused:
                raise Refused(refused.code or code) from None


class ThroughGraph(Walk):
    """Goes through the nodes of a graph, one token after the other."""

    def __init__(self, seed: int, graph: Graph) -> None:
        super().__init__(seed)
        self.nodes = graph.nodes

    def go(self, id: str, loops: Counter[str]) -> str:
        """Follow a token until it is gone; return the node where it ended."""
        failed: dict[str, str] = {}
        while True:
            node = self.nodes[id]
            match node:
                case g.Start():
                    id = node.next
                case g.Step() | g.Sleep() | g.Answer():
                    code = self.visit(id)
                    if code is not None:
                        raise Refused(code)
                    id = node.next
                case g.Wait():
                    self.visit(id)
                    if not self.is_late(f"{id} late"):
                        id = node.next
                    elif node.late is None:
                        raise Refused("timeout")
                    else:
                        id = node.late
                case g.Choice():
                    held = (target for asked, target in node.cases if self.holds(asked))
                    id = next(held, node.otherwise)
                case g.Fork():
                    joins = {self.go(target, loops) for target in node.next}
                    (id,) = joins
                    join = self.nodes[id]
                    assert isinstance(join, g.Join)
                    id = join.next
                case g.Scope():
                    try:
                        self.go(node.start, Counter())
                    except Ended:
                        id = node.next
                    except Refused as refused:
                        if refused.code not in node.catch:
                            raise
                        failed[id] = refused.code
                        id = node.catch[refused.code]
                    else:
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


@given(flows(), st.integers(0, 2**32))
def test_the_graph_leads_where_the_blocks_say(flow: Flow, seed: int) -> None:
    graph = compiled(flow)
    written, drawn = ThroughBlocks(seed), ThroughGraph(seed, graph)
    by_blocks = written.run(lambda: written.go(parts_of(flow.blocks), Counter()))
    by_graph = drawn.run(lambda: drawn.go("start", Counter()) and None)
    assert by_graph == by_blocks


@given(flows(), st.integers(0, 2**32))
def test_what_is_said_to_be_never_reached_is_never_reached(flow: Flow, seed: int) -> None:
    made = defined(flow)
    if isinstance(made, DefinitionError):
        walk = ThroughBlocks(seed)
        reached = walk.run(lambda: walk.go(parts_of(flow.blocks), Counter()))
        assert not {problem.element for problem in made.problems} & set(reached)
