"""Graphs for tests, written as a flow reads: `graph(step("reserve", undo="release"), step("ship"))`.

Directly on `saga.flow.graph`, so that the machine is tested without the language an author writes in.
Blocks are values whose repr is the code that makes them: a failing example can be pasted into a test.
Blocks without a name are called by kind and number in reading order, such as `scope-1`, as in the language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

from saga.flow import graph as g
from saga.machine.state import call_to

__all__ = [
    "Block",
    "Blocks",
    "again",
    "answer",
    "call",
    "calls",
    "choice",
    "compensate",
    "each",
    "end",
    "graph",
    "parallel",
    "participants",
    "publish",
    "race",
    "refuse",
    "repeat",
    "scope",
    "sleep",
    "step",
    "task",
    "wait",
    "walk",
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
Every: TypeAlias = "tuple[int, Blocks] | tuple[int, Blocks, int]"
"""Interval in ms, what happens, how often at most."""


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
class call(Block):  # noqa: N801
    """`child`: the flow of the saga that is called. `undo`: the function that undoes it; True: it is undone itself."""

    name: str
    child: tuple[Blocks, ...] = ()
    undo: str | bool | None = None
    timeout: int | None = None
    pivot: bool = False
    deadline: int | None = None
    """That of the child."""

    @property
    def to(self) -> str:
        """What carries it out."""
        return call_to(self.name, 1)


@dataclass(frozen=True, repr=False)
class wait(Block):  # noqa: N801
    name: str
    event: str | None = None
    within: int | None = None
    otherwise: Blocks | None = None
    every: Every | None = None


@dataclass(frozen=True, repr=False)
class task(Block):  # noqa: N801
    name: str
    within: int | None = None
    otherwise: Blocks | None = None
    every: Every | None = None


@dataclass(frozen=True, repr=False)
class publish(Block):  # noqa: N801
    name: str
    event: str | None = None


@dataclass(frozen=True, repr=False)
class race(Block):  # noqa: N801
    """`ways`: pairs of what is waited for and what happens then; `after`: how long at most, and what happens then."""

    ways: tuple[tuple[Block, Blocks], ...]
    after: tuple[int, Blocks] | None = None


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
    every: Every | None = None
    whenever: tuple[tuple[wait, Blocks], ...] = ()
    name: str = ""


@dataclass(frozen=True, repr=False)
class repeat(Block):  # noqa: N801
    body: Blocks
    until: str
    at_most: int = 3
    name: str = ""


@dataclass(frozen=True, repr=False)
class each(Block):  # noqa: N801
    items: str
    body: Blocks
    concurrency: int = 1
    name: str = ""


@dataclass(frozen=True, repr=False)
class compensate(Block):  # noqa: N801
    target: str | None = None


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


def walk(*blocks: Blocks, called: bool = True) -> Iterator[Block]:
    """Yield all blocks there are; those of sagas that are called only if `called`."""
    waiting = list(reversed(blocks))
    while waiting:
        block = waiting.pop()
        if isinstance(block, tuple):
            waiting += reversed(block)
            continue
        yield block
        waiting += reversed(_inner(block))
        if called and isinstance(block, call):
            waiting += reversed(block.child)


def participants(*blocks: Blocks) -> dict[str, str]:
    """Return who carries out which step or call."""
    return {block.name: block.to for block in walk(*blocks) if isinstance(block, step | call)}


def calls(*blocks: Blocks) -> dict[str, call]:
    """Return the calls of other sagas by what carries them out."""
    return {block.to: block for block in walk(*blocks) if isinstance(block, call)}


def graph(*blocks: Blocks, name: str = "Trip", deadline: int | None = None) -> g.Graph:
    """Return the graph of a flow."""
    compiler = _Compiler()
    named = compiler.name(blocks)
    compiler.put(g.End(id="end"))
    compiler.put(g.Start(id="start", next=compiler.block(named, "end", "", "")))
    nodes, input = compiler.nodes, f"{name}/1"
    return g.Graph(name=name, version=1, input=input, nodes=nodes, start="start", deadline_ms=deadline)


_NAMED = (step, call, wait, task, sleep, publish, answer)


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
        id = getattr(block, "name", "")
        if not id:
            assert not isinstance(block, _NAMED)
            self._numbers[kind] += 1
            id = f"{kind}-{self._numbers[kind]}"
        return (id, block, tuple(map(self.name, _inner(block))))

    def block(self, named: tuple[str, Blocks, tuple[Any, ...]], following: str, outer: str, loop: str) -> str:
        id, block, inner = named
        match block:
            case tuple():
                for one in reversed(inner):
                    following = self.block(one, following, outer, loop)
                return following
            case step() | call():
                return self.put(self.step(block, following, outer))
            case wait() | task():
                late, beside = inner
                every = self.every(id, block.every, beside, outer)
                common: dict[str, Any] = {"id": id, "scope": outer, "next": following, "every": every}
                common["within_ms"] = block.within
                if block.otherwise is not None:
                    common["late"] = self.block(late, following, outer, loop)
                if isinstance(block, task):
                    return self.put(g.Task(answer=f"{id}/1", subject="Subject/1", **common))
                return self.put(g.Wait(event=f"{block.event or id}/1", **common))
            case publish():
                return self.put(g.Publish(id=id, scope=outer, next=following, event=f"{block.event or id}/1"))
            case race():
                *ways, late = [self.block(way, following, outer, loop) for way in inner]
                after = None if block.after is None else block.after[0]
                return self.put(
                    g.Race(
                        id=id,
                        scope=outer,
                        ways=tuple(ways),
                        after_ms=after,
                        late=None if after is None else late,
                    )
                )
            case repeat():
                start = self.body(id, inner[0])
                return self.put(
                    g.Repeat(
                        id=id,
                        scope=outer,
                        next=following,
                        start=start,
                        until=block.until,
                        at_most=block.at_most,
                    )
                )
            case each():
                start = self.body(id, inner[0])
                return self.put(
                    g.Each(
                        id=id,
                        scope=outer,
                        next=following,
                        start=start,
                        items=block.items,
                        concurrency=block.concurrency,
                    )
                )
            case compensate():
                return self.put(g.Compensate(id=id, scope=outer, next=following, target=block.target))
            case sleep():
                return self.put(g.Sleep(id=id, scope=outer, next=following))
            case answer():
                return self.put(g.Answer(id=id, scope=outer, next=following))
            case choice():
                *targets, otherwise = [self.block(one, following, outer, loop) for one in inner]
                cases = tuple((name, target) for (name, _), target in zip(block.cases, targets, strict=True))
                return self.put(g.Choice(id=id, scope=outer, cases=cases, otherwise=otherwise))
            case parallel():
                join = self.put(g.Join(id=f"{id}-join", scope=outer, next=following, count=len(inner)))
                branches = tuple(self.block(one, join, outer, loop) for one in inner)
                return self.put(g.Fork(id=id, scope=outer, next=branches))
            case scope():
                body, beside, *others = inner
                catching, waits = others[: len(block.catch)], others[len(block.catch) :]
                start = self.body(id, body)
                targets = [self.block(one, following, outer, id) for one in catching]
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
                        every=self.every(id, block.every, beside, outer),
                        whenever=tuple(self.watch(one, outer) for one in waits),
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

    def watch(self, way: tuple[str, Blocks, tuple[Any, ...]], outer: str) -> str:
        wait = way[2][0][0]
        return self.block(way, self.put(g.End(id=f"{wait}-whenever-end", scope=outer, wait=wait)), outer, "")

    def step(self, block: step | call, following: str, outer: str) -> g.Step:
        undo = block.name if block.undo is True else block.undo or None
        common: dict[str, Any] = {
            "id": block.name,
            "scope": outer,
            "next": following,
            "command": f"{block.name}/1",
            "timeout_ms": block.timeout,
            "pivot": block.pivot,
            "compensation": undo,
            "undo_command": f"{undo}/1" if undo else None,
        }
        if isinstance(block, call):
            return g.Call(saga=block.name, version=1, **common)
        return g.Step(retry=g.RetryPolicy(block.attempts, block.first, jitter=block.jitter), **common)

    def body(self, id: str, body: tuple[str, Blocks, tuple[Any, ...]]) -> str:
        self.put(g.End(id=f"{id}-end", scope=id))
        begin = self.block(body, f"{id}-end", id, "")
        return self.put(g.Start(id=f"{id}-start", scope=id, next=begin))

    def every(
        self, id: str, every: Every | None, beside: tuple[str, Blocks, tuple[Any, ...]], outer: str
    ) -> g.Every | None:
        if every is None:
            return None
        end = self.put(g.End(id=f"{id}-every-end", scope=outer))
        start = self.block(beside, end, outer, "")
        return g.Every(every[0], start, every[2] if len(every) > 2 else None)


def _inner(block: Block) -> tuple[Blocks, ...]:
    match block:
        case wait() | task():
            return (block.otherwise or (), _beside(block.every))
        case choice():
            return (*(inner for _, inner in block.cases), block.otherwise)
        case parallel():
            return block.branches
        case race():
            return (*block.ways, block.after[1] if block.after else ())
        case scope():
            return (block.body, _beside(block.every), *block.catch.values(), *block.whenever)
        case repeat() | each():
            return (block.body,)
        case _:
            return ()


def _beside(every: Every | None) -> Blocks:
    return every[1] if every is not None else ()
