"""Forward: what happens when a token arrives at a node. One function for each kind of node.

A leaf whose function cannot be used is parked where it stands, and disturbs nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saga.flow import graph as g
from saga.machine import records as r
from saga.machine.failing import terminate, throw
from saga.machine.state import TOP, Direction
from saga.machine.turn import Stuck, Turn

__all__ = ["arrive", "complete"]

_FORWARD = Direction.FORWARD  # looked up once: see `pending`


def arrive(turn: Turn, scope: str, node_id: str) -> None:
    """Let a token arrive at a node. In a scope that has turned back meanwhile it is gone."""
    instance = turn.state.scopes.get(scope)
    if instance is None:
        return
    if instance.direction is not _FORWARD:
        turn.touch(scope)  # it may have been the last thing that was open there
        return
    node = turn.graph.nodes[node_id]
    try:
        _ARRIVE[type(node)](turn, scope, node)
    except Stuck as stuck:
        turn.park_token(scope, node_id, stuck.kind, stuck.reason)


def complete(turn: Turn, scope: str) -> None:
    """Nothing is left in a scope that is not to be undone: it is completed, the flow goes on behind it."""
    if scope == TOP:
        turn.record(r.Ended("COMPLETED"))
        return
    instance = turn.state.scopes[scope]
    node = turn.graph.scope(instance.element)
    assert instance.parent is not None
    turn.record(r.ScopeLeft(scope, node.compensation))
    turn.arrive(instance.parent, node.next)


def _start(turn: Turn, scope: str, node: g.Start) -> None:
    turn.arrive(scope, node.next)


def _end(turn: Turn, scope: str, node: g.End) -> None:
    turn.touch(scope)


def _terminate(turn: Turn, scope: str, node: g.Terminate) -> None:
    terminate(turn, scope, node.id)


def _step(turn: Turn, scope: str, node: g.Step) -> None:
    sent = turn.evaluate.command(node.id)
    due = None if node.timeout_ms is None else turn.now + node.timeout_ms
    turn.record(
        r.CommandSent(
            turn.path(scope, node.id), node.id, scope, sent.type, sent.command, sent.to, sent.number, due
        )
    )


def _wait(turn: Turn, scope: str, node: g.Wait) -> None:
    key = turn.evaluate.key(node.id)
    due = None if node.within_ms is None else turn.now + node.within_ms
    turn.record(r.WaitBegun(turn.path(scope, node.id), node.id, scope, node.event, key, due))


def _sleep(turn: Turn, scope: str, node: g.Sleep) -> None:
    wake_at = turn.evaluate.wake_at(node.id, turn.now)
    turn.record(r.SleepBegun(turn.path(scope, node.id), node.id, scope, wake_at))


def _answer(turn: Turn, scope: str, node: g.Answer) -> None:
    answer = turn.evaluate.answer(node.id)
    turn.record(r.Answered(turn.path(scope, node.id), node.id, scope, answer))
    turn.arrive(scope, node.next)


def _choice(turn: Turn, scope: str, node: g.Choice) -> None:
    for condition, target in node.cases:
        if turn.evaluate.condition(condition):
            turn.record(r.Chosen(node.id, scope, condition))
            turn.arrive(scope, target)
            return
    turn.record(r.Chosen(node.id, scope, "otherwise"))
    turn.arrive(scope, node.otherwise)


def _fork(turn: Turn, scope: str, node: g.Fork) -> None:
    for target in node.next:
        turn.arrive(scope, target)


def _join(turn: Turn, scope: str, node: g.Join) -> None:
    turn.record(r.JoinReached(node.id, scope, node.count))
    if node.id not in turn.state.scopes[scope].joins:
        turn.arrive(scope, node.next)


def _scope(turn: Turn, scope: str, node: g.Scope) -> None:
    path = turn.path(scope, node.id)
    due = None if node.timeout_ms is None else turn.now + node.timeout_ms
    turn.record(r.ScopeEntered(path, node.id, scope, due))
    turn.arrive(path, node.start)


def _again(turn: Turn, scope: str, node: g.Again) -> None:
    instance = turn.state.scopes[scope]
    times = instance.ordinals.get(node.id, 0) + 1
    if times <= node.at_most:
        turn.record(r.Looped(node.id, scope, times))
        turn.arrive(scope, node.target)
        return
    failure = instance.caught.get(node.target)
    code = failure.code if failure else "failed"
    reason = failure.reason if failure else f"{node.target} was tried {node.at_most} times again"
    throw(turn, scope, code, reason, node.id)


def _refuse(turn: Turn, scope: str, node: g.Refuse) -> None:
    throw(turn, scope, node.code, node.reason, node.id)


_ARRIVE: dict[type, Callable[[Turn, str, Any], None]] = {
    g.Start: _start,
    g.End: _end,
    g.Terminate: _terminate,
    g.Step: _step,
    g.Wait: _wait,
    g.Sleep: _sleep,
    g.Answer: _answer,
    g.Choice: _choice,
    g.Fork: _fork,
    g.Join: _join,
    g.Scope: _scope,
    g.Again: _again,
    g.Refuse: _refuse,
}
