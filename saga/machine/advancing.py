"""Forward: what happens when a token arrives at a node. One function for each kind of node.

A leaf whose function cannot be used is parked where it stands, and disturbs nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec import Raw

from saga.flow import graph as g
from saga.machine import records as r
from saga.machine.failing import terminate, throw
from saga.machine.state import TOP, Direction, ScopeInstance
from saga.machine.turn import MOST_MOVES, Stuck, Turn

__all__ = ["arrive", "complete"]

MOST_ITEMS = 100_000
"""For how many items of one turn tokens may move as often as for none: a long list is no endless loop, but there may be
one around it."""

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
    parent = instance.parent
    assert parent is not None
    node = turn.graph.scope(instance.element)
    match node:
        case g.Scope():
            turn.record(r.ScopeLeft(scope, node.compensation))
            turn.arrive(parent, node.next)
        case g.Repeat():
            _after_round(turn, instance, parent, node)
        case g.Each() if instance.item is not None:
            turn.record(r.ScopeLeft(scope))
            _begin_items(turn, parent, node)
        case g.Each():
            turn.record(r.ScopeLeft(scope))
            turn.arrive(parent, node.next)


def _start(turn: Turn, scope: str, node: g.Start) -> None:
    turn.arrive(scope, node.next)


def _end(turn: Turn, scope: str, node: g.End) -> None:
    turn.touch(scope)
    if node.wait is not None:
        _watch_again(turn, scope, node.wait)


def _watch_again(turn: Turn, scope: str, element: str) -> None:
    """What an event beside a scope has led to is done: wait for the next one, if the scope is still open."""
    wait = turn.graph.nodes[element]
    assert isinstance(wait, g.Wait)
    for host in turn.state.scopes.values():
        if host.parent == scope and element in host.watches and host.direction is _FORWARD:
            _open_wait(turn, scope, wait, host.watches[element], host=host.path)
            return


def _terminate(turn: Turn, scope: str, node: g.Terminate) -> None:
    terminate(turn, scope, node.id)


def _step(turn: Turn, scope: str, node: g.Step) -> None:
    sent = turn.evaluate.command(node.id, turn.item(scope))
    due = None if node.timeout_ms is None else turn.now + node.timeout_ms
    turn.record(
        r.CommandSent(
            turn.path(scope, node.id), node.id, scope, sent.type, sent.command, sent.to, sent.number, due
        )
    )


def _wait(turn: Turn, scope: str, node: g.Wait) -> None:
    _open_wait(turn, scope, node, turn.evaluate.key(node.id, turn.item(scope)))


def _open_wait(turn: Turn, scope: str, node: g.Wait, key: str, *, race: str = "", host: str = "") -> None:
    path, due, remind = turn.path(scope, node.id), _in(turn, node.within_ms), _first(turn, node.every)
    turn.record(r.WaitBegun(path, node.id, scope, node.event, key, due, remind, race, host))


def _in(turn: Turn, duration_ms: int | None) -> int | None:
    return None if duration_ms is None else turn.now + duration_ms


def _first(turn: Turn, every: g.Every | None) -> int | None:
    return None if every is None else turn.now + every.interval_ms


def _task(turn: Turn, scope: str, node: g.Task) -> None:
    _open_task(turn, scope, node, turn.evaluate.subject(node.id, turn.item(scope)))


def _open_task(turn: Turn, scope: str, node: g.Task, subject: Raw, *, race: str = "") -> None:
    path, due, remind = turn.path(scope, node.id), _in(turn, node.within_ms), _first(turn, node.every)
    type = node.answer or "null"
    turn.record(r.TaskOpened(path, node.id, scope, type, subject, due, remind, race, turn.now))


def _sleep(turn: Turn, scope: str, node: g.Sleep) -> None:
    wake_at = turn.evaluate.wake_at(node.id, turn.item(scope), turn.now)
    turn.record(r.SleepBegun(turn.path(scope, node.id), node.id, scope, wake_at))


def _race(turn: Turn, scope: str, node: g.Race) -> None:
    """All functions are called before anything is recorded, so that one that raises parks the race as a whole."""
    path = turn.path(scope, node.id)
    begin: list[Callable[[], None]] = []
    for way in node.ways:
        match turn.graph.nodes[way]:
            case g.Wait() as wait:
                key = turn.evaluate.key(wait.id, turn.item(scope))
                begin.append(partial(_open_wait, turn, scope, wait, key, race=path))
            case g.Task() as task:
                subject = turn.evaluate.subject(task.id, turn.item(scope))
                begin.append(partial(_open_task, turn, scope, task, subject, race=path))
            case sleep:
                due = turn.evaluate.wake_at(sleep.id, turn.item(scope), turn.now)
                slept = r.SleepBegun(turn.path(scope, sleep.id), sleep.id, scope, due, path)
                begin.append(partial(turn.record, slept))
    turn.record(r.RaceBegun(path, node.id, scope, _in(turn, node.after_ms)))
    for each in begin:
        each()


def _publish(turn: Turn, scope: str, node: g.Publish) -> None:
    type, key, event = turn.evaluate.event(node.id, turn.item(scope))
    turn.record(r.EventPublished(turn.path(scope, node.id), node.id, scope, type, event, key))
    turn.arrive(scope, node.next)


def _answer(turn: Turn, scope: str, node: g.Answer) -> None:
    answer = turn.evaluate.answer(node.id, turn.item(scope))
    turn.record(r.Answered(turn.path(scope, node.id), node.id, scope, answer))
    turn.arrive(scope, node.next)


def _choice(turn: Turn, scope: str, node: g.Choice) -> None:
    for condition, target in node.cases:
        if turn.evaluate.condition(condition, turn.item(scope)):
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
    beside = [(wait, turn.evaluate.key(wait.id, turn.item(scope))) for wait in _boundary_waits(turn, node)]
    path = turn.path(scope, node.id)
    turn.record(r.ScopeEntered(path, node.id, scope, _in(turn, node.timeout_ms), _first(turn, node.every)))
    for wait, key in beside:
        _open_wait(turn, scope, wait, key, host=path)
    turn.arrive(path, node.start)


def _boundary_waits(turn: Turn, node: g.Scope) -> list[g.Wait]:
    waits = (turn.graph.nodes[id] for id in node.whenever)
    return [wait for wait in waits if isinstance(wait, g.Wait)]


def _repeat(turn: Turn, scope: str, node: g.Repeat) -> None:
    _begin_round(turn, scope, node, 1)


def _begin_round(turn: Turn, scope: str, node: g.Repeat, round: int) -> None:
    path = turn.path(scope, node.id)
    turn.record(r.ScopeEntered(path, node.id, scope, round=round))
    turn.arrive(path, node.start)


def _after_round(turn: Turn, instance: ScopeInstance, parent: str, node: g.Repeat) -> None:
    """Ask whether it is enough, while the round is still there to be parked in."""
    path = instance.path
    try:
        enough = instance.round >= node.at_most or turn.evaluate.condition(node.until, turn.item(path))
    except Stuck as stuck:
        turn.park_token(path, node.id, stuck.kind, stuck.reason)
        return
    turn.record(r.ScopeLeft(path))
    if enough:
        turn.arrive(parent, node.next)
    else:
        _begin_round(turn, parent, node, instance.round + 1)


def _each(turn: Turn, scope: str, node: g.Each) -> None:
    items = turn.evaluate.items(node.items, turn.item(scope))
    path = turn.path(scope, node.id)
    turn.record(r.EachBegun(path, node.id, scope, node.items, items))
    _begin_items(turn, path, node)


def _begin_items(turn: Turn, path: str, node: g.Each) -> None:
    """Begin as many items as may be under way at once; when none is left and none is open, the `each` is complete."""
    each = turn.state.scopes[path]
    items = each.items
    assert items is not None
    while items.begun < len(items.values) and each.open < node.concurrency:
        index = items.begun
        item = f"{path}/item.{index + 1}"
        turn.record(r.ItemBegun(item, node.id, path, index))
        turn.items += 1
        if turn.items <= MOST_ITEMS:  # a long list is no flow that goes round and round
            turn.left = MOST_MOVES
        turn.arrive(item, node.start)
    turn.touch(path)


def _compensate(turn: Turn, scope: str, node: g.Compensate) -> None:
    turn.record(r.CompensationBegun(turn.path(scope, node.id), node.id, scope, node.target or ""))
    turn.touch(scope)


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
    g.Call: _step,
    g.Wait: _wait,
    g.Task: _task,
    g.Sleep: _sleep,
    g.Answer: _answer,
    g.Publish: _publish,
    g.Choice: _choice,
    g.Race: _race,
    g.Fork: _fork,
    g.Join: _join,
    g.Scope: _scope,
    g.Repeat: _repeat,
    g.Each: _each,
    g.Compensate: _compensate,
    g.Again: _again,
    g.Refuse: _refuse,
}
