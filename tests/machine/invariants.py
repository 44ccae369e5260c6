"""What must hold of every saga at every moment (RELIABILITY, section 6), one function each.

Those that take `records` read a whole journal, and see a fault at any place of it. They are a second opinion:
they share no code with `evolve`. The others look at this moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from saga.machine import Pending, Record, State
from saga.machine import records as r
from saga.machine.state import Direction, Phase

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
                hold(record.type == f"{undo}/1", f"{record.path} is {record.type}, noted was {undo}")
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
    """I6: after the end there is nothing but what was ignored."""
    ended = [number for number, record in enumerate(records) if isinstance(record, r.Ended)]
    hold(len(ended) <= 1, "ended twice")
    if ended:
        after = [record for record in records[ended[0] + 1 :] if not isinstance(record, r.Ignored)]
        hold(not after, f"it went on after its end: {after}")


def the_saga_turns_back_at_most_once(records: list[Record]) -> None:
    """I16, and: never behind a pivot, and to be COMPENSATED it must have turned back."""
    turned, pivoted = 0, False
    for record in records:
        match record:
            case r.StepCompleted(pivot=True):
                pivoted = True
            case r.ScopeFailed(path=""):
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


@dataclass
class _Region:
    """A scope instance, as its journal tells it."""

    parent: str | None
    direction: str = "forward"
    done: list[tuple[int, str]] = field(default_factory=list)
    """What can be undone: time of completion and path, of a completed inner scope the time of that one."""
    kept: list[tuple[int, str]] = field(default_factory=list)
    """Of an ending scope: what was done before and stays."""


class _Undoing:
    """Walks a journal and holds what is undone, and when, against what was done."""

    def __init__(self) -> None:
        self.regions: dict[str, _Region] = {}
        self.open: dict[str, str] = {}
        """Open visits → scope instance."""
        self.silent: set[str] = set()
        """Those that have nothing outside but a wait or a timer."""
        self.undoing: dict[str, str] = {}
        """Open compensations → what they undo."""
        self.time = 0

    def take(self, record: Record) -> None:
        self.time += 1
        match record:
            case r.Started():
                self.regions[""] = _Region(None)
            case r.ScopeEntered():
                self.moves_forward(record.scope, record)
                self.regions[record.path] = _Region(record.scope)
            case r.CommandSent() | r.WaitBegun() | r.SleepBegun():
                self.moves_forward(record.scope, record)
                self.begin(record.path, record.scope, silent=not isinstance(record, r.CommandSent))
            case r.Answered() | r.Chosen() | r.JoinReached() | r.Looped():
                self.moves_forward(record.scope, record)
            case r.Parked() if record.path not in self.open:
                self.begin(record.path, record.scope, silent=record.of is None)
                if record.of is not None:
                    self.begin_undo(record.path, record.scope, record.of)
            case r.StepCompleted() | r.StepFailed():
                self.finish(record.path, record.undo)
            case r.StepRefused() | r.StepDropped() | r.StepSkipped():
                self.finish(record.path, None)
            case r.EventTaken() | r.WaitExpired() | r.Woke():
                self.finish(record.path, None)
            case r.Unparked():
                self.undoing.pop(record.path, None)
                self.finish(record.path, None)
            case r.UndoSent():
                self.begin(record.path, record.scope, silent=False)
                self.begin_undo(record.path, record.scope, record.of)
            case r.UndoCompleted() | r.UndoSkipped():
                region, of = self.regions[self.open[record.path]], self.undoing.pop(record.path)
                hold(of in [path for _, path in region.done], f"{of} is not to be undone")
                region.done = [entry for entry in region.done if entry[1] != of]
                self.finish(record.path, None)
            case r.ScopeLeft():
                self.leave(record)
            case r.ScopeFailed():
                region = self.gather(record.path)
                region.done = sorted(region.done + region.kept)
                region.direction, region.kept = "backward", []
            case r.Terminated():
                region = self.gather(record.path, ending=True)
                region.direction = "ending"
            case r.ScopeUndone():
                self.over(record.path, "backward")
            case r.Ended():
                self.over("", "backward" if record.status == "COMPENSATED" else None)
            case _:
                pass

    def moves_forward(self, scope: str, record: Record) -> None:
        hold(scope in self.regions, f"{record} in a scope that is over")
        hold(self.regions[scope].direction == "forward", f"{record} in a scope that does not go forward")

    def begin(self, path: str, scope: str, *, silent: bool) -> None:
        hold(path not in self.open, f"{path} is open already")
        self.open[path] = scope
        if silent:
            self.silent.add(path)

    def finish(self, path: str, undo: str | None) -> None:
        scope = self.open.pop(path)
        self.silent.discard(path)
        if undo is not None:
            self.regions[scope].done.append((self.time, path))

    def begin_undo(self, path: str, scope: str, of: str) -> None:
        """I4: strictly in the reverse of the order of completion, one at a time, nothing else being open."""
        region = self.regions[scope]
        hold(region.direction != "forward", f"{path} is sent in a scope that goes forward")
        others = [other for other, where in self.open.items() if where == scope and other != path]
        hold(not others, f"{path} is sent while {others} are open")
        hold(region.done, f"{path}: nothing is left to undo")
        hold(max(region.done)[1] == of, f"{path} undoes {of}, but {max(region.done)[1]} completed later")
        self.undoing[path] = of

    def inside(self, path: str) -> list[str]:
        found = []
        for other in self.regions:
            at: str | None = other
            while at is not None and at != path:
                at = self.regions[at].parent
            if at == path and other != path:
                found.append(other)
        return found

    def gather(self, path: str, *, ending: bool = False) -> _Region:
        """The scope instance takes over what is in it. Return its region; `done` is to be undone."""
        region = self.regions[path]
        if ending:
            region.kept, region.done = region.done, []
        inner = self.inside(path)
        for other in inner:
            gone = self.regions.pop(other)
            if ending and gone.direction == "forward":
                region.kept += gone.done
            else:
                region.done += gone.done
            region.kept += gone.kept
        for visit, where in list(self.open.items()):
            if where == path or where in inner:
                if visit in self.silent:
                    del self.open[visit]
                    self.silent.discard(visit)
                else:
                    self.open[visit] = path
        return region

    def leave(self, record: r.ScopeLeft) -> None:
        region = self.over(record.path, None)
        parent = self.regions[region.parent or ""]
        entries = sorted(region.done + region.kept)
        if record.undo is not None:
            parent.done.append((self.time, record.path))
        for _, path in entries if record.undo is None else ():
            self.time += 1
            parent.done.append((self.time, path))

    def over(self, path: str, direction: str | None) -> _Region:
        """I5: a scope instance is over when nothing is open in it; of a failed one nothing is left done."""
        hold(
            not [visit for visit, where in self.open.items() if where == path],
            f"{path!r} is over, not all in it",
        )
        hold(not [other for other, each in self.regions.items() if each.parent == path], f"{path!r} is over")
        region = self.regions.pop(path)
        if direction is not None:
            hold(region.direction == direction, f"{path!r} goes {region.direction}, but ends {direction}")
        else:
            hold(region.direction != "backward", f"{path!r} is completed and goes back")
        if region.direction != "forward":
            hold(not region.done, f"{path!r} is over, and {region.done} is not undone")
        return region


def what_was_done_is_undone_in_reverse(records: list[Record]) -> None:
    """I4, I5: see `_Undoing`."""
    walk = _Undoing()
    for record in records:
        walk.take(record)


JOURNAL: tuple[Callable[[list[Record]], None], ...] = (
    ids_are_used_once,
    events_are_used_once,
    only_what_was_done_is_undone,
    each_completion_is_undone_once,
    an_ended_saga_never_changes,
    the_saga_turns_back_at_most_once,
    a_suspended_saga_does_not_move,
    what_was_done_is_undone_in_reverse,
)


def check_journal(records: Iterable[Record]) -> None:
    """Check all that must hold of a journal."""
    records = list(records)
    for invariant in JOURNAL:
        invariant(records)


def what_happened_is_what_was_journaled(
    records: list[Record], id: str, effects: Counter[str], undone: Counter[str]
) -> None:
    """I2, I3, I5, of a saga that is over, against what participants really did: by command id, how often it
    was carried out, and how often undone. What a person has decided about, only that person knows."""
    by_hand = {path.partition("~")[0] for record in records for path in _decided_by_hand(record)}
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
    hold(completed - by_hand <= did, f"{completed - by_hand - did} is completed, and never was carried out")
    hold(undid <= did | units | unknown, f"{undid - did - units - unknown} was undone, and never done")
    for record in records:
        if isinstance(record, r.UndoCompleted) and record.via == "answer":
            path = record.path.partition("~")[0]
            hold(path in undid | by_hand, f"{path} is undone in the journal only")
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
    return {key.removeprefix(f"{id}:") for key, times in count.items() if times}


# --- of a state -----------------------------------------------------------------------------------


def nothing_is_in_limbo(state: State, out: Pending) -> None:
    """I13: a saga is over, or something will happen to it, or a person sees that nothing will."""
    if state.ended is None and not state.suspended:
        hold(out.commands or out.resolves or out.timers or out.waits or out.incidents, "it waits for nothing")


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
        silent = state.suspended and path in state.answered
        hold((path in out.commands) == (visit.phase is Phase.OPEN and not silent), f"{path}: command")
        hold((path in out.resolves) == (visit.phase is Phase.RESOLVING and not silent), f"{path}: inquiry")
        hold((path in out.resolves) == (path in out.inquiries), f"{path}: number of the inquiry")
        hold((path in out.incidents) == (visit.phase is Phase.PARKED), f"{path}: incident")
        hold(visit.scope in state.scopes, f"{path} is in a scope that is gone")
        if visit.undoes is None:
            forward = state.scopes[visit.scope].direction is Direction.FORWARD
            silent = visit.phase in (Phase.OPEN, Phase.BACKOFF, Phase.WAITING, Phase.SLEEPING)
            hold(forward or not silent, f"{path} goes on in a scope that has turned back")


def the_status_is_what_a_person_sees(state: State, out: Pending) -> None:
    """PARKED if and only if there is an incident to look at, except while suspended."""
    if state.ended is None and not state.suspended:
        hold((state.status == "PARKED") == bool(out.incidents), f"{state.status}, {out.incidents}")


def check_state(state: State, out: Pending) -> None:
    """Check all that must hold of a state and what is outside."""
    nothing_is_in_limbo(state, out)
    every_scope_waits_for_something_in_it(state)
    every_visit_says_what_it_waits_for(state, out)
    the_status_is_what_a_person_sees(state, out)
