"""What comes by itself: events that a visit waits for, and the time of timers.

A timer that is not due, or not armed any more, leaves nothing at all.
"""

from __future__ import annotations

from saga.flow.graph import Every, Race, Scope, Task, Wait
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.failing import fail_visit, throw
from saga.machine.pending import DEADLINE, REMIND
from saga.machine.state import Direction, Phase, ScopeInstance, Visit
from saga.machine.turn import Turn

__all__ = ["came", "event_arrived", "timer_fired"]


def event_arrived(turn: Turn, stimulus: s.EventArrived) -> None:
    """An event is there that a visit waits for."""
    visit = turn.state.visits.get(stimulus.path)
    if visit is None or visit.phase is not Phase.WAITING:
        turn.ignore("event", stimulus.path, "nobody waits for it any more")
        return
    if stimulus.event_id in turn.state.used_events:
        return
    node = turn.graph.nodes[visit.element]
    assert isinstance(node, Wait)
    turn.record(r.EventTaken(visit.path, stimulus.event_id, stimulus.event))
    came(turn, visit, node.next)


def came(turn: Turn, visit: Visit, target: str) -> None:
    """What the visit waited for is there: it has won its race, if it takes part in one, and the flow goes on."""
    if visit.race:
        turn.record(r.RaceOver(visit.race, visit.path))
    turn.arrive(visit.scope, target)


def timer_fired(turn: Turn, stimulus: s.TimerFired) -> None:
    """The time of a timer has come, or is said to have."""
    visit = turn.state.visits.get(stimulus.path)
    if visit is None:
        scope = turn.state.scopes.get(stimulus.path)
        if scope is not None and scope.direction is Direction.FORWARD:
            _scope_timer(turn, scope, stimulus.timer)
    elif stimulus.timer == DEADLINE:
        if visit.due is not None and turn.now >= visit.due:
            _deadline(turn, visit)
    elif stimulus.timer == REMIND:
        waits = visit.phase in (Phase.WAITING, Phase.TASK)
        if waits and visit.remind is not None and turn.now >= visit.remind:
            _remind(turn, visit, visit.element, visit.scope)
    elif visit.wake is not None and turn.now >= visit.wake:
        _wake(turn, visit)


def _scope_timer(turn: Turn, scope: ScopeInstance, timer: str) -> None:
    if timer == REMIND:
        if scope.remind is not None and turn.now >= scope.remind:
            assert scope.parent is not None
            _remind(turn, scope, scope.element, scope.parent)
    elif scope.due is not None and turn.now >= scope.due:
        what = scope.element or "the saga"
        throw(turn, scope.path, "timeout", f"{what} was not done in time", scope.element)


def _remind(turn: Turn, host: Visit | ScopeInstance, element: str, scope: str) -> None:
    """A token sets out beside what is waited for. Reminders that were due while nobody was there count as one."""
    node = turn.graph.nodes[element]
    every: Every | None = node.every if isinstance(node, Wait | Task | Scope) else None
    assert every is not None
    assert host.remind is not None
    times = host.reminded + 1
    missed = (turn.now - host.remind) // every.interval_ms
    following = host.remind + (missed + 1) * every.interval_ms
    last = every.at_most is not None and times >= every.at_most
    turn.record(r.Reminded(host.path, times, None if last else following))
    turn.arrive(scope, every.start)


def _deadline(turn: Turn, visit: Visit) -> None:
    node = turn.graph.nodes[visit.element]
    if visit.phase in (Phase.OPEN, Phase.BACKOFF):
        turn.record(r.Resolving(visit.path, "timeout"))
    elif isinstance(node, Race):
        assert node.late is not None
        turn.record(r.RaceOver(visit.path))
        turn.arrive(visit.scope, node.late)
    elif isinstance(node, Wait | Task) and visit.phase is not Phase.PARKED:
        ending = r.WaitExpired(visit.path)
        if node.late is None:
            fail_visit(turn, visit, ending, "timeout", _not_in_time(node, visit))
        else:
            turn.record(ending)
            turn.arrive(visit.scope, node.late)


def _not_in_time(node: Wait | Task, visit: Visit) -> str:
    if isinstance(node, Task):
        return f"{node.id} was not decided in time"
    return f"no {node.event} for {visit.key!r} in time"


def _wake(turn: Turn, visit: Visit) -> None:
    if visit.phase is Phase.BACKOFF:
        turn.record(r.AttemptBegun(visit.path, visit.attempt + 1))
    elif visit.phase is Phase.SLEEPING:
        node = turn.graph.nodes[visit.element]
        turn.record(r.Woke(visit.path))
        came(turn, visit, node.next)  # type: ignore[union-attr, arg-type]
