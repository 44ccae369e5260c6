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

from msgspec import Raw

from saga.machine import records as r
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

__all__ = ["Unfitting", "apply", "evolve", "replay"]


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
    except (KeyError, AttributeError, IndexError) as error:
        raise Unfitting(f"{record!r} does not fit saga {state.id!r}: {error!r}") from error


def replay(records: Iterable[r.Record]) -> State:
    """Return the state that these records lead to. Raises Unfitting if they do not fit or there are none."""
    state: State | None = None
    for record in records:
        state = evolve(state, record)
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
        scopes={TOP: ScopeInstance(TOP, "", None)},
        used_events={record.event_id} if record.event_id else set(),
    )


# --- small parts that several records share ---------------------------------------------------------


def _visited(state: State, scope: str, element: str) -> ScopeInstance:
    instance = state.scopes[scope]
    instance.ordinals[element] = instance.ordinals.get(element, 0) + 1
    return instance


def _open(state: State, visit: Visit) -> None:
    """A token arrives: the visit is open from now on."""
    _visited(state, visit.scope, visit.element).open += 1
    state.visits[visit.path] = visit


def _close(state: State, path: str) -> Visit:
    """The visit is over; its token goes elsewhere."""
    visit = state.visits.pop(path)
    state.scopes[visit.scope].open -= 1
    return visit


def _know(state: State, element: str, value: Raw) -> None:
    """`element` has a value now. The old dictionary stays as it is: entries of `done` hold on to it."""
    state.results = {**state.results, element: value}


def _can_be_undone(state: State, visit: Visit, undo: str, answer: Raw | None) -> None:
    state.order += 1
    state.scopes[visit.scope].done.append(
        Done(visit.path, visit.element, undo, state.order, answer, state.results)
    )


# --- the saga as a whole --------------------------------------------------------------------------


def _ended(state: State, record: r.Ended) -> None:
    state.ended = Status(record.status)


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


# --- scopes and flows -----------------------------------------------------------------------------


def _scope_entered(state: State, record: r.ScopeEntered) -> None:
    _visited(state, record.scope, record.element).open += 1
    state.scopes[record.path] = ScopeInstance(record.path, record.element, record.scope, record.due)


def _scope_left(state: State, record: r.ScopeLeft) -> None:
    scope = state.scopes.pop(record.path)
    parent = state.scopes[scope.parent]  # type: ignore[index]
    parent.open -= 1
    if record.undo is not None:
        state.order += 1
        parent.done.append(Done(scope.path, scope.element, record.undo, state.order, None, state.results))
        return
    for done in scope.done:  # one unit: undone where the scope completed, in the reverse of its own order
        state.order += 1
        done.order = state.order
        parent.done.append(done)


def _subtree(state: State, root: ScopeInstance) -> list[ScopeInstance]:
    """Return `root` and all scope instances in it, each after the one it is in."""
    found = {root.path: root}
    for path, scope in state.scopes.items():  # parents stand before their children
        if scope.parent in found:
            found[path] = scope
    return list(found.values())


def _gather(state: State, root: ScopeInstance) -> None:
    """Make `root` the only scope instance of its subtree: it takes over what is open and was done in it."""
    inner = {root.path}
    for scope in _subtree(state, root)[1:]:
        inner.add(scope.path)
        root.done.extend(scope.done)
        del state.scopes[scope.path]
    root.done.sort(key=lambda done: done.order)
    root.open = 0
    root.due = None
    root.joins.clear()
    for path, visit in list(state.visits.items()):
        if visit.scope in inner:
            if visit.sent is None and visit.undoes is None:
                del state.visits[path]  # nothing of it is outside but a wait or a timer
                continue
            visit.scope = root.path
            root.open += 1


def _scope_failed(state: State, record: r.ScopeFailed) -> None:
    scope = state.scopes[record.path]
    scope.direction = Direction.BACKWARD
    scope.failure = Failure(record.code, record.reason, record.element)
    if record.path == TOP:
        state.failure = scope.failure
    _gather(state, scope)


def _scope_undone(state: State, record: r.ScopeUndone) -> None:
    scope = state.scopes.pop(record.path)
    parent = state.scopes[scope.parent]  # type: ignore[index]
    parent.open -= 1
    if scope.failure is not None:
        parent.caught[scope.element] = scope.failure


def _terminated(state: State, record: r.Terminated) -> None:
    scope = state.scopes[record.path]
    scope.direction = Direction.ENDING
    scope.keep = state.order
    unwanted: list[Done] = []  # what is about to be undone in there is not wanted now either
    for inner in _subtree(state, scope)[1:]:
        if inner.direction is not Direction.FORWARD:
            unwanted += [done for done in inner.done if done.order > inner.keep]
    for done in sorted(unwanted, key=lambda done: done.order):
        state.order += 1
        done.order = state.order
    _gather(state, scope)


def _chosen(state: State, record: r.Chosen) -> None:
    _visited(state, record.scope, record.element)


def _join_reached(state: State, record: r.JoinReached) -> None:
    scope = state.scopes[record.scope]
    reached = scope.joins.get(record.element, 0) + 1
    if reached < record.of:
        scope.joins[record.element] = reached
    else:
        scope.joins.pop(record.element, None)


def _looped(state: State, record: r.Looped) -> None:
    state.scopes[record.scope].ordinals[record.element] = record.times


# --- steps ----------------------------------------------------------------------------------------


def _command_sent(state: State, record: r.CommandSent) -> None:
    sent = Sent(record.type, record.command, record.to, record.number)
    _open(state, Visit(record.path, record.element, record.scope, Phase.OPEN, sent, due=record.due))


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
    visit = _close(state, record.path)
    _know(state, visit.element, record.answer)
    if record.pivot:
        state.pivoted = True
    if record.undo is not None:
        _can_be_undone(state, visit, record.undo, record.answer)


def _step_closed(state: State, record: r.StepRefused | r.StepDropped | r.StepSkipped) -> None:
    _close(state, record.path)


def _step_failed(state: State, record: r.StepFailed) -> None:
    visit = _close(state, record.path)
    if record.undo is not None:
        _can_be_undone(state, visit, record.undo, None)


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
    _open(state, visit)


def _event_taken(state: State, record: r.EventTaken) -> None:
    visit = _close(state, record.path)
    state.used_events.add(record.event_id)
    _know(state, visit.element, record.event)


def _visit_over(state: State, record: r.WaitExpired | r.Woke) -> None:
    _close(state, record.path)


def _sleep_begun(state: State, record: r.SleepBegun) -> None:
    _open(state, Visit(record.path, record.element, record.scope, Phase.SLEEPING, wake=record.due))


def _answered(state: State, record: r.Answered) -> None:
    _visited(state, record.scope, record.element)
    _know(state, record.element, record.answer)
    state.answer = record.answer


# --- compensation ---------------------------------------------------------------------------------


def _undo_sent(state: State, record: r.UndoSent) -> None:
    scope = state.scopes[record.scope]
    done = scope.done[-1]
    if done.path != record.of:
        raise Unfitting(f"{record.path} undoes {record.of}, but {done.path} is the last one done")
    done.tries += 1
    sent = Sent(record.type, record.command, record.to, record.number)
    state.visits[record.path] = Visit(
        record.path, record.element, record.scope, Phase.OPEN, sent, undoes=done
    )
    scope.open += 1


def _undo_over(state: State, record: r.UndoCompleted | r.UndoSkipped) -> None:
    visit = _close(state, record.path)
    scope = state.scopes[visit.scope]
    # not always the last one: an outer scope may have failed meanwhile, and added later ones of its own
    scope.done = [done for done in scope.done if done is not visit.undoes]


# --- incidents ------------------------------------------------------------------------------------


def _parked(state: State, record: r.Parked) -> None:
    incident = Incident(record.kind, record.reason, record.at)
    visit = state.visits.get(record.path)
    if visit is None:
        scope = state.scopes[record.scope]
        visit = Visit(record.path, record.element, record.scope, Phase.PARKED)
        if record.of is not None:
            visit.undoes = scope.done[-1]
            visit.undoes.tries += 1
        else:
            scope.ordinals[record.element] = scope.ordinals.get(record.element, 0) + 1
        scope.open += 1
        state.visits[record.path] = visit
    visit.phase = Phase.PARKED
    visit.incident = incident
    visit.wake = None


def _unparked(state: State, record: r.Unparked) -> None:
    _close(state, record.path)


_APPLY: dict[type, Callable[[State, Any], None]] = {
    r.Ended: _ended,
    r.Suspended: _suspended,
    r.Held: _held,
    r.Resumed: _resumed,
    r.Acted: _acted,
    r.Ignored: _ignored,
    r.ScopeEntered: _scope_entered,
    r.ScopeLeft: _scope_left,
    r.ScopeFailed: _scope_failed,
    r.ScopeUndone: _scope_undone,
    r.Terminated: _terminated,
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
    r.EventTaken: _event_taken,
    r.WaitExpired: _visit_over,
    r.SleepBegun: _sleep_begun,
    r.Woke: _visit_over,
    r.Answered: _answered,
    r.UndoSent: _undo_sent,
    r.UndoCompleted: _undo_over,
    r.UndoSkipped: _undo_over,
    r.Parked: _parked,
    r.Unparked: _unparked,
}
