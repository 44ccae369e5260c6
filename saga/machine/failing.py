"""Turning back: a refusal is thrown, a scope fails, what is open in it is inquired.

Rules
1. A refusal is caught by the innermost scope around it that catches its code and still goes forward.
   Nobody catches it: the whole saga turns back, once.
2. After a pivot there is no way back: a refusal that nobody catches parks the visit it came from.
3. Before anything is undone, what is still open in the scope comes to an end: waits and sleeps are dropped,
   and of each command sent the participant is asked what became of it. Before it has answered, nothing is
   undone.
4. A caught refusal: everything in the scope is undone first, then the flow goes on at the catch.
"""

from __future__ import annotations

from saga.flow.graph import Scope, Step
from saga.machine import records as r
from saga.machine.state import TOP, Direction, Phase, ScopeInstance, Visit
from saga.machine.turn import Turn

__all__ = [
    "cancel",
    "cancel_refusal",
    "fail_scope",
    "fail_visit",
    "forward_only",
    "goes_forward",
    "terminate",
    "throw",
]


def catcher(turn: Turn, scope: str, code: str) -> ScopeInstance | None:
    """Return the scope instance that catches a refusal of this code from inside `scope`, or None."""
    instance = turn.state.scopes[scope]
    while instance.parent is not None:
        node = turn.graph.nodes[instance.element]
        if instance.direction is Direction.FORWARD and isinstance(node, Scope) and code in node.catch:
            return instance
        instance = turn.state.scopes[instance.parent]
    return None


def goes_forward(turn: Turn, path: str) -> bool:
    """Return whether a scope instance is there and has not turned back."""
    scope = turn.state.scopes.get(path)
    return scope is not None and scope.direction is Direction.FORWARD


def forward_only(turn: Turn, visit: Visit, code: str) -> bool:
    """Whether a failure of this visit leads nowhere: a pivot was passed, and nobody catches the code."""
    return turn.state.pivoted and catcher(turn, visit.scope, code) is None


def throw(turn: Turn, scope: str, code: str, reason: str, element: str) -> None:
    """Refuse with `code` inside of the scope instance `scope`; `element` is where it comes from."""
    caught = catcher(turn, scope, code)
    if caught is not None:
        fail_scope(turn, caught, code, reason, element, caught=True)
    elif turn.state.pivoted:
        turn.park_token(scope, element, _kind(code), reason)
    else:
        fail_scope(turn, turn.state.top, code, reason, element, caught=False)


def fail_visit(turn: Turn, visit: Visit, ending: r.Record, code: str, reason: str) -> None:
    """An open visit fails: `ending` records its end, then the refusal is thrown. After a pivot it is parked
    instead, as it is, when nobody catches the refusal."""
    if forward_only(turn, visit, code):
        turn.park(visit, _kind(code), reason)
        return
    turn.record(ending)
    throw(turn, visit.scope, code, reason, visit.element)


def fail_scope(
    turn: Turn, scope: ScopeInstance, code: str, reason: str, element: str, *, caught: bool
) -> None:
    """Let a scope instance turn back."""
    turn.record(r.ScopeFailed(scope.path, code, reason, element, caught))
    _resolve_open(turn, scope.path, f"{code} at {element}" if element else code)
    turn.touch(scope.path)


def terminate(turn: Turn, scope: str, element: str) -> None:
    """End a scope instance here and now."""
    turn.record(r.Terminated(scope, element))
    _resolve_open(turn, scope, f"ended by {element}")
    turn.touch(scope)


def _resolve_open(turn: Turn, scope: str, why: str) -> None:
    """Inquire about every command of a step that is open in the scope instance. Compensations just go on."""
    for visit in list(turn.state.visits.values()):
        if visit.scope == scope and visit.undoes is None and visit.phase is not Phase.RESOLVING:
            turn.record(r.Resolving(visit.path, why))


def cancel_refusal(turn: Turn) -> str | None:
    """Return why the saga cannot be cancelled now, or None."""
    if turn.state.pivoted:
        return "a pivot step was completed, from there it only goes forward"
    for visit in turn.state.visits.values():
        node = turn.graph.nodes[visit.element]
        under_way = visit.sent is not None and visit.phase is not Phase.PARKED
        if isinstance(node, Step) and node.pivot and under_way:
            return f"its pivot step {visit.element} is under way; wait for its outcome"
    return None


def cancel(turn: Turn, reason: str) -> None:
    """Give the saga up: it turns back as if a refusal had come from nowhere."""
    if turn.state.scopes[TOP].direction is Direction.FORWARD:
        fail_scope(turn, turn.state.top, "cancelled", reason, "", caught=False)


def _kind(code: str) -> str:
    return code if code in ("failed", "timeout") else "refused"
