"""What participants say to the step or compensation that waits for it: done, refused, failed, or what was found out.

A technical failure is retried. Out of attempts or of time, the outcome is inquired before anything else happens, since
a copy of the command may still be under way.
"""

from __future__ import annotations

import zlib

from msgspec import Raw

from saga.flow.graph import RetryPolicy, Step
from saga.machine import records as r
from saga.machine import stimuli as s
from saga.machine.failing import fail_visit, forward_only, goes_forward, throw
from saga.machine.state import Failure, Phase, Visit
from saga.machine.turn import Turn

__all__ = ["UNDO_RETRY", "blocked", "completed", "failed", "refused", "resolved"]

UNDO_RETRY = RetryPolicy(attempts=10, first_ms=100, factor=2.0, max_ms=60_000, jitter=0.1)
"""Technical failures of a compensation: after 10 attempts a person is needed (DESIGN section 10)."""

UNDECIDED = "whether this pivot step was done is unknown, so a person must decide"


def _awaiting(turn: Turn, path: str, what: str) -> Visit | None:
    """Return the visit whose command awaits an answer; record that `what` is ignored when there is none."""
    visit = turn.state.visits.get(path)
    if visit is None or visit.sent is None:
        turn.ignore(what, path, "nobody waits for it any more")
        return None
    return visit


def completed(turn: Turn, stimulus: s.Completed) -> None:
    """The command was carried out."""
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


def refused(turn: Turn, stimulus: s.Refused) -> None:
    """The command is refused."""
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


def failed(turn: Turn, stimulus: s.Failed) -> None:
    """An attempt failed: there is another one, or the outcome is inquired."""
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


def resolved(turn: Turn, stimulus: s.Resolved) -> None:
    """The inquiry has found out what became of the command."""
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
    late = visit.lost is None and goes_forward(turn, visit.scope)
    if not late or node.pivot or forward_only(turn, visit, "timeout"):
        _step_done(turn, visit, answer, "resolve")
        return
    turn.record(r.StepCompleted(visit.path, answer, node.compensation, node.pivot, "resolve"))
    throw(turn, visit.scope, "timeout", f"{visit.element} was done, but not in time", visit.element)


def _found_not_done(turn: Turn, visit: Visit, why: str) -> None:
    if not goes_forward(turn, visit.scope):
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
    if not goes_forward(turn, visit.scope):
        turn.record(r.StepFailed(visit.path, "unknown", "its outcome is unknown", True, node.compensation))
        turn.touch(visit.scope)
        return
    why = visit.lost or Failure("timeout", f"{visit.element} was not answered in time", visit.element)
    if node.pivot:
        turn.park(visit, why.code, f"{why.reason}; {UNDECIDED}")
    else:
        ending = r.StepFailed(visit.path, why.code, why.reason, True, node.compensation)
        fail_visit(turn, visit, ending, why.code, why.reason)


def blocked(turn: Turn, stimulus: s.Blocked) -> None:
    """The command cannot be delivered, so a person is needed."""
    visit = turn.state.visits.get(stimulus.path)
    if visit is not None and visit.phase in (Phase.OPEN, Phase.BACKOFF, Phase.RESOLVING):
        turn.park(visit, stimulus.kind, stimulus.reason)
