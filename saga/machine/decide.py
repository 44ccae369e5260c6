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

import zlib
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from saga.flow.graph import Graph, RetryPolicy, Step, Wait
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.acting import act
from saga.machine.advancing import arrive, complete
from saga.machine.failing import fail_visit, forward_only, throw
from saga.machine.pending import DEADLINE
from saga.machine.state import TOP, Direction, Failure, Phase, State, Visit
from saga.machine.turn import Evaluate, NotPossible, Turn
from saga.machine.undoing import undo_next, undone

__all__ = ["UNDO_RETRY", "decide"]

UNDO_RETRY = RetryPolicy(attempts=10, first_ms=100, factor=2.0, max_ms=60_000, jitter=0.1)
"""Technical failures of a compensation: after 10 attempts a person is needed (DESIGN section 10)."""

MOST_MOVES = 10_000
"""How often tokens may move in one turn. A flow that never waits would hold up all sagas, and fill the memory."""

_FORWARD = Direction.FORWARD  # looked up once: see `pending`

UNDECIDED = "whether this pivot step was done is unknown, so a person must decide"


def decide(
    graph: Graph, state: State | None, stimulus: s.Stimulus, now_ms: int, evaluate: Evaluate
) -> tuple[State, list[r.Record]]:
    """Answer `stimulus` at the time `now_ms` (UTC ms). `state` is None only for `Start`.

    Returns the state, evolved in place, and the records in order; none when nothing is worth remembering.
    Raises NotPossible when an operator's action does not fit; state and journal are then as they were.
    """
    turn = Turn(graph, state, now_ms, evaluate)  # type: ignore[arg-type]  # see `Turn.state`
    if isinstance(stimulus, s.Start):
        _begin(turn, stimulus)
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
    left, state, tokens = MOST_MOVES, turn.state, turn.tokens
    while state.ended is None:
        if tokens:
            scope, node = tokens.pop(0)
            left -= 1
            if left < 0 and _goes_forward(turn, scope):
                turn.park_token(scope, node, "function", "it goes round and round without ever waiting")
            else:
                arrive(turn, scope, node)
        elif turn.dirty:
            path = max(turn.dirty, key=_depth)
            del turn.dirty[path]
            _settle(turn, path)
        else:
            return


def _goes_forward(turn: Turn, path: str) -> bool:
    scope = turn.state.scopes.get(path)
    return scope is not None and scope.direction is _FORWARD


def _depth(path: str) -> int:
    return path.count("/") + 1 if path else 0


def _settle(turn: Turn, path: str) -> None:
    scope = turn.state.scopes.get(path)
    if scope is None or scope.open:
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
        )
    )
    if start.at > turn.now:
        turn.record(r.SleepBegun(turn.path(TOP, graph.start), graph.start, TOP, start.at))
    else:
        turn.arrive(TOP, graph.start)


def _after_the_end(turn: Turn, stimulus: s.Stimulus) -> None:
    match stimulus:
        case s.TimerFired() | s.Cancel():
            return
        case s.Retry() | s.Skip() | s.MarkDone() | s.Suspend() | s.Resume():
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
        case s.Cancel() | s.Retry() | s.Skip() | s.MarkDone() | s.Suspend():
            raise NotPossible("it is suspended; resume it first")
        case s.Start():
            raise AssertionError
        case _:
            turn.record(r.Held(s.encode_stimulus(stimulus), stimulus.path))


# --- participants ---------------------------------------------------------------------------------


def _awaiting(turn: Turn, path: str, what: str) -> Visit | None:
    """Return the visit whose command awaits an answer; record that `what` is ignored when there is none."""
    visit = turn.state.visits.get(path)
    if visit is None or visit.sent is None:
        turn.ignore(what, path, "nobody waits for it any more")
        return None
    return visit


def _completed(turn: Turn, stimulus: s.Completed) -> None:
    visit = _awaiting(turn, stimulus.path, "answer")
    if visit is None:
        return
    if visit.undoes is not None:
        turn.record(r.UndoCompleted(visit.path))
        turn.touch(visit.scope)
    elif visit.inquired:
        _found_done(turn, visit, stimulus.answer)
    else:
        _step_done(turn, visit, stimulus.answer, "answer")


def _step_done(turn: Turn, visit: Visit, answer: Raw, via: str) -> None:
    node = turn.graph.nodes[visit.element]
    assert isinstance(node, Step)
    turn.record(r.StepCompleted(visit.path, answer, node.compensation, node.pivot, via))
    turn.arrive(visit.scope, node.next)


def _refused(turn: Turn, stimulus: s.Refused) -> None:
    visit = _awaiting(turn, stimulus.path, "refusal")
    if visit is None:
        return
    if visit.undoes is not None:
        turn.park(visit, "undo-refused", f"{stimulus.reason} [{stimulus.code}]")
    elif visit.inquired:
        _found_not_done(turn, visit, f"refused: {stimulus.reason} [{stimulus.code}]")
    else:
        ending = r.StepRefused(visit.path, stimulus.code, stimulus.reason)
        fail_visit(turn, visit, ending, stimulus.code, stimulus.reason)


def _failed(turn: Turn, stimulus: s.Failed) -> None:
    visit = _awaiting(turn, stimulus.path, "failed attempt")
    if visit is None:
        return
    if visit.phase is not Phase.OPEN:
        # the inquiry, or the person who looks after it, has the last word
        turn.record(r.AttemptFailed(visit.path, visit.attempt, stimulus.reason, stimulus.unknown))
        return
    node = turn.graph.nodes[visit.element]
    undoing = visit.undoes is not None
    policy = UNDO_RETRY if undoing or not isinstance(node, Step) else node.retry
    attempt = visit.attempt
    tried = attempt - visit.earlier
    if tried < policy.attempts:
        retry_at = turn.now + policy.delay_ms(tried, _spread(turn.state.id, visit.path, attempt))
        turn.record(r.AttemptFailed(visit.path, attempt, stimulus.reason, stimulus.unknown, retry_at))
        return
    turn.record(r.AttemptFailed(visit.path, attempt, stimulus.reason, stimulus.unknown))
    if undoing:
        turn.park(visit, "undo-failed", stimulus.reason)
    elif _undecided(turn, visit):
        turn.park(visit, "failed", f"{stimulus.reason}; {UNDECIDED}")
    elif forward_only(turn, visit, "failed"):
        turn.park(visit, "failed", stimulus.reason)
    else:
        # a copy of the command may be on its way: only the inquiry makes sure that it is never carried out
        turn.record(r.Resolving(visit.path, stimulus.reason, "failed"))


def _undecided(turn: Turn, visit: Visit) -> bool:
    node = turn.graph.nodes[visit.element]
    return visit.unknown and isinstance(node, Step) and node.pivot


def _spread(saga_id: str, path: str, attempt: int) -> float:
    """Return a number in -1 to 1 that scatters retries, and is the same whenever it is computed again."""
    return zlib.crc32(f"{saga_id}:{path}:{attempt}".encode()) / 0xFFFFFFFF * 2 - 1


def _resolved(turn: Turn, stimulus: s.Resolved) -> None:
    visit = turn.state.visits.get(stimulus.path)
    if visit is None or visit.phase is not Phase.RESOLVING:
        return  # its answer was there before; the inquiry has nothing to add
    if stimulus.outcome == "done":
        _found_done(turn, visit, stimulus.answer)
    elif stimulus.outcome == "refused":
        _found_not_done(turn, visit, stimulus.reason or "refused")
    elif stimulus.outcome == "unknown" or visit.unknown:
        if not visit.unknown:
            turn.record(r.AttemptFailed(visit.path, visit.attempt, "its outcome is unknown", unknown=True))
        _found_unknown(turn, visit)
    else:
        _found_not_done(turn, visit, "not done, and never will be")


def _found_done(turn: Turn, visit: Visit, answer: Raw) -> None:
    """It was done: out of attempts it just goes on, out of time it is undone when there is a way back."""
    node = turn.graph.nodes[visit.element]
    assert isinstance(node, Step)
    late = visit.lost is None and _goes_forward(turn, visit.scope)
    if not late or node.pivot or forward_only(turn, visit, "timeout"):
        _step_done(turn, visit, answer, "resolve")
        return
    turn.record(r.StepCompleted(visit.path, answer, node.compensation, node.pivot, "resolve"))
    throw(turn, visit.scope, "timeout", f"{visit.element} was done, but not in time", visit.element)


def _found_not_done(turn: Turn, visit: Visit, why: str) -> None:
    if not _goes_forward(turn, visit.scope):
        turn.record(r.StepDropped(visit.path, why))
        turn.touch(visit.scope)
    elif visit.lost is None:
        ending = r.StepDropped(visit.path, why)
        fail_visit(turn, visit, ending, "timeout", f"{visit.element} was not done in time")
    else:
        code, reason = visit.lost.code, visit.lost.reason
        fail_visit(turn, visit, r.StepFailed(visit.path, code, reason), code, reason)


def _found_unknown(turn: Turn, visit: Visit) -> None:
    """It may have been done: it is undone without an answer. Of a pivot only a person can say what to do."""
    node = turn.graph.nodes[visit.element]
    assert isinstance(node, Step)
    if not _goes_forward(turn, visit.scope):
        turn.record(r.StepFailed(visit.path, "unknown", "its outcome is unknown", True, node.compensation))
        turn.touch(visit.scope)
        return
    why = visit.lost or Failure("timeout", f"{visit.element} was not answered in time", visit.element)
    if node.pivot:
        turn.park(visit, why.code, f"{why.reason}; {UNDECIDED}")
    else:
        ending = r.StepFailed(visit.path, why.code, why.reason, True, node.compensation)
        fail_visit(turn, visit, ending, why.code, why.reason)


def _blocked(turn: Turn, stimulus: s.Blocked) -> None:
    visit = turn.state.visits.get(stimulus.path)
    if visit is not None and visit.phase in (Phase.OPEN, Phase.BACKOFF, Phase.RESOLVING):
        turn.park(visit, stimulus.kind, stimulus.reason)


# --- events and time ------------------------------------------------------------------------------


def _event(turn: Turn, stimulus: s.EventArrived) -> None:
    visit = turn.state.visits.get(stimulus.path)
    if visit is None or visit.phase is not Phase.WAITING:
        turn.ignore("event", stimulus.path, "nobody waits for it any more")
        return
    if stimulus.event_id in turn.state.used_events:
        return
    node = turn.graph.nodes[visit.element]
    assert isinstance(node, Wait)
    turn.record(r.EventTaken(visit.path, stimulus.event_id, stimulus.event))
    turn.arrive(visit.scope, node.next)


def _timer(turn: Turn, stimulus: s.TimerFired) -> None:
    visit = turn.state.visits.get(stimulus.path)
    if visit is None:
        scope = turn.state.scopes.get(stimulus.path)
        if scope is None or scope.due is None or turn.now < scope.due:
            return
        if scope.direction is _FORWARD:
            throw(turn, scope.path, "timeout", f"{scope.element} was not done in time", scope.element)
    elif stimulus.timer == DEADLINE:
        if visit.due is not None and turn.now >= visit.due:
            _deadline(turn, visit)
    elif visit.wake is not None and turn.now >= visit.wake:
        _wake(turn, visit)


def _deadline(turn: Turn, visit: Visit) -> None:
    if visit.phase in (Phase.OPEN, Phase.BACKOFF):
        turn.record(r.Resolving(visit.path, "timeout"))
    elif visit.phase is Phase.WAITING:
        node = turn.graph.nodes[visit.element]
        assert isinstance(node, Wait)
        ending = r.WaitExpired(visit.path)
        if node.late is None:
            fail_visit(turn, visit, ending, "timeout", f"no {node.event} for {visit.key!r} in time")
        else:
            turn.record(ending)
            turn.arrive(visit.scope, node.late)


def _wake(turn: Turn, visit: Visit) -> None:
    if visit.phase is Phase.BACKOFF:
        turn.record(r.AttemptBegun(visit.path, visit.attempt + 1))
    elif visit.phase is Phase.SLEEPING:
        node = turn.graph.nodes[visit.element]
        turn.record(r.Woke(visit.path))
        turn.arrive(visit.scope, node.next)  # type: ignore[union-attr, arg-type]


def _resume(turn: Turn, stimulus: s.Resume) -> None:
    raise NotPossible("it is not suspended")


_TAKE: dict[type, Callable[[Turn, Any], None]] = {
    s.Completed: _completed,
    s.Refused: _refused,
    s.Failed: _failed,
    s.Resolved: _resolved,
    s.Blocked: _blocked,
    s.EventArrived: _event,
    s.TimerFired: _timer,
    s.Cancel: act,
    s.Retry: act,
    s.Skip: act,
    s.MarkDone: act,
    s.Suspend: act,
    s.Resume: _resume,
}
