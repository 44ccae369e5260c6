"""From the flow as it is written to the graph that runs: blocks become nodes that know where to go on.

Rules
1. A block is compiled given the id of the node that follows it, and gives back the id of the node it begins
   with (continuation passing). An empty block begins with what follows it. No flow is patched afterwards.
2. The block in a wait's `otherwise` flows on to what follows the wait; a block in a scope's `catch` stands
   outside of that scope and flows on to what follows it; `again` flows back to that scope.
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
from saga.flow.blocks import Again, Choice, End, Parallel, Refuse, Scope
from saga.flow.elements import Answer, Element, Retry, Sleep, Step, Wait
from saga.flow.parts import Part, name_of
from saga.flow.reach import reach

__all__ = ["START", "compile_flow"]

START, END = "start", "end"
TOP = ""


def compile_flow(root: Part, messages: Mapping[str, str]) -> dict[str, g.Node]:
    """Return the nodes of the flow by id, in reading order; it begins at the node `start`.

    `messages`: name of an author's function → type name of the command or event it is about.
    """
    compiler = _Compiler(messages)
    compiler.put(g.End(id=END))
    entry = compiler.block(root, END, TOP, loop=END)
    compiler.put(g.Start(id=START, next=entry))
    return _reached(dict(reversed(compiler.nodes.items())))


class _Compiler:
    """Collects the nodes, the last one first. `loop` is the scope that an `again` goes back to."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        self.messages = messages
        self.nodes: dict[str, g.Node] = {}

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
            case Scope():
                return self.scope(part, part.block, following, scope, loop)
            case Again():
                return self.put(g.Again(id=part.id, scope=scope, target=loop, at_most=part.block.at_most))
            case Refuse():
                reason, code = str(part.block.reason), str(part.block.code)
                return self.put(g.Refuse(id=part.id, scope=scope, reason=reason, code=code))
            case End():
                return self.put(g.Terminate(id=part.id, scope=scope))
            case _:
                return following

    def leaf(self, part: Part, leaf: Element[Any, Any], following: str, scope: str, loop: str) -> str:
        late = self.block(part.parts[0], following, scope, loop) if part.parts else None
        doc = cleandoc(leaf.doc or "")
        match leaf:
            case Step():
                undo = leaf.compensations[-1].name if leaf.compensations else None
                node: g.Node = g.Step(
                    id=leaf.name,
                    scope=scope,
                    doc=doc,
                    next=following,
                    command=self.messages.get(leaf.name, ""),
                    timeout_ms=_milliseconds(leaf.timeout),
                    retry=_policy(leaf.retry),
                    pivot=leaf.pivot,
                    compensation=undo,
                    undo_command=self.messages.get(undo, "") if undo else None,
                )
            case Wait():
                node = g.Wait(
                    id=leaf.name,
                    scope=scope,
                    doc=doc,
                    next=following,
                    event=self.messages.get(leaf.name, ""),
                    within_ms=_milliseconds(leaf.within),
                    late=late,
                )
            case Sleep():
                node = g.Sleep(id=leaf.name, scope=scope, doc=doc, next=following)
            case Answer():
                node = g.Answer(id=leaf.name, scope=scope, doc=doc, next=following)
            case _:
                raise AssertionError(leaf)
        return self.put(node)

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

    def scope(self, part: Part, scope: Scope, following: str, outer: str, loop: str) -> str:
        body, *catching = part.parts
        codes = scope.catch if isinstance(scope.catch, Mapping) else {}
        targets = [self.block(inner, following, outer, part.id) for inner in reversed(catching)][::-1]
        self.put(g.End(id=f"{part.id}-end", scope=part.id))
        entry = self.block(body, f"{part.id}-end", part.id, loop)
        start = self.put(g.Start(id=f"{part.id}-start", scope=part.id, next=entry))
        undo = name_of(scope.compensation) if scope.compensation is not None else None
        return self.put(
            g.Scope(
                id=part.id,
                scope=outer,
                next=following,
                start=start,
                timeout_ms=_milliseconds(scope.timeout),
                catch=dict(zip(codes, targets, strict=True)),
                compensation=undo,
                undo_command=self.messages.get(undo, "") if undo else None,
            )
        )


def _milliseconds(duration: object) -> int | None:
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
        first_ms=_milliseconds(retry.first) or 0,
        factor=_number(retry.factor),
        max_ms=_milliseconds(retry.max) or 0,
        jitter=_number(retry.jitter),
    )


def _number(given: object) -> float:
    """Return a float: an int would be another graph once it was stored and read."""
    return float(given) if isinstance(given, int | float) else 0.0


def _reached(nodes: dict[str, g.Node]) -> dict[str, g.Node]:
    """Return those nodes to which a way leads from the start, in the order they are in."""

    def targets(id: str) -> list[str]:
        node = nodes[id]
        return [*g.flows(node).values(), *([node.start] if isinstance(node, g.Scope) else ())]

    found = reach([START], targets)
    return {id: node for id, node in nodes.items() if id in found}
