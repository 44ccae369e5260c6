"""`decide`: what follows from a stimulus. The one place where the rules of a saga are put to work.

Rules
1. `decide` takes the state it owns, and returns the records of what happened; the state evolves with them.
   No clock, no randomness, no effect: the time is an argument, effects are the difference of `pending`.
2. A late, repeated or foreign stimulus is not impossible: it is recorded as ignored. A timer that is not due,
   or not armed any more, leaves nothing at all. Only an operator's action may be refused (NotPossible, and
   nothing has changed).
3. A suspended saga holds what comes in, and takes it up in the same order when it is resumed.
4. After `decide` raised anything else than NotPossible the state is undefined: throw it away and replay.

Compensation follows Garcia-Molina & Salem, "Sagas" (SIGMOD 1987); boundary events, scopes and gateways are
those of BPMN 2.0 (OMG formal/2011-01-03, chapter 13), with one difference: a scope whose refusal is caught is
undone first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saga.flow.graph import Graph, Task
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.acting import act, open_task
from saga.machine.advancing import arrive, complete
from saga.machine.failing import cancel, cancel_refusal, goes_forward
from saga.machine.hearing import blocked, completed, failed, refused, resolved
from saga.machine.state import TOP, Direction, State, Status
from saga.machine.timing import came, event_arrived, timer_fired
from saga.machine.turn import Evaluate, NotPossible, Turn
from saga.machine.undoing import undo_next, undo_some, undone

__all__ = ["decide"]

_FORWARD = Direction.FORWARD  # looked up once: see `pending`


def decide(
    graph: Graph,
    state: State | None,
    stimulus: s.Stimulus,
    now_ms: int,
    evaluate: Evaluate,
    begun: Callable[[State], None] | None = None,
) -> tuple[State, list[r.Record]]:
    """Answer `stimulus` at the time `now_ms` (UTC ms). `state` is None only for `Start`; `begun` is told the state
    that it leads to before any function of the author is called.

    Returns the state, evolved in place, and the records in order; none when nothing is worth remembering.
    Raises NotPossible when an operator's action does not fit; state and journal are then as they were.
    """
    turn = Turn(graph, state, now_ms, evaluate)  # type: ignore[arg-type]  # see `Turn.state`
    if isinstance(stimulus, s.Start):
        _begin(turn, stimulus)
        if begun is not None:
            begun(turn.state)
    elif turn.state.ended is not None:
        _after_the_end(turn, stimulus)
    elif turn.state.suspended:
        _while_suspended(turn, stimulus)
    else:
        _TAKE[type(stimulus)](turn, stimulus)
    _run(turn)
    return turn.state, turn.records


def _run(turn: Turn) -> None:
    """Let tokens go on until they all wait, then see what has come to an end; innermost scopes first."""
    state, tokens = turn.state, turn.tokens
    while state.ended is None:
        if tokens:
            scope, node = tokens.pop(0)
            turn.left -= 1
            if turn.left < 0 and goes_forward(turn, scope):
                turn.park_token(scope, node, "function", "it goes round and round without ever waiting")
            else:
                arrive(turn, scope, node)
        elif turn.dirty:
            path = max(turn.dirty, key=_depth)
            del turn.dirty[path]
            _settle(turn, path)
        else:
            return


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _settle(turn: Turn, path: str) -> None:
    scope = turn.state.scopes.get(path)
    if scope is None:
        return
    if scope.undoing and scope.direction is Direction.FORWARD and undo_some(turn, scope):
        return
    if scope.open:
        return
    if scope.direction is _FORWARD:
        complete(turn, path)
    elif undo_next(turn, scope):
        pass
    elif scope.direction is Direction.ENDING:
        complete(turn, path)
    else:
        undone(turn, scope)


# --- the beginning, the end, and in between ---------------------------------------------------------


def _begin(turn: Turn, start: s.Start) -> None:
    if turn.state is not None:
        raise ValueError(f"saga {start.id!r} has begun already")
    graph = turn.graph
    turn.begin(
        r.Started(
            start.id,
            graph.name,
            graph.version,
            graph.digest(),
            start.input_type,
            start.input,
            turn.now,
            start.correlation,
            start.causation,
            start.tags,
            start.event_id,
            due=None if graph.deadline_ms is None else max(turn.now, start.at) + graph.deadline_ms,
            parent=start.parent,
            reply_to=start.reply_to,
        )
    )
    if start.at > turn.now:
        turn.record(r.SleepBegun(turn.path(TOP, graph.start), graph.start, TOP, start.at))
    else:
        turn.arrive(TOP, graph.start)


def _after_the_end(turn: Turn, stimulus: s.Stimulus) -> None:
    match stimulus:
        case s.TimerFired() | s.Cancel() | s.GiveUp():
            return
        case s.Reverse():
            if turn.state.ended is Status.COMPLETED:
                turn.record(r.Reversed(stimulus.reply_to))
                turn.touch(TOP)
        case s.Retry() | s.Skip() | s.MarkDone() | s.Suspend() | s.Resume() | s.Decide() | s.Assign():
            raise NotPossible(f"it is {turn.state.status.value}, nothing changes it any more")
        case s.Start():
            raise AssertionError
        case _:
            turn.ignore(type(stimulus).__name__.lower(), stimulus.path, "the saga is over")


def _while_suspended(turn: Turn, stimulus: s.Stimulus) -> None:
    match stimulus:
        case s.TimerFired() | s.EventArrived():
            return  # not armed: taken up again from `pending` once it is resumed
        case s.Resume():
            held = turn.state.held
            turn.record(r.Resumed(stimulus.reason))
            for data in held:
                taken = s.decode_stimulus(data)
                (_TAKE[type(taken)] if turn.state.ended is None else _after_the_end)(turn, taken)
                _run(turn)
        case s.Cancel() | s.Retry() | s.Skip() | s.MarkDone() | s.Suspend() | s.Decide() | s.Assign():
            raise NotPossible("it is suspended; resume it first")
        case s.Start():
            raise AssertionError
        case _:
            turn.record(r.Held(s.encode_stimulus(stimulus), stimulus.path))


# --- persons and callers ----------------------------------------------------------------------------


def _decided(turn: Turn, stimulus: s.Decide) -> None:
    visit = open_task(turn.state, stimulus.path)
    node = turn.graph.nodes[visit.element]
    assert isinstance(node, Task)
    turn.record(r.TaskDone(visit.path, stimulus.answer, stimulus.by))
    came(turn, visit, node.next)


def _assigned(turn: Turn, stimulus: s.Assign) -> None:
    visit = open_task(turn.state, stimulus.path)
    turn.record(r.TaskAssigned(visit.path, stimulus.to, stimulus.by))


def _give_up(turn: Turn, stimulus: s.GiveUp) -> None:
    """The caller waits for the end in any case: one that cannot go back any more goes on to its end."""
    forward = turn.state.scopes[TOP].direction is Direction.FORWARD
    if forward and cancel_refusal(turn) is None:
        turn.record(r.Acted("cancel", "", stimulus.reason))
        cancel(turn, stimulus.reason)


def _reverse(turn: Turn, stimulus: s.Reverse) -> None:
    """It has not completed, so there is nothing to reverse: its caller hears of its end."""


def _resume(turn: Turn, stimulus: s.Resume) -> None:
    raise NotPossible("it is not suspended")


_TAKE: dict[type, Callable[[Turn, Any], None]] = {
    s.Completed: completed,
    s.Refused: refused,
    s.Failed: failed,
    s.Resolved: resolved,
    s.Blocked: blocked,
    s.EventArrived: event_arrived,
    s.TimerFired: timer_fired,
    s.GiveUp: _give_up,
    s.Reverse: _reverse,
    s.Decide: _decided,
    s.Assign: _assigned,
    s.Cancel: act,
    s.Retry: act,
    s.Skip: act,
    s.MarkDone: act,
    s.Suspend: act,
    s.Resume: _resume,
}
