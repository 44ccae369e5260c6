"""Graphs for tests, written as a flow reads: `graph(step("reserve", undo="release"), step("ship"))`.

Directly on `saga.flow.graph`, so that the machine is tested without the language an author writes in.
Blocks are values whose repr is the code that makes them: a failing example can be pasted into a test.
Blocks without a name are called by kind and number in reading order, such as `scope-1`, as in the language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from saga.flow import graph as g

__all__ = [
    "Block",
    "Blocks",
    "again",
    "answer",
    "choice",
    "end",
    "graph",
    "parallel",
    "participants",
    "refuse",
    "scope",
    "sleep",
    "step",
    "wait",
]


@dataclass(frozen=True, repr=False)
class Block:
    """The base of all blocks."""

    def __repr__(self) -> str:
        given = [f"{f.name}={v!r}" for f in fields(self) if (v := getattr(self, f.name)) != _default(f)]
        return f"{type(self).__name__}({', '.join(given)})"


def _default(of: Any) -> object:
    return of.default_factory() if callable(of.default_factory) else of.default


Blocks: TypeAlias = "Block | tuple[Blocks, ...]"
"""A tuple is a sequence."""


@dataclass(frozen=True, repr=False)
class step(Block):  # noqa: N801  the names are those of the flow language
    name: str
    to: str = "context"
    """Its participant; one whose name begins with `gateway` has no inbox."""
    undo: str | None = None
    timeout: int | None = None
    attempts: int = 1
    first: int = 100
    jitter: float = 0.0
    pivot: bool = False


@dataclass(frozen=True, repr=False)
class wait(Block):  # noqa: N801
    name: str
    event: str | None = None
    within: int | None = None
    otherwise: Blocks | None = None


@dataclass(frozen=True, repr=False)
class sleep(Block):  # noqa: N801
    name: str


@dataclass(frozen=True, repr=False)
class answer(Block):  # noqa: N801
    name: str


@dataclass(frozen=True, repr=False)
class choice(Block):  # noqa: N801
    cases: tuple[tuple[str, Blocks], ...]
    otherwise: Blocks = ()


@dataclass(frozen=True, repr=False)
class parallel(Block):  # noqa: N801
    branches: tuple[Blocks, ...]

    def __init__(self, *branches: Blocks) -> None:
        object.__setattr__(self, "branches", branches)

    def __repr__(self) -> str:
        return f"parallel({', '.join(map(repr, self.branches))})"


@dataclass(frozen=True, repr=False)
class scope(Block):  # noqa: N801
    body: Blocks
    timeout: int | None = None
    catch: Mapping[str, Blocks] = field(default_factory=dict)
    undo: str | None = None


@dataclass(frozen=True, repr=False)
class again(Block):  # noqa: N801
    at_most: int


@dataclass(frozen=True, repr=False)
class refuse(Block):  # noqa: N801
    code: str
    reason: str = "so it is"


@dataclass(frozen=True, repr=False)
class end(Block):  # noqa: N801
    pass


def participants(*blocks: Blocks) -> dict[str, str]:
    """Return who carries out which step."""
    found: dict[str, str] = {}
    for block in blocks:
        if isinstance(block, step):
            found[block.name] = block.to
        found |= participants(*(block if isinstance(block, tuple) else _inner(block)))
    return found


def graph(*blocks: Blocks) -> g.Graph:
    """Return the graph of a flow."""
    compiler = _Compiler()
    named = compiler.name(blocks)
    compiler.put(g.End(id="end"))
    compiler.put(g.Start(id="start", next=compiler.block(named, "end", "", "")))
    return g.Graph(name="Trip", version=1, input="Trip/1", nodes=compiler.nodes, start="start")


class _Compiler:
    """A block is compiled given the node that follows it, and gives back the node it begins with."""

    def __init__(self) -> None:
        self.nodes: dict[str, g.Node] = {}
        self._numbers: Counter[str] = Counter()

    def put(self, node: g.Node) -> str:
        assert node.id not in self.nodes, f"two nodes are called {node.id}"
        self.nodes[node.id] = node
        return node.id

    def name(self, block: Blocks) -> tuple[str, Blocks, tuple[Any, ...]]:
        """Return (id, block, inner ones named likewise); numbers go up in reading order."""
        if isinstance(block, tuple):
            return ("", block, tuple(map(self.name, block)))
        kind = type(block).__name__
        if isinstance(block, step | wait | sleep | answer):
            id = block.name
        else:
            self._numbers[kind] += 1
            id = f"{kind}-{self._numbers[kind]}"
        return (id, block, tuple(map(self.name, _inner(block))))

    def block(self, named: tuple[str, Blocks, tuple[Any, ...]], following: str, outer: str, loop: str) -> str:
        id, block, inner = named
        match block:
            case tuple():
                for each in reversed(inner):
                    following = self.block(each, following, outer, loop)
                return following
            case step():
                return self.put(
                    g.Step(
                        id=id,
                        scope=outer,
                        next=following,
                        command=f"{id}/1",
                        timeout_ms=block.timeout,
                        retry=g.RetryPolicy(block.attempts, block.first, jitter=block.jitter),
                        pivot=block.pivot,
                        compensation=block.undo,
                        undo_command=f"{block.undo}/1" if block.undo else None,
                    )
                )
            case wait():
                late = self.block(inner[0], following, outer, loop) if inner else None
                return self.put(
                    g.Wait(
                        id=id,
                        scope=outer,
                        next=following,
                        event=f"{block.event or id}/1",
                        within_ms=block.within,
                        late=late,
                    )
                )
            case sleep():
                return self.put(g.Sleep(id=id, scope=outer, next=following))
            case answer():
                return self.put(g.Answer(id=id, scope=outer, next=following))
            case choice():
                *targets, otherwise = [self.block(each, following, outer, loop) for each in inner]
                cases = tuple((name, target) for (name, _), target in zip(block.cases, targets, strict=True))
                return self.put(g.Choice(id=id, scope=outer, cases=cases, otherwise=otherwise))
            case parallel():
                join = self.put(g.Join(id=f"{id}-join", scope=outer, next=following, count=len(inner)))
                branches = tuple(self.block(each, join, outer, loop) for each in inner)
                return self.put(g.Fork(id=id, scope=outer, next=branches))
            case scope():
                body, *catching = inner
                self.put(g.End(id=f"{id}-end", scope=id))
                begin = self.block(body, f"{id}-end", id, "")
                start = self.put(g.Start(id=f"{id}-start", scope=id, next=begin))
                targets = [self.block(each, following, outer, id) for each in catching]
                return self.put(
                    g.Scope(
                        id=id,
                        scope=outer,
                        next=following,
                        start=start,
                        timeout_ms=block.timeout,
                        catch=dict(zip(block.catch, targets, strict=True)),
                        compensation=block.undo,
                        undo_command=f"{block.undo}/1" if block.undo else None,
                    )
                )
            case again():
                return self.put(g.Again(id=id, scope=outer, target=loop, at_most=block.at_most))
            case refuse():
                return self.put(g.Refuse(id=id, scope=outer, reason=block.reason, code=block.code))
            case end():
                return self.put(g.Terminate(id=id, scope=outer))
            case _:
                raise TypeError(block)


def _inner(block: Block) -> tuple[Blocks, ...]:
    match block:
        case wait():
            return () if block.otherwise is None else (block.otherwise,)
        case choice():
            return (*(inner for _, inner in block.cases), block.otherwise)
        case parallel():
            return block.branches
        case scope():
            return (block.body, *block.catch.values())
        case _:
            return ()
