"""How often, how many at once, and when: items, rounds, races and reminders, from graph and journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reliability.model.invariants import hold
from saga.flow.graph import Each, Every, Graph, Race, Repeat, Scope, Task, Wait
from saga.machine import Record
from saga.machine import records as r

__all__ = ["check_timed"]


@dataclass
class _Items:
    """An `each` that is under way."""

    listed: int
    concurrency: int
    begun: int = 0
    open: set[str] = field(default_factory=set)


@dataclass
class _Reminders:
    """Something that reminds."""

    every: Every
    begun: int
    times: int = 0


class _Schedule:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.eaches: dict[str, _Items] = {}
        self.item_of: dict[str, str] = {}
        self.rounds: dict[str, tuple[str, str, int]] = {}
        """Rounds that are under way → scope, element, number."""
        self.last_round: dict[tuple[str, str], int] = {}
        """The round that was completed last, if the next one may begin: by scope and element."""
        self.races: dict[str, tuple[set[str], int | None]] = {}
        """Races under way → what takes part in them, and when they are over in any case."""
        self.came: set[str] = set()
        """What has come, in a race that is not over yet."""
        self.reminders: dict[str, _Reminders] = {}
        self.due: dict[str, int] = {}
        """When what is open is out of time."""
        self.gone: set[str] = set()
        """Visits of races that were lost."""

    def take(self, now: int, record: Record) -> None:
        path = getattr(record, "path", "")
        late = isinstance(record, r.Ignored | r.Held)
        hold(late or path not in self.gone, f"{record}, which has lost its race")
        match record:
            case r.EachBegun():
                node = self.graph.nodes[record.element]
                assert isinstance(node, Each)
                self.eaches[path] = _Items(len(record.items), node.concurrency)
            case r.ItemBegun():
                self.begin_item(record)
            case r.ScopeEntered():
                self.enter(now, record)
            case r.ScopeLeft():
                self.leave(path)
            case r.ScopeFailed() | r.Terminated():
                if isinstance(record, r.ScopeFailed) and record.code == "timeout":
                    self.out_of_time(now, record.element)
                self.gather(path)
            case r.Started() if record.due is not None:
                self.due[""] = record.due
            case r.RaceBegun():
                node = self.graph.nodes[record.element]
                assert isinstance(node, Race)
                due = None if node.after_ms is None else now + node.after_ms
                hold(record.due == due, f"{path} ends at {record.due}, not {due}")
                self.races[path] = set(), due
            case r.WaitBegun() | r.TaskOpened() | r.SleepBegun():
                self.wait(now, record)
            case r.EventTaken() | r.TaskDone() | r.Woke() | r.WaitExpired():
                self.reminders.pop(path, None)
                due = self.due.pop(path, None)
                if isinstance(record, r.Woke | r.WaitExpired):
                    hold(due is not None and now >= due, f"{record} at {now}, which is before {due}")
                self.came.add(path)
            case r.RaceOver():
                self.end_race(now, record)
            case r.Reminded():
                self.remind(now, record)
            case _:
                pass

    # --- items and rounds ---------------------------------------------------------------------------

    def begin_item(self, record: r.ItemBegun) -> None:
        """Each item once, in order, and not too many at once."""
        items = self.eaches[record.scope]
        hold(record.index == items.begun < items.listed, f"{record.path} is begun after {items.begun} items")
        items.begun += 1
        items.open.add(record.path)
        self.item_of[record.path] = record.scope
        hold(len(items.open) <= items.concurrency, f"{len(items.open)} items of {record.scope} at once")

    def enter(self, now: int, record: r.ScopeEntered) -> None:
        node = self.graph.nodes[record.element]
        if isinstance(node, Repeat):
            before = self.last_round.pop((record.scope, record.element), 0)
            first = record.round == 1
            hold(first or record.round == before + 1, f"round {record.round} of {record.path} after {before}")
            hold(record.round <= node.at_most, f"round {record.round} of {record.path}")
            self.rounds[record.path] = record.scope, record.element, record.round
            return
        assert isinstance(node, Scope)
        due = None if node.timeout_ms is None else now + node.timeout_ms
        hold(record.due == due, f"{record.path} ends at {record.due}, not {due}")
        if due is not None:
            self.due[record.path] = due
        if node.every is not None:
            self.reminders[record.path] = _Reminders(node.every, now)
            hold(record.remind == now + node.every.interval_ms, f"{record.path} reminds at {record.remind}")

    def out_of_time(self, now: int, element: str) -> None:
        """The saga, or a scope, is out of time, and not too early."""
        if element and not isinstance(self.graph.nodes[element], Scope):
            return  # what a step, a wait or a task is late with is not thrown by a timer of a scope
        instances = {
            path: due for path, due in self.due.items() if path.split("/")[-1].rpartition(".")[0] == element
        }
        hold(instances and min(instances.values()) <= now, f"{element!r} was out of time too early, at {now}")

    def leave(self, path: str) -> None:
        self.reminders.pop(path, None)
        self.due.pop(path, None)
        if path in self.rounds:
            scope, element, number = self.rounds.pop(path)
            self.last_round[scope, element] = number
        if path in self.item_of:
            self.eaches[self.item_of.pop(path)].open.discard(path)
        elif path in self.eaches:
            items = self.eaches.pop(path)
            hold(items.begun == items.listed, f"{path} is left after {items.begun} of {items.listed} items")
            hold(not items.open, f"{path} is left, and {items.open} are not")

    def gather(self, path: str) -> None:
        """Whatever is in this scope is over."""
        prefix = f"{path}/" if path else ""
        for book in (self.due, self.reminders, self.races, self.rounds, self.item_of, self.eaches):
            for other in [other for other in book if other.startswith(prefix)]:
                del book[other]  # type: ignore[attr-defined]
        self.reminders.pop(path, None)
        self.due.pop(path, None)

    # --- waiting ------------------------------------------------------------------------------------

    def wait(self, now: int, record: r.WaitBegun | r.TaskOpened | r.SleepBegun) -> None:
        if record.due is not None:
            self.due[record.path] = record.due
        if record.race:
            self.races[record.race][0].add(record.path)
        node = self.graph.nodes[record.element]
        if isinstance(node, Wait | Task):
            due = None if node.within_ms is None else now + node.within_ms
            hold(record.due == due, f"{record.path} ends at {record.due}, not {due}")
            if node.every is not None:
                self.reminders[record.path] = _Reminders(node.every, now)
                hold(record.remind == now + node.every.interval_ms, f"{record} reminds too early or too late")  # type: ignore[union-attr]

    def end_race(self, now: int, record: r.RaceOver) -> None:
        """One winner, who has come; the others are out."""
        taking_part, due = self.races.pop(record.path)
        if record.by:
            hold(record.by in taking_part & self.came, f"{record} by what has not come")
        else:
            hold(due is not None and now >= due, f"{record} at {now}, which is before {due}")
        hold(self.came & taking_part <= {record.by}, f"{record.path} has two winners")
        self.gone |= taking_part - {record.by}

    def remind(self, now: int, record: r.Reminded) -> None:
        """Never early, not too often, and what was missed counts as one."""
        it = self.reminders[record.path]
        it.times += 1
        every = it.every
        hold(record.times == it.times, f"{record}, and it is number {it.times}")
        hold(now >= it.begun + it.times * every.interval_ms, f"{record} at {now} is early")
        if every.at_most is not None and it.times >= every.at_most:
            hold(it.times == every.at_most, f"{record} is one too many")
            hold(record.remind is None, f"{record} is not the last one")
        else:
            assert record.remind is not None
            hold(now < record.remind <= now + every.interval_ms, f"{record}: the next one, at {now}")
            hold((record.remind - it.begun) % every.interval_ms == 0, f"{record} is off its beat")


def check_timed(graph: Graph, records: Sequence[Record], times: Sequence[int]) -> None:
    """Check all of these. `times`: when each record was written."""
    schedule = _Schedule(graph)
    for now, record in zip(times, records, strict=True):
        schedule.take(now, record)
