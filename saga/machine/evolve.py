"""`evolve`: what a record does to the state. The same function live and in replay.

Rules
1. It looks nothing up and decides nothing: the record says it all. No graph, no clock, no author's code.
2. It changes the state it is given and returns it; `decide` and replay own the state they evolve.
3. A record that does not fit the state is a damaged journal or a bug: `Unfitting`, and the state must be
   thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from saga.machine import records as r
from saga.machine.nesting import (
    each_begun,
    item_begun,
    scope_entered,
    scope_failed,
    scope_left,
    scope_undone,
    terminated,
)
from saga.machine.state import (
    TOP,
    Direction,
    Done,
    Failure,
    Incident,
    Phase,
    ScopeInstance,
    Sent,
    State,
    Status,
    Visit,
)
from saga.machine.visiting import can_be_undone, close_visit, item_around, item_of, know, open_visit, visited

__all__ = ["Unfitting", "apply", "evolve", "replay"]

_OPEN = Phase.OPEN
"""Looked up once: see `pending`."""


class Unfitting(Exception):
    """A record does not fit the state it is applied to."""


def evolve(state: State | None, record: r.Record) -> State:
    """Apply `record` to `state` (None only for `Started`) and return the state.

    Raises Unfitting when the record does not fit; the state is then undefined.
    """
    if state is None:
        if type(record) is not r.Started:
            raise Unfitting(f"the first record is {type(record).__name__}, not Started")
        return _started(record)
    apply(state, record)
    return state


def apply(state: State, record: r.Record) -> None:
    """Apply `record` to a state that is there. Raises Unfitting, and spoils the state, if it does not fit."""
    try:
        _APPLY[type(record)](state, record)
    except (KeyError, AttributeError, IndexError, ValueError) as error:
        raise Unfitting(f"{record!r} does not fit saga {state.id!r}: {error!r}") from error


def replay(records: Iterable[r.Record]) -> State:
    """Return the state that these records lead to. Raises Unfitting if they do not fit or there are none."""
    state: State | None = None
    for record in records:
        if state is None:
            state = evolve(None, record)
        else:
            apply(state, record)
    if state is None:
        raise Unfitting("there is no record")
    return state


def _started(record: r.Started) -> State:
    return State(
        id=record.id,
        saga=record.saga,
        version=record.version,
        graph=record.graph,
        input_type=record.input_type,
        input=record.input,
        started_ms=record.at,
        correlation=record.correlation,
        causation=record.causation,
        tags=record.tags,
        scopes={TOP: ScopeInstance(TOP, "", None, record.due)},
        used_events={record.event_id} if record.event_id else set(),
        parent=record.parent,
        reply_to=record.reply_to,
    )


# --- the saga as a whole --------------------------------------------------------------------------


def _ended(state: State, record: r.Ended) -> None:
    state.ended = Status(record.status)


def _reversed(state: State, record: r.Reversed) -> None:
    top = state.scopes[TOP]
    state.ended, state.reply_to = None, record.reply_to
    state.failure = top.failure = Failure("cancelled", "its caller is undone", "")
    top.direction = Direction.BACKWARD
    top.keep = 0  # it may have come to its end at a terminate end


def _suspended(state: State, record: r.Suspended) -> None:
    state.suspended = True


def _held(state: State, record: r.Held) -> None:
    state.held.append(record.stimulus)
    state.answered.add(record.path)


def _resumed(state: State, record: r.Resumed) -> None:
    state.suspended = False
    state.held = []
    state.answered = set()


def _acted(state: State, record: r.Acted) -> None:
    """Who did what and why is for people; what came of it is in the records that follow."""


def _ignored(state: State, record: r.Ignored) -> None:
    state.ignored += 1


# --- flows ------------------------------------------------------------------------------------------


def _chosen(state: State, record: r.Chosen) -> None:
    visited(state, record.scope, record.element)


def _join_reached(state: State, record: r.JoinReached) -> None:
    scope = state.scopes[record.scope]
    reached = scope.joins.get(record.element, 0) + 1
    if reached < record.of:
        scope.joins[record.element] = reached
    else:
        scope.joins.pop(record.element, None)


def _looped(state: State, record: r.Looped) -> None:
    state.scopes[record.scope].ordinals[record.element] = record.times


def _reminded(state: State, record: r.Reminded) -> None:
    host = state.visits.get(record.path) or state.scopes[record.path]
    host.reminded, host.remind = record.times, record.remind


# --- steps ----------------------------------------------------------------------------------------


def _command_sent(state: State, record: r.CommandSent) -> None:
    sent = Sent(record.type, record.command, record.to, record.number)
    open_visit(state, Visit(record.path, record.element, record.scope, Phase.OPEN, sent, due=record.due))


def _attempt_failed(state: State, record: r.AttemptFailed) -> None:
    visit = state.visits[record.path]
    visit.unknown = visit.unknown or record.unknown
    if record.retry_at is not None:
        visit.phase = Phase.BACKOFF
        visit.wake = record.retry_at


def _attempt_begun(state: State, record: r.AttemptBegun) -> None:
    visit = state.visits[record.path]
    visit.phase = Phase.OPEN
    visit.attempt = record.attempt
    visit.wake = None
    if record.anew:
        visit.earlier = record.attempt - 1
        visit.incident = visit.lost = None
        visit.inquired = False


def _step_completed(state: State, record: r.StepCompleted) -> None:
    visit = close_visit(state, record.path)
    know(state, item_of(state, visit), visit.element, record.answer)
    if record.pivot:
        state.pivoted = True
    if record.undo is not None:
        can_be_undone(state, visit, record.undo, record.answer)


def _step_closed(state: State, record: r.StepRefused | r.StepDropped | r.StepSkipped) -> None:
    close_visit(state, record.path)


def _step_failed(state: State, record: r.StepFailed) -> None:
    visit = close_visit(state, record.path)
    if record.undo is not None:
        can_be_undone(state, visit, record.undo, None)


def _resolving(state: State, record: r.Resolving) -> None:
    visit = state.visits[record.path]
    visit.phase = Phase.RESOLVING
    visit.inquired = True
    visit.inquiries += 1
    if record.code:
        visit.lost = Failure(record.code, record.why, visit.element)
    visit.wake = visit.due = visit.incident = None


# --- waits, timers, answers -----------------------------------------------------------------------


def _wait_begun(state: State, record: r.WaitBegun) -> None:
    visit = Visit(record.path, record.element, record.scope, Phase.WAITING, due=record.due)
    visit.event, visit.key = record.event, record.key
    visit.remind, visit.race, visit.host = record.remind, record.race, record.host
    if record.host:
        host = state.scopes[record.host]
        host.hosts = True
        host.watches.pop(record.element, None)
    open_visit(state, visit)


def _event_taken(state: State, record: r.EventTaken) -> None:
    visit = close_visit(state, record.path)
    if visit.host:
        state.scopes[visit.host].watches[visit.element] = visit.key
    state.used_events.add(record.event_id)
    know(state, item_of(state, visit), visit.element, record.event)


def _task_opened(state: State, record: r.TaskOpened) -> None:
    visit = Visit(record.path, record.element, record.scope, Phase.TASK, due=record.due)
    visit.event, visit.subject, visit.since = record.type, record.subject, record.at
    visit.remind, visit.race = record.remind, record.race
    open_visit(state, visit)


def _task_assigned(state: State, record: r.TaskAssigned) -> None:
    state.visits[record.path].key = record.to


def _task_done(state: State, record: r.TaskDone) -> None:
    visit = close_visit(state, record.path)
    know(state, item_of(state, visit), visit.element, record.answer)


def _race_begun(state: State, record: r.RaceBegun) -> None:
    open_visit(state, Visit(record.path, record.element, record.scope, Phase.RACING, due=record.due))


def _race_over(state: State, record: r.RaceOver) -> None:
    close_visit(state, record.path)
    for path, visit in list(state.visits.items()):
        if visit.race == record.path:
            close_visit(state, path)


def _event_published(state: State, record: r.EventPublished) -> None:
    visited(state, record.scope, record.element)


def _visit_over(state: State, record: r.WaitExpired | r.Woke) -> None:
    close_visit(state, record.path)


def _sleep_begun(state: State, record: r.SleepBegun) -> None:
    visit = Visit(record.path, record.element, record.scope, Phase.SLEEPING, wake=record.due)
    visit.race = record.race
    open_visit(state, visit)


def _answered(state: State, record: r.Answered) -> None:
    visited(state, record.scope, record.element)
    know(state, item_around(state, record.scope), record.element, record.answer)
    state.answer = record.answer


# --- compensation ---------------------------------------------------------------------------------


def _compensation_begun(state: State, record: r.CompensationBegun) -> None:
    visit = Visit(record.path, record.element, record.scope, Phase.UNDOING, target=record.target)
    visit.until = state.order
    open_visit(state, visit)
    state.scopes[record.scope].undoing += 1


def _compensation_done(state: State, record: r.CompensationDone) -> None:
    visit = close_visit(state, record.path)
    state.scopes[visit.scope].undoing -= 1


def _to_be_undone(scope: ScopeInstance, path: str) -> Done:
    """Return what was done at this visit: the last, except where a part is undone in the middle of the flow."""
    if not scope.undoing and scope.done[-1].path != path:
        raise Unfitting(f"{path} is to be undone, but {scope.done[-1].path} is the last one done")
    for done in reversed(scope.done):
        if done.path == path:
            return done
    raise Unfitting(f"{path} is to be undone, and was not done in {scope.path!r}")


def _undo_sent(state: State, record: r.UndoSent) -> None:
    scope = state.scopes[record.scope]
    done = _to_be_undone(scope, record.of)
    done.tries += 1
    sent = Sent(record.type, record.command, record.to, record.number)
    state.visits[record.path] = Visit(
        record.path, record.element, record.scope, Phase.OPEN, sent, undoes=done
    )
    scope.open += 1


def _undo_over(state: State, record: r.UndoCompleted | r.UndoSkipped) -> None:
    visit = close_visit(state, record.path)
    scope = state.scopes[visit.scope]
    if scope.done[-1] is visit.undoes:
        scope.done.pop()
    else:  # an outer scope may have failed meanwhile, and added later ones of its own
        scope.done = [done for done in scope.done if done is not visit.undoes]


# --- incidents ------------------------------------------------------------------------------------


def _parked(state: State, record: r.Parked) -> None:
    incident = Incident(record.kind, record.reason, record.at)
    visit = state.visits.get(record.path)
    if visit is None:
        scope = state.scopes[record.scope]
        visit = Visit(record.path, record.element, record.scope, Phase.PARKED)
        if record.of is not None:
            visit.undoes = _to_be_undone(scope, record.of)
            visit.undoes.tries += 1
        else:
            scope.ordinals[record.element] = scope.ordinals.get(record.element, 0) + 1
        scope.open += 1
        state.visits[record.path] = visit
    visit.phase = Phase.PARKED
    visit.incident = incident
    visit.wake = None


def _unparked(state: State, record: r.Unparked) -> None:
    close_visit(state, record.path)


_APPLY: dict[type, Callable[[State, Any], None]] = {
    r.Ended: _ended,
    r.Reversed: _reversed,
    r.Suspended: _suspended,
    r.Held: _held,
    r.Resumed: _resumed,
    r.Acted: _acted,
    r.Ignored: _ignored,
    r.ScopeEntered: scope_entered,
    r.EachBegun: each_begun,
    r.ItemBegun: item_begun,
    r.ScopeLeft: scope_left,
    r.ScopeFailed: scope_failed,
    r.ScopeUndone: scope_undone,
    r.Terminated: terminated,
    r.Chosen: _chosen,
    r.JoinReached: _join_reached,
    r.Looped: _looped,
    r.CommandSent: _command_sent,
    r.AttemptFailed: _attempt_failed,
    r.AttemptBegun: _attempt_begun,
    r.StepCompleted: _step_completed,
    r.StepRefused: _step_closed,
    r.StepDropped: _step_closed,
    r.StepSkipped: _step_closed,
    r.StepFailed: _step_failed,
    r.Resolving: _resolving,
    r.WaitBegun: _wait_begun,
    r.TaskOpened: _task_opened,
    r.TaskAssigned: _task_assigned,
    r.TaskDone: _task_done,
    r.RaceBegun: _race_begun,
    r.RaceOver: _race_over,
    r.Reminded: _reminded,
    r.EventPublished: _event_published,
    r.EventTaken: _event_taken,
    r.WaitExpired: _visit_over,
    r.SleepBegun: _sleep_begun,
    r.Woke: _visit_over,
    r.Answered: _answered,
    r.CompensationBegun: _compensation_begun,
    r.CompensationDone: _compensation_done,
    r.UndoSent: _undo_sent,
    r.UndoCompleted: _undo_over,
    r.UndoSkipped: _undo_over,
    r.Parked: _parked,
    r.Unparked: _unparked,
}
