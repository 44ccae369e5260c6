"""What must hold of every saga at every moment (RELIABILITY, section 6), one function each.

Those that take `records` read a whole journal, and see a fault at any place of it. They are a second opinion:
they share no code with `evolve`. The others look at this moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from saga.machine import Pending, Record, State
from saga.machine import records as r
from saga.machine.state import REVERSAL, Direction, Phase

__all__ = ["JOURNAL", "Violation", "check_journal", "check_state"]


class Violation(AssertionError):
    """An invariant does not hold."""


def hold(condition: object, what: str) -> None:
    """Raise Violation unless `condition` is true."""
    if not condition:
        raise Violation(what)


# --- of the journal -------------------------------------------------------------------------------


def ids_are_used_once(records: list[Record]) -> None:
    """I2: no two commands have the same path, and so the same id; participants can tell them apart."""
    sent = Counter(record.path for record in records if isinstance(record, r.CommandSent | r.UndoSent))
    hold(not sent or max(sent.values()) == 1, f"two commands have one id: {sent}")


def events_are_used_once(records: list[Record]) -> None:
    """An event satisfies one wait of a saga, and never the saga it has started."""
    used = Counter(record.event_id for record in records if isinstance(record, r.EventTaken))
    used.update([record.event_id for record in records if isinstance(record, r.Started) and record.event_id])
    hold(not used or max(used.values()) == 1, f"an event was used twice: {used}")


def only_what_was_done_is_undone(records: list[Record]) -> None:
    """I3: a compensation follows a completion, or an unknown outcome, and is the one that was noted there."""
    noted: dict[str, str | None] = {}
    for record in records:
        match record:
            case r.StepCompleted() | r.StepFailed(unknown=True) | r.ScopeLeft():
                noted[record.path] = record.undo
            case r.UndoSent():
                undo = noted.get(record.of)
                hold(undo is not None, f"{record.path} undoes what was not done")
                names = (f"{undo}/1", REVERSAL)
                hold(record.type in names, f"{record.path} is {record.type}, noted was {undo}")
            case _:
                pass


def each_completion_is_undone_once(records: list[Record]) -> None:
    """I2: at most one compensation for each completion succeeds."""
    undone: Counter[str] = Counter()
    of = {record.path: record.of for record in records if isinstance(record, r.UndoSent)}
    for record in records:
        if isinstance(record, r.UndoCompleted | r.UndoSkipped) and record.path in of:
            undone[of[record.path]] += 1
    hold(not undone or max(undone.values()) == 1, f"undone twice: {undone}")


def an_ended_saga_never_changes(records: list[Record]) -> None:
    """I6: after the end there is nothing but what was ignored, unless its caller is undone."""
    over = None
    for record in records:
        match record:
            case r.Reversed():
                hold(over == "COMPLETED", f"reversed, and it was {over}")
                over = None
            case r.Ended():
                hold(over is None, "ended twice")
                over = record.status
            case _:
                hold(over is None or isinstance(record, r.Ignored), f"it went on after its end: {record}")


def the_saga_turns_back_at_most_once(records: list[Record]) -> None:
    """I16, and: never behind a pivot, and to be COMPENSATED it must have turned back."""
    turned, pivoted = 0, False
    for record in records:
        match record:
            case r.StepCompleted(pivot=True):
                pivoted = True
            case r.ScopeFailed(path="") | r.Reversed():
                turned += 1
                hold(not pivoted, "it turned back behind its pivot")
            case r.Ended():
                hold(
                    (record.status == "COMPENSATED") == bool(turned), f"{record}, turned back {turned} times"
                )
            case _:
                pass
    hold(turned <= 1, "it turned back twice")


def a_suspended_saga_does_not_move(records: list[Record]) -> None:
    """Between `Suspended` and `Resumed` things are held, and nothing else happens."""
    suspended = False
    for record in records:
        if suspended:
            hold(isinstance(record, r.Held | r.Resumed), f"suspended, and {record}")
        suspended = isinstance(record, r.Suspended) or (suspended and not isinstance(record, r.Resumed))


JOURNAL: tuple[Callable[[list[Record]], None], ...] = (
    ids_are_used_once,
    events_are_used_once,
    only_what_was_done_is_undone,
    each_completion_is_undone_once,
    an_ended_saga_never_changes,
    the_saga_turns_back_at_most_once,
    a_suspended_saga_does_not_move,
)


def check_journal(records: Iterable[Record]) -> None:
    """Check all of these. See also `order`, `knowledge`, `schedule` and `callers`."""
    records = list(records)
    for invariant in JOURNAL:
        invariant(records)


def what_happened_is_what_was_journaled(
    records: list[Record], id: str, effects: Counter[str], undone: Counter[str]
) -> None:
    """I2, I3, I5, of a saga that is over, against what participants really did: by command id, how often it
    was carried out, and how often undone. What a person has decided about, only that person knows."""
    by_hand = {path.partition("~")[0] for record in records for path in _decided_by_hand(record)}
    calls = {record.path for record in records if isinstance(record, r.CommandSent) and not record.number}
    did = {path for path in _paths(effects, id) if path not in by_hand}
    undid = {path for path in _paths(undone, id) if path not in by_hand}
    completed = {record.path for record in records if isinstance(record, r.StepCompleted)}
    unknown = {record.path for record in records if isinstance(record, r.StepFailed) and record.unknown}
    units = {record.path for record in records if isinstance(record, r.ScopeLeft) and record.undo}
    for count in (effects, undone):
        hold(not count or max(count.values()) <= 1, f"more than once: {count}")
    hold(
        did <= completed | unknown, f"{did - completed - unknown} was carried out, the journal does not know"
    )
    missing = completed - by_hand - calls - did
    hold(not missing, f"{missing} is completed, and never was carried out")
    undoable = did | units | unknown | (completed & calls)
    hold(undid <= undoable, f"{undid - undoable} was undone, and never done")
    for record in records:
        if isinstance(record, r.UndoCompleted) and record.via == "answer":
            path = record.path.partition("~")[0]
            hold(path in undid | by_hand | calls, f"{path} is undone in the journal only")
    if isinstance(records[0], r.Started) and r.Ended("COMPENSATED") in records:
        noted = {x.path for x in records if isinstance(x, r.StepCompleted | r.StepFailed) and x.undo}
        left = {path for path in did & noted if not any(path.startswith(f"{unit}/") for unit in units)}
        hold(left <= undid, f"{left - undid} was carried out, and is not undone")
        outer = {unit for unit in units if not any(unit.startswith(f"{other}/") for other in units)}
        left = {unit for unit in outer if not any(path.startswith(unit) for path in by_hand)}
        hold(left <= undid, f"{left - undid} is not undone")


def _decided_by_hand(record: Record) -> list[str]:
    match record:
        case r.StepSkipped() | r.UndoSkipped():
            return [record.path]
        case r.StepCompleted(via="hand") | r.UndoCompleted(via="hand"):
            return [record.path]
        case _:
            return []


def _paths(count: Counter[str], id: str) -> set[str]:
    """Return the paths of this saga; those of sagas that it called have its id in front, too."""
    parts = [key.rpartition(":") for key, times in count.items() if times]
    return {path for saga, _, path in parts if saga == id}


# --- of a state -----------------------------------------------------------------------------------


def nothing_is_in_limbo(state: State, out: Pending) -> None:
    """I13: a saga is over, or something will happen to it, or a person sees that nothing will."""
    if state.ended is None and not state.suspended:
        hold(out != Pending(), "it waits for nothing")


def every_scope_waits_for_something_in_it(state: State) -> None:
    """Each scope instance counts what is open in it, and has something open: else nobody comes back to it."""
    if state.ended is not None:
        return
    for path, scope in state.scopes.items():
        visits = sum(visit.scope == path for visit in state.visits.values())
        inner = sum(other.parent == path for other in state.scopes.values())
        hold(scope.open == visits + inner, f"{path!r} counts {scope.open}, has {visits} + {inner}")
        hold(scope.open > 0, f"nothing is open in {path!r}, and it goes {scope.direction.value}")
        hold(scope.direction is Direction.FORWARD or not inner, f"{path!r} has turned back, not all in it")


def every_visit_says_what_it_waits_for(state: State, out: Pending) -> None:
    """What is pending is what the visits say, and an ended saga has nothing outside."""
    if state.ended is not None:
        hold(out == Pending(), f"over, and outside there is {out}")
        return
    for path, visit in state.visits.items():
        asked, awaited = visit.phase is Phase.RESOLVING, visit.phase is Phase.OPEN
        if state.suspended and path in state.answered:
            asked = awaited = False
        called = visit.sent is not None and visit.sent.number == 0
        hold((path in out.commands) == (awaited and not called), f"{path}: command")
        hold((path in out.resolves) == (asked and not called), f"{path}: inquiry")
        hold((path in out.resolves) == (path in out.inquiries), f"{path}: number of the inquiry")
        hold((path in out.calls) == ((asked or awaited) and called), f"{path}: call")
        hold(path not in out.calls or out.calls[path][1] == asked, f"{path}: given up or not")
        hold((path in out.incidents) == (visit.phase is Phase.PARKED), f"{path}: incident")
        hold((path in out.tasks) == (visit.phase is Phase.TASK), f"{path}: task")
        waits = visit.phase is Phase.WAITING and not state.suspended
        hold((path in out.waits) == waits, f"{path}: wait")
        hold(visit.scope in state.scopes, f"{path} is in a scope that is gone")
        if visit.undoes is None:
            forward = state.scopes[visit.scope].direction is Direction.FORWARD
            hold(forward or visit.phase not in _ON_ITS_WAY, f"{path} goes on in a scope that has turned back")


_ON_ITS_WAY = frozenset(Phase) - {Phase.RESOLVING, Phase.PARKED}


def races_and_boundary_events_go_with_what_they_belong_to(state: State) -> None:
    """What takes part in a race is there as long as the race; what waits at a scope as long as the scope."""
    if state.ended is not None:
        return
    racing = {path: visit for path, visit in state.visits.items() if visit.phase is Phase.RACING}
    taking_part: set[str] = set()
    for path, visit in state.visits.items():
        hold(not visit.race or visit.race in racing, f"{path} takes part in a race that is over")
        taking_part.add(visit.race)
        if visit.host:
            there = visit.host in state.scopes and state.scopes[visit.host].direction is Direction.FORWARD
            hold(there, f"{path} waits at {visit.host}, which is over")
    hold(set(racing) <= taking_part, f"nobody takes part in {set(racing) - taking_part}")


def the_status_is_what_a_person_sees(state: State, out: Pending) -> None:
    """PARKED if and only if there is an incident to look at, except while suspended."""
    if state.ended is None and not state.suspended:
        hold((state.status == "PARKED") == bool(out.incidents), f"{state.status}, {out.incidents}")


def check_state(state: State, out: Pending) -> None:
    """Check all that must hold of a state and what is outside."""
    nothing_is_in_limbo(state, out)
    every_scope_waits_for_something_in_it(state)
    every_visit_says_what_it_waits_for(state, out)
    races_and_boundary_events_go_with_what_they_belong_to(state)
    the_status_is_what_a_person_sees(state, out)
