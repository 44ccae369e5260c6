"""Backward: what was done is undone, strictly in the reverse of the order of completion, one at a time.

Only what completed is undone, at most once for each completion. A compensation that is refused, or out of
attempts, is parked, and nothing before it is undone until a person has decided.

The same holds for a compensation in the middle of the flow (`compensate`), which undoes a part and goes on.
"""

from __future__ import annotations

from saga.flow.graph import Compensate, Each, Scope
from saga.machine import records as r
from saga.machine.state import TOP, Done, Phase, ScopeInstance
from saga.machine.turn import Stuck, Turn

__all__ = ["undo_next", "undo_some", "undone"]


def undo_next(turn: Turn, scope: ScopeInstance) -> bool:
    """Send the next compensation of a scope instance in which nothing is open; False when none is left."""
    if not scope.done or scope.done[-1].order <= scope.keep:
        return False
    _send(turn, scope, scope.done[-1])
    return True


def undo_some(turn: Turn, scope: ScopeInstance) -> bool:
    """Go on with the compensations that stand in the middle of the flow of a scope instance which goes forward: send
    the next one, or let the flow go on when none is left. One at a time, whoever asked for it.

    Return whether anything goes on, so that the scope is not complete though nothing may be open in it."""
    visits = [visit for visit in turn.state.visits.values() if visit.scope == scope.path]
    if any(visit.undoes is not None for visit in visits):
        return True
    goes_on = False
    for visit in visits:
        if visit.phase is not Phase.UNDOING:
            continue
        wanted = (
            x for x in reversed(scope.done) if x.order <= visit.until and _belongs_to(turn, x, visit.target)
        )
        done = next(wanted, None)
        goes_on = True
        if done is not None:
            _send(turn, scope, done)
            break
        node = turn.graph.nodes[visit.element]
        assert isinstance(node, Compensate)
        turn.record(r.CompensationDone(visit.path))
        turn.arrive(visit.scope, node.next)
    return goes_on


def _belongs_to(turn: Turn, done: Done, target: str) -> bool:
    """Whether something was done by the element `target`, or in it: its path names all it is in."""
    is_item = False
    for part in done.path.split("/") if target else ():
        element = part.rpartition(".")[0]
        if element == target and not is_item:
            return True
        is_item = not is_item and isinstance(turn.graph.nodes.get(element), Each)
    return not target


def _send(turn: Turn, scope: ScopeInstance, done: Done) -> None:
    path = f"{done.path}~{done.tries + 1}"
    try:
        sent = turn.evaluate.undo(done.undo, done)
    except Stuck as stuck:
        turn.record(
            r.Parked(path, done.element, scope.path, stuck.kind, stuck.reason, turn.now, of=done.path)
        )
        return
    turn.record(
        r.UndoSent(path, done.element, scope.path, done.path, sent.type, sent.command, sent.to, sent.number)
    )


def undone(turn: Turn, scope: ScopeInstance) -> None:
    """All in a failed scope is undone: the saga is over, or the flow goes on where the refusal was caught."""
    if scope.path == TOP:
        turn.record(r.Ended("COMPENSATED"))
        return
    assert scope.parent is not None
    assert scope.failure is not None
    node = turn.graph.scope(scope.element)
    assert isinstance(node, Scope)
    turn.record(r.ScopeUndone(scope.path))
    turn.arrive(scope.parent, node.catch[scope.failure.code])
