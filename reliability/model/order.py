"""What was done is undone in reverse, one at a time, once: a second opinion, from the journal alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from reliability.model.invariants import hold
from saga.machine import Record
from saga.machine import records as r

__all__ = ["what_was_done_is_undone_in_reverse"]


@dataclass
class _Region:
    """A scope instance, as its journal tells it."""

    parent: str | None
    direction: str = "forward"
    done: list[tuple[int, str]] = field(default_factory=list)
    """What can be undone: time of completion and path, of a completed inner scope the time of that one."""
    kept: list[tuple[int, str]] = field(default_factory=list)
    """Of an ending scope: what was done before and stays."""
    wanted: dict[str, list[str]] = field(default_factory=dict)
    """Compensations in the middle of the flow → what they are to undo."""


class _Undoing:
    """Walks a journal and holds what is undone, and when, against what was done."""

    def __init__(self) -> None:
        self.regions: dict[str, _Region] = {}
        self.over_with: list[tuple[int, str]] = []
        """What was done and not undone when the saga ended."""
        self.items: set[str] = set()
        """Paths of items of an `each`; they are no elements."""
        self.open: dict[str, str] = {}
        """Open visits → scope instance."""
        self.silent: set[str] = set()
        """Those that have nothing outside but a wait, a timer or a task."""
        self.races: dict[str, str] = {}
        """Open visits → race they take part in."""
        self.hosts: dict[str, str] = {}
        """Open visits → scope instance they are boundary events of."""
        self.undoing: dict[str, str] = {}
        """Open compensations → what they undo."""
        self.time = 0

    def take(self, record: Record) -> None:
        self.time += 1
        match record:
            case r.Started():
                self.regions[""] = _Region(None)
            case r.ScopeEntered() | r.EachBegun() | r.ItemBegun():
                self.moves_forward(record.scope, record)
                self.regions[record.path] = _Region(record.scope)
                if isinstance(record, r.ItemBegun):
                    self.items.add(record.path)
            case r.CommandSent():
                self.begin(record.path, record.scope, record)
            case r.WaitBegun() | r.SleepBegun() | r.TaskOpened() | r.RaceBegun():
                self.begin(record.path, record.scope, record, silent=True)
                if race := getattr(record, "race", ""):
                    self.races[record.path] = race
                if host := getattr(record, "host", ""):
                    self.hosts[record.path] = host
            case r.CompensationBegun():
                self.begin(record.path, record.scope, record, silent=True)
                region = self.regions[record.scope]
                wanted = [path for _, path in region.done if self.belongs(path, record.target)]
                region.wanted[record.path] = wanted
            case r.CompensationDone():
                region = self.regions[self.open[record.path]]
                left = set(region.wanted.pop(record.path)) & {path for _, path in region.done}
                hold(not left, f"{record.path} is over, and {left} is not undone")
                self.finish(record.path, None)
            case r.Answered() | r.Chosen() | r.JoinReached() | r.Looped() | r.EventPublished():
                self.moves_forward(record.scope, record)
            case r.Parked() if record.path not in self.open:
                self.begin(record.path, record.scope, None, silent=record.of is None)
                if record.of is not None:
                    self.begin_undo(record.path, record.scope, record.of)
            case r.StepCompleted() | r.StepFailed():
                self.finish(record.path, record.undo)
            case r.StepRefused() | r.StepDropped() | r.StepSkipped():
                self.finish(record.path, None)
            case r.EventTaken() | r.WaitExpired() | r.Woke() | r.TaskDone():
                self.finish(record.path, None)
            case r.RaceOver():
                self.finish(record.path, None)
                for path in [path for path, race in self.races.items() if race == record.path]:
                    self.drop(path)
            case r.Unparked():
                self.undoing.pop(record.path, None)
                self.finish(record.path, None)
            case r.UndoSent():
                self.begin(record.path, record.scope, None)
                self.begin_undo(record.path, record.scope, record.of)
            case r.UndoCompleted() | r.UndoSkipped():
                region, of = self.regions[self.open[record.path]], self.undoing.pop(record.path)
                hold(of in [path for _, path in region.done + region.kept], f"{of} is not to be undone")
                region.done = [entry for entry in region.done if entry[1] != of]
                region.kept = [entry for entry in region.kept if entry[1] != of]
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
                region = self.over("", "backward" if record.status == "COMPENSATED" else None)
                self.over_with = sorted(region.done + region.kept)
            case r.Reversed():
                self.regions[""] = _Region(None, "backward", self.over_with)
            case _:
                pass

    def belongs(self, path: str, target: str) -> bool:
        """Whether something was done by the element `target`, or in it."""
        steps, at = [], ""
        for part in path.split("/"):
            at = f"{at}/{part}" if at else part
            if at not in self.items:
                steps.append(part[: part.rindex(".")])
        return not target or target in steps

    def moves_forward(self, scope: str, record: Record) -> None:
        hold(scope in self.regions, f"{record} in a scope that is over")
        hold(self.regions[scope].direction == "forward", f"{record} in a scope that does not go forward")

    def begin(self, path: str, scope: str, record: Record | None, *, silent: bool = False) -> None:
        hold(path not in self.open, f"{path} is open already")
        if record is not None:
            self.moves_forward(scope, record)
        self.open[path] = scope
        if silent:
            self.silent.add(path)

    def drop(self, path: str) -> str:
        self.silent.discard(path)
        self.races.pop(path, None)
        self.hosts.pop(path, None)
        return self.open.pop(path)

    def finish(self, path: str, undo: str | None) -> None:
        scope = self.drop(path)
        if undo is not None:
            self.regions[scope].done.append((self.time, path))

    def begin_undo(self, path: str, scope: str, of: str) -> None:
        """I4: strictly in the reverse of the order of completion, one at a time. Nothing else is open, unless it is
        only a part that is undone, in the middle of the flow."""
        region = self.regions[scope]
        others = [other for other, where in self.open.items() if where == scope and other != path]
        to_do = region.done
        if region.direction == "forward":
            others = [other for other in others if other in self.undoing]
            parts = [
                [entry for entry in region.done if entry[1] in wanted] for wanted in region.wanted.values()
            ]
            to_do = next((part for part in parts if part and max(part)[1] == of), [])
        hold(not others, f"{path} is sent while {others} are open")
        hold(to_do, f"{path}: nothing is left to undo, or nobody wants it undone")
        hold(max(to_do)[1] == of, f"{path} undoes {of}, but {max(to_do)[1]} completed later")
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
        region.wanted.clear()
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
                    self.drop(visit)
                else:
                    self.open[visit] = path
        self.drop_hosted(path)
        return region

    def drop_hosted(self, path: str) -> None:
        for visit in [visit for visit, host in self.hosts.items() if host == path]:
            self.drop(visit)

    def leave(self, record: r.ScopeLeft) -> None:
        region = self.over(record.path, None)
        self.drop_hosted(record.path)
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
