"""What a person does to a saga: retry, skip, mark done, suspend, resume, cancel; recorded with the reason.

Retrying keeps the command's id where no outcome is stored under it (a technical failure, a participant that
is back, an outcome that nobody knows), so that an effect that did happen is found by its idempotency key.
Where an outcome is stored (a refusal, a command made void by an inquiry) only a new visit with a new id can
lead to another one. See docs/adr for why.
"""

from __future__ import annotations

from saga.flow import graph as g
from saga.machine import failing
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.state import TOP, Direction, Phase, State, Visit
from saga.machine.turn import NotPossible, Turn

__all__ = ["act", "open_task", "parked_visit"]

_BLOCKED = frozenset({"no-handler", "down", "poison"})
"""Incidents after which the command, or the inquiry about it, is sent again as it was."""
_FAILED = frozenset({"failed", "undo-failed"})
"""Incidents after which nothing is stored under the id of the command, unless it was inquired."""


def act(turn: Turn, action: s.Stimulus) -> None:
    """Carry out an operator's action. Raises NotPossible, and records nothing, when it does not fit."""
    match action:
        case s.Cancel():
            _cancel(turn, action)
        case s.Retry():
            _retry(turn, action)
        case s.Skip():
            _skip(turn, action)
        case s.MarkDone():
            _mark_done(turn, action)
        case s.Suspend():
            turn.record(r.Suspended(action.reason))
        case _:
            raise TypeError(f"{action!r} is no action of an operator")


def parked_visit(state: State, path: str) -> Visit:
    """Return the parked visit of this path or element, or the only one there is when `path` is empty."""
    return _only(state, path, Phase.PARKED, "parked")


def open_task(state: State, path: str) -> Visit:
    """Return the open task of this path or element, or the only one there is when `path` is empty."""
    return _only(state, path, Phase.TASK, "an open task")


def _only(state: State, path: str, phase: Phase, what: str) -> Visit:
    found = [visit for visit in state.visits.values() if visit.phase is phase]
    if not found:
        raise NotPossible(f"nothing in it is {what}, it is {state.status.value}")
    chosen = [visit for visit in found if not path or path in (visit.path, visit.element)]
    if len(chosen) == 1:
        return chosen[0]
    there = ", ".join(visit.path for visit in found[:10]) + (", ..." if len(found) > 10 else "")
    raise NotPossible(
        f"{path!r} is not {what}; there is: {there}" if not chosen else f"say which one of {there} is meant"
    )


def _cancel(turn: Turn, action: s.Cancel) -> None:
    if turn.state.scopes[TOP].direction is not Direction.FORWARD:
        return  # it is being undone already: a cancel changes nothing
    why_not = failing.cancel_refusal(turn)
    if why_not:
        raise NotPossible(why_not)
    turn.record(r.Acted("cancel", "", action.reason))
    failing.cancel(turn, action.reason)


def _retry(turn: Turn, action: s.Retry) -> None:
    visit = parked_visit(turn.state, action.path)
    assert visit.incident is not None
    kind, node = visit.incident.kind, turn.graph.nodes[visit.element]
    turn.record(r.Acted("retry", visit.path, action.reason))
    if visit.inquired and kind in _BLOCKED:
        turn.record(r.Resolving(visit.path, action.reason))
    elif visit.sent is not None and (kind in _BLOCKED or _no_outcome_is_stored(visit, kind)):
        turn.record(r.AttemptBegun(visit.path, visit.attempt + 1, anew=True))
    else:
        turn.record(r.Unparked(visit.path))
        if visit.undoes is not None or visit.element == turn.state.scopes[visit.scope].element:
            turn.touch(visit.scope)  # the latter: a round whose condition could not be asked
        else:  # at an `again` that is used up, trying again is going round once more
            turn.arrive(visit.scope, node.target if isinstance(node, g.Again) else visit.element)


def _no_outcome_is_stored(visit: Visit, kind: str) -> bool:
    """Whether sending the command again, with its id, may lead to something else than it has led to."""
    return (kind in _FAILED and not visit.inquired) or (kind in ("failed", "timeout") and visit.unknown)


def _skip(turn: Turn, action: s.Skip) -> None:
    visit = parked_visit(turn.state, action.path)
    if visit.undoes is not None:
        turn.record(r.Acted("skip", visit.path, action.reason))
        turn.record(r.UndoSkipped(visit.path, action.reason))
        turn.touch(visit.scope)
        return
    target = _after(turn, visit)
    turn.record(r.Acted("skip", visit.path, action.reason))
    turn.record(r.StepSkipped(visit.path, action.reason))
    turn.arrive(visit.scope, target)


def _mark_done(turn: Turn, action: s.MarkDone) -> None:
    visit = parked_visit(turn.state, action.path)
    if visit.undoes is not None:
        turn.record(r.Acted("mark_done", visit.path, action.reason))
        turn.record(r.UndoCompleted(visit.path, "hand"))
        turn.touch(visit.scope)
        return
    node = turn.graph.nodes[visit.element]
    if not isinstance(node, g.Step):
        raise NotPossible(f"{visit.element} is no step, so it cannot be marked done; retry it or skip it")
    turn.record(r.Acted("mark_done", visit.path, action.reason))
    turn.record(r.StepCompleted(visit.path, action.answer, node.compensation, node.pivot, "hand"))
    turn.arrive(visit.scope, node.next)


def _element(turn: Turn, visit: Visit) -> str:
    return turn.state.scopes[visit.scope].element


def _after(turn: Turn, visit: Visit) -> str:
    node = turn.graph.nodes[visit.element]
    match node:
        case g.Step() | g.Wait() | g.Task() | g.Sleep() | g.Publish() | g.Answer() | g.Compensate():
            return node.next
        case g.Repeat() | g.Each() | g.Scope() if node.scope == _element(turn, visit):
            return node.next
        case g.Choice():
            return node.otherwise
        case g.Again():
            return turn.graph.scope(node.target).next
        case _:
            raise NotPossible(f"there is no way around {visit.element}; retry it")
