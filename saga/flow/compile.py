"""From the flow as it is written to the graph that runs: blocks become nodes that know where to go on.

Rules
1. A block is compiled given the id of the node that follows it, and gives back the id of the node it begins
   with (continuation passing). An empty block begins with what follows it. No flow is patched afterwards.
2. The block in a wait's `otherwise` flows on to what follows the wait; a block in a scope's `catch` stands
   outside of that scope and flows on to what follows it; `again` flows back to that scope. What happens beside
   (`every`, `whenever`) flows to an end of its own.
3. Nodes that no token can reach (the end behind a `refuse`) are left out. Nodes are kept in reading order.
4. What has problems is compiled too, as far as it goes, so that the rules about graphs are checked beside
   the others. Such a graph is never run: see `definition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from inspect import cleandoc
from typing import Any

from saga.flow import graph as g
from saga.flow.blocks import Again, Choice, Compensate, Each, End, Parallel, Race, Refuse, Repeat, Scope
from saga.flow.elements import Answer, Call, Element, Publish, Retry, Sleep, Step, Task, Wait
from saga.flow.parts import Part, Role, name_of
from saga.flow.reach import reach

__all__ = ["START", "can_be_undone", "compile_flow", "graph_of", "milliseconds"]

START, END = "start", "end"
TOP = ""


def compile_flow(
    root: Part, messages: Mapping[str, str], answers: Mapping[str, str] = {}
) -> dict[str, g.Node]:
    """Return the nodes of the flow by id, in reading order; it begins at the node `start`.

    `messages`: name of an author's function → type name of the command or event it is about, or of what is shown;
    `answers`: name of an author's function → type name of what comes back.
    """
    compiler = _Compiler(root, messages, answers)
    compiler.put(g.End(id=END))
    entry = compiler.block(root, END, TOP, loop=END)
    compiler.put(g.Start(id=START, next=entry))
    return _reached(dict(reversed(compiler.nodes.items())))


class _Compiler:
    """Collects the nodes, the last one first. `loop` is the scope that an `again` goes back to."""

    def __init__(self, root: Part, messages: Mapping[str, str], answers: Mapping[str, str]) -> None:
        self.messages, self.answers = messages, answers
        self.nodes: dict[str, g.Node] = {}
        self.ids = {id(part.block): part.id for part in root.walk()}

    def put(self, node: g.Node) -> str:
        self.nodes[node.id] = node
        return node.id

    def block(self, part: Part, following: str, scope: str, loop: str) -> str:
        """Compile `part`, which stands in `scope` before `following`; return the id it begins with."""
        match part.block:
            case tuple():
                for inner in reversed(part.parts):
                    following = self.block(inner, following, scope, loop)
                return following
            case Element():
                return self.leaf(part, part.block, following, scope, loop)
            case Choice():
                return self.choice(part, part.block, following, scope, loop)
            case Parallel():
                return self.parallel(part, following, scope, loop)
            case Race():
                return self.race(part, part.block, following, scope, loop)
            case Scope():
                return self.scope(part, part.block, following, scope, loop)
            case Repeat() | Each():
                return self.activity(part, part.block, following, scope)
            case Compensate():
                return self.put(self.compensate(part, part.block, following, scope))
            case Again():
                return self.put(g.Again(id=part.id, scope=scope, target=loop, at_most=part.block.at_most))
            case Refuse():
                reason, code = str(part.block.reason), str(part.block.code)
                return self.put(g.Refuse(id=part.id, scope=scope, reason=reason, code=code))
            case End():
                return self.put(g.Terminate(id=part.id, scope=scope))
            case _:
                return following

    def inner(self, part: Part, role: Role, following: str, scope: str, loop: str) -> list[str]:
        """Compile the parts in `part` that have this role; return the ids they begin with, in reading order."""
        inner = part.inner(role)
        return [self.block(each, following, scope, loop) for each in reversed(inner)][::-1]

    # --- leaves -----------------------------------------------------------------------------------

    def leaf(self, part: Part, leaf: Element[Any, Any], following: str, scope: str, loop: str) -> str:
        common: dict[str, Any] = {"id": leaf.name, "scope": scope, "doc": cleandoc(leaf.doc or "")}
        message = self.messages.get(leaf.name, "")
        match leaf:
            case Step():
                return self.put(self.step(leaf, common | {"next": following, "command": message}))
            case Wait() | Task():
                late = next(iter(self.inner(part, "late", following, scope, loop)), None)
                every = self.every(part, leaf.every, scope, loop)
                common |= {
                    "next": following,
                    "within_ms": milliseconds(leaf.within),
                    "late": late,
                    "every": every,
                }
                if isinstance(leaf, Wait):
                    return self.put(g.Wait(event=message, **common))
                return self.put(g.Task(answer=self.answers.get(leaf.name), subject=message or None, **common))
            case Sleep():
                return self.put(g.Sleep(next=following, **common))
            case Publish():
                return self.put(g.Publish(next=following, event=message, **common))
            case Answer():
                return self.put(g.Answer(next=following, **common))
            case _:  # the items of an `each` are no node of their own; elsewhere they are a problem
                return following

    def step(self, leaf: Step[Any, Any], common: dict[str, Any]) -> g.Step:
        undo = leaf.compensations[-1].name if leaf.compensations else None
        common |= {
            "timeout_ms": milliseconds(leaf.timeout),
            "retry": _policy(leaf.retry),
            "compensation": undo,
            "undo_command": self.messages.get(undo, "") if undo else None,
        }
        if not isinstance(leaf, Call):
            return g.Step(pivot=leaf.pivot, **common)
        called = graph_of(leaf.saga)
        if called is None:
            return g.Call(saga="", version=0, **common)
        pivot = undo is None and _has_pivot(called)
        if undo is None and can_be_undone(leaf):
            common["compensation"] = leaf.name
        return g.Call(pivot=pivot, saga=called.name, version=called.version, **common)

    def every(self, part: Part, every: object, scope: str, loop: str) -> g.Every | None:
        """Compile what happens beside a leaf or scope that stands in `scope`."""
        if not part.inner("every") or not isinstance(every, tuple):
            return None
        end = self.put(g.End(id=f"{part.id}-every-end", scope=scope))
        (start,) = self.inner(part, "every", end, scope, loop)
        at_most = every[2] if len(every) > 2 else None
        return g.Every(milliseconds(every[0]) or 1, start, at_most)

    # --- blocks -----------------------------------------------------------------------------------

    def choice(self, part: Part, choice: Choice, following: str, scope: str, loop: str) -> str:
        targets = [self.block(inner, following, scope, loop) for inner in reversed(part.parts)][::-1]
        names = [name_of(case[0]) if isinstance(case, tuple) and case else "" for case in choice.cases]
        cases = tuple(zip(names, targets, strict=False))
        return self.put(g.Choice(id=part.id, scope=scope, cases=cases, otherwise=targets[-1]))

    def parallel(self, part: Part, following: str, scope: str, loop: str) -> str:
        join = f"{part.id}-join"
        self.put(g.Join(id=join, scope=scope, next=following, count=len(part.parts)))
        targets = [self.block(inner, join, scope, loop) for inner in reversed(part.parts)][::-1]
        return self.put(g.Fork(id=part.id, scope=scope, next=tuple(targets)))

    def race(self, part: Part, race: Race, following: str, scope: str, loop: str) -> str:
        ways = self.inner(part, "way", following, scope, loop)
        late = next(iter(self.inner(part, "late", following, scope, loop)), None)
        after_ms = milliseconds(race.after[0]) if late is not None and race.after else None
        return self.put(g.Race(id=part.id, scope=scope, ways=tuple(ways), after_ms=after_ms, late=late))

    def body(self, part: Part, loop: str) -> str:
        """Compile the body of something that is a scope; return the id of its start."""
        (body,) = part.inner("body")
        end = self.put(g.End(id=f"{part.id}-end", scope=part.id))
        entry = self.block(body, end, part.id, loop)
        return self.put(g.Start(id=f"{part.id}-start", scope=part.id, next=entry))

    def activity(self, part: Part, block: Repeat | Each, following: str, outer: str) -> str:
        start = self.body(part, END)
        if isinstance(block, Repeat):
            until = name_of(block.until)
            return self.put(
                g.Repeat(
                    id=part.id, scope=outer, next=following, start=start, until=until, at_most=block.at_most
                )
            )
        items, concurrency = name_of(block.items), block.concurrency
        return self.put(
            g.Each(id=part.id, scope=outer, next=following, start=start, items=items, concurrency=concurrency)
        )

    def compensate(self, part: Part, block: Compensate, following: str, scope: str) -> g.Compensate:
        target = None if block.target is None else self.ids.get(id(block.target), "")
        return g.Compensate(id=part.id, scope=scope, next=following, target=target)

    def watch(self, way: Part, outer: str) -> str:
        """Compile a wait beside a scope that stands in `outer`, and what its events lead to."""
        leaf = way.parts[0].id if way.parts else ""
        end = self.put(g.End(id=f"{leaf}-whenever-end", scope=outer, wait=leaf))
        return self.block(way, end, outer, END)

    def scope(self, part: Part, scope: Scope, following: str, outer: str, loop: str) -> str:
        codes = scope.catch if isinstance(scope.catch, Mapping) else {}
        targets = self.inner(part, "catch", following, outer, part.id)
        every = self.every(part, scope.every, outer, END)
        whenever = [self.watch(way, outer) for way in reversed(part.inner("whenever"))][::-1]
        start = self.body(part, loop)
        undo = name_of(scope.compensation) if scope.compensation is not None else None
        return self.put(
            g.Scope(
                id=part.id,
                scope=outer,
                next=following,
                start=start,
                timeout_ms=milliseconds(scope.timeout),
                catch=dict(zip(codes, targets, strict=True)),
                compensation=undo,
                undo_command=self.messages.get(undo, "") if undo else None,
                every=every,
                whenever=tuple(whenever),
            )
        )


def graph_of(saga: object) -> g.Graph | None:
    """Return the graph of a saga's class; None when it has none, which is a problem."""
    definition = vars(saga).get("_saga_definition") if isinstance(saga, type) else None
    graph = getattr(definition, "graph", None)
    return graph if isinstance(graph, g.Graph) else None


def can_be_undone(step: Step[Any, Any]) -> bool:
    """Return whether there is something to do to undo a step: a call also undoes what the called saga has done."""
    called = graph_of(step.saga) if isinstance(step, Call) else None
    if step.compensations or called is None:
        return bool(step.compensations)
    nodes = called.nodes.values()
    has = any(isinstance(node, g.Step | g.Scope) and node.compensation is not None for node in nodes)
    return has and not _has_pivot(called)


def _has_pivot(graph: g.Graph) -> bool:
    return any(isinstance(node, g.Step) and node.pivot for node in graph.nodes.values())


def milliseconds(duration: object) -> int | None:
    """Return a timedelta in ms, rounded up, so that nothing ends early; None for anything else."""
    if not isinstance(duration, timedelta):
        return None
    whole, rest = divmod(duration, timedelta(milliseconds=1))
    return whole + bool(rest)


def _policy(retry: object) -> g.RetryPolicy:
    if not isinstance(retry, Retry):
        return g.RetryPolicy()
    return g.RetryPolicy(
        attempts=retry.attempts,
        first_ms=milliseconds(retry.first) or 0,
        factor=_number(retry.factor),
        max_ms=milliseconds(retry.max) or 0,
        jitter=_number(retry.jitter),
    )


def _number(given: object) -> float:
    """Return a float: an int would be another graph once it was stored and read."""
    return float(given) if isinstance(given, int | float) else 0.0


def _reached(nodes: dict[str, g.Node]) -> dict[str, g.Node]:
    """Return those nodes to which a way leads from the start, in the order they are in."""

    def targets(id: str) -> list[str]:
        node = nodes[id]
        inside = [node.start] if isinstance(node, g.Scoped) else []
        return [*(target for _, target in g.flows(node)), *inside]

    found = reach([START], targets)
    return {id: node for id, node in nodes.items() if id in found}
