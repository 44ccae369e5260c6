"""Backward: what was done is undone, strictly in the reverse of the order of completion, one at a time.

Only what completed is undone, at most once for each completion. A compensation that is refused, or out of
attempts, is parked, and nothing before it is undone until a person has decided.
"""

from __future__ import annotations

from saga.machine import records as r
from saga.machine.state import TOP, ScopeInstance
from saga.machine.turn import Stuck, Turn

__all__ = ["undo_next"]


def undo_next(turn: Turn, scope: ScopeInstance) -> bool:
    """Send the next compensation of a scope instance in which nothing is open; False when none is left."""
    if not scope.done or scope.done[-1].order <= scope.keep:
        return False
    done = scope.done[-1]
    path = f"{done.path}~{done.tries + 1}"
    try:
        sent = turn.evaluate.undo(done.undo, done)
    except Stuck as stuck:
        turn.record(
            r.Parked(path, done.element, scope.path, stuck.kind, stuck.reason, turn.now, of=done.path)
        )
        return True
    turn.record(
        r.UndoSent(path, done.element, scope.path, done.path, sent.type, sent.command, sent.to, sent.number)
    )
    return True


def undone(turn: Turn, scope: ScopeInstance) -> None:
    """All in a failed scope is undone: the saga is over, or the flow goes on where the refusal was caught."""
    if scope.path == TOP:
        turn.record(r.Ended("COMPENSATED"))
        return
    assert scope.parent is not None
    assert scope.failure is not None
    node = turn.graph.scope(scope.element)
    turn.record(r.ScopeUndone(scope.path))
    turn.arrive(scope.parent, node.catch[scope.failure.code])
