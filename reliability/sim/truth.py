"""What has really happened, told commit by commit, and what must hold of each commit (RELIABILITY, section 6).

It shares no code with the machine, and looks at what is new only, so that it can look after every commit. What needs a
whole journal is in `ending`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from reliability.journals.invariants import Violation
from saga.machine import Record, decode_records
from saga.machine import records as r
from saga.store import Batch, ContextChanges, ContextStore, whole

__all__ = ["Seen", "Truth"]


@dataclass(eq=False)
class Seen:
    """One saga, as its journal tells it so far."""

    id: str
    seq: int = 0
    at_ms: int = 0
    ended: str = ""
    turned: int = 0
    reversed: bool = False
    acted: list[str] = field(default_factory=list)
    sent: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Path → participant and number of its command."""
    completed: set[str] = field(default_factory=set)
    undoable: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    due: dict[str, int] = field(default_factory=dict)
    """What is armed: path (and ` again`, ` remind`) → not before."""
    failed: set[str] = field(default_factory=set)
    begun: str = ""


class Truth:
    """Told of every commit of every file, after it is on disk."""

    def __init__(self, latest_ms: Any) -> None:
        """`latest_ms()` returns the latest time that any clock has shown."""
        self._latest_ms = latest_ms
        self.sagas: dict[int, Seen] = {}
        self.by_id: dict[str, Seen] = {}
        self.events: dict[str, tuple[int, str]] = {}
        """Event id → number and type, of the log."""
        self.last_event_no, self.log_begins = 0, 1
        self.outboxes: defaultdict[str, list[str]] = defaultdict(list)
        """Context → ids of all events that it has published, in order."""
        self.inboxes: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """Context → command id → outcome, of all commands that it ever answered."""
        self.effects: Counter[tuple[str, str]] = Counter()
        """Context and message (command or event) → how often it had an effect."""
        self.logged: Counter[str] = Counter()
        """Event id → how often: once it is pruned, the application may publish it anew."""
        self.heard: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        """Context and type → numbers of the events it has taken, in order."""
        self.failing: set[tuple[str, int]] = set()
        """Context and number of events that a listener has failed on."""
        self._last_effect: defaultdict[str, int] = defaultdict(int)
        self.commits = 0

    # --- saga.db ----------------------------------------------------------------------------------

    def committed(self, batch: Batch) -> None:
        """A batch of the coordinator is on disk."""
        self.commits += 1
        for row in batch.new_sagas:
            if row[1] in self.by_id:
                raise Violation(f"saga {row[1]} was started twice")
            self.sagas[row[0]] = self.by_id[row[1]] = Seen(row[1])
        for no, seq, at_ms, _, _, data, _, form in batch.journal:
            seen = self.sagas[no]
            if seq != seen.seq + 1:
                raise Violation(f"I7: row {seq} of {seen.id} follows row {seen.seq}")
            if at_ms < seen.at_ms or at_ms > self._latest_ms():
                raise Violation(
                    f"time of {seen.id} goes from {seen.at_ms} to {at_ms}, it is {self._latest_ms()}"
                )
            seen.seq, seen.at_ms = seq, at_ms
            for record in decode_records(whole(form, data) if form else data):
                self._take(seen, record, at_ms)
        for no, id, type_, *_ in batch.events:
            known = self.events.get(id, (0, ""))[0]
            if no != self.last_event_no + 1 or known >= self.log_begins:
                raise Violation(f"event {id} is number {no} of the log, after {self.last_event_no}")
            self.last_event_no = no
            self.events[id] = (no, type_)
            self.logged[id] += 1

    def pruned(self, log_begins: int | None) -> None:
        """The log begins at this number now; an event that is not in it any more may come anew."""
        self.log_begins = self.last_event_no + 1 if log_begins is None else log_begins

    def _take(self, seen: Seen, record: Record, at_ms: int) -> None:
        if seen.ended and not isinstance(record, r.Ignored | r.Reversed):
            raise Violation(f"I6: {seen.id} is {seen.ended}, and {record}")
        match record:
            case r.Started():
                if record.due is not None:
                    seen.due["!"] = record.due
            case r.CommandSent() | r.UndoSent():
                self._sent(seen, record)
            case r.StepCompleted():
                self._completed(seen, record)
            case r.StepFailed():
                if record.code == "timeout":
                    self._not_early(seen, record.path, at_ms)
                if record.unknown:
                    seen.undoable.add(record.path)
            case r.ScopeLeft():
                seen.undoable.add(record.path)
            case r.UndoCompleted() | r.UndoSkipped():
                path = record.path.partition("~")[0]
                if path in seen.undone:
                    raise Violation(f"I2: {path} of {seen.id} is undone twice")
                seen.undone.add(path)
                self._answered(seen, record.path, "done", getattr(record, "via", "hand"))
            case r.StepRefused():
                self._answered(seen, record.path, "refused", "answer")
            case r.StepDropped():
                self._dropped(seen, record)
            case r.WaitBegun() | r.TaskOpened() | r.SleepBegun() | r.RaceBegun():
                if record.due is not None:
                    seen.due[record.path] = record.due
                if getattr(record, "remind", None) is not None:
                    seen.due[f"{record.path} remind"] = record.remind  # type: ignore[union-attr,assignment]
            case r.ScopeEntered():
                if record.due is not None:
                    seen.due[record.path] = record.due
                if record.remind is not None:
                    seen.due[f"{record.path} remind"] = record.remind
            case r.Reminded():
                self._not_early(seen, f"{record.path} remind", at_ms)
                if record.remind is not None:
                    seen.due[f"{record.path} remind"] = record.remind
            case r.AttemptFailed():
                if record.retry_at is not None:
                    seen.due[f"{record.path} again"] = record.retry_at
            case r.AttemptBegun(anew=False):
                self._not_early(seen, f"{record.path} again", at_ms)
            case r.WaitExpired() | r.Woke():
                self._not_early(seen, record.path, at_ms)
            case r.RaceOver(by=""):
                self._not_early(seen, record.path, at_ms)
            case r.Resolving(why="timeout") if not seen.turned:  # else the saga as a whole is out of time
                self._not_early(seen, record.path, at_ms, keep=True)
            case r.ScopeFailed():
                if record.code == "timeout" and record.element == "" and record.path == "":
                    self._not_early(seen, "!", at_ms)
                if record.path == "":
                    seen.turned += 1
            case r.Reversed():
                if seen.ended != "COMPLETED":
                    raise Violation(f"I6: {seen.id} is reversed, and was {seen.ended or 'not over'}")
                seen.ended, seen.reversed = "", True
                seen.turned += 1
            case r.Acted():
                seen.acted.append(record.action)
            case r.Suspended():
                seen.acted.append("suspend")
            case r.Resumed():
                seen.acted.append("resume")
            case r.Ended():
                seen.ended = record.status
                if (record.status == "COMPENSATED") != bool(seen.turned):
                    raise Violation(f"I5: {seen.id} is {record.status}, and turned back {seen.turned} times")
            case _:
                pass
        if seen.turned > 1:
            raise Violation(f"I16: {seen.id} turned back twice")

    def _not_early(self, seen: Seen, what: str, at_ms: int, *, keep: bool = False) -> None:
        due = seen.due.get(what) if keep else seen.due.pop(what, None)
        if due is None:
            raise Violation(f"I11: {what} of {seen.id} fired, and was not armed (any more)")
        if at_ms < due:
            raise Violation(f"I11: {what} of {seen.id} fired at {at_ms}, due at {due}")

    def _sent(self, seen: Seen, record: r.CommandSent | r.UndoSent) -> None:
        if record.path in seen.sent:
            raise Violation(f"I2: two commands of {seen.id} are {record.path}")
        seen.sent[record.path] = (record.to, record.number)
        if isinstance(record, r.UndoSent):
            if record.of not in seen.undoable:
                raise Violation(f"I3: {record.path} of {seen.id} undoes what was not done")
            if record.of in seen.undone:
                raise Violation(f"I2: {record.path} of {seen.id} undoes what is undone")
        elif record.due is not None:
            seen.due[record.path] = record.due

    def _completed(self, seen: Seen, record: r.StepCompleted) -> None:
        if record.path in seen.completed:
            raise Violation(f"{record.path} of {seen.id} completed twice")
        seen.completed.add(record.path)
        if record.undo is not None:
            seen.undoable.add(record.path)
        self._answered(seen, record.path, "done", record.via)

    def _answered(self, seen: Seen, path: str, outcome: str, via: str) -> None:
        """I9: what is acknowledged here is on disk there."""
        to, _ = seen.sent.get(path, ("", 0))
        if via == "hand" or to not in self.inboxes:
            return
        known = self.inboxes[to].get(f"{seen.id}:{path}")
        if known != outcome:
            raise Violation(f"I9: {path} of {seen.id} is {outcome} in the journal, in {to} {known}")

    def _dropped(self, seen: Seen, record: r.StepDropped) -> None:
        to, _ = seen.sent.get(record.path, ("", 0))
        if to in self.inboxes:
            known = self.inboxes[to].get(f"{seen.id}:{record.path}")
            if known not in ("tombstone", "refused"):
                raise Violation(
                    f"I9: {record.path} of {seen.id} was never done, says its journal; {to} {known}"
                )

    # --- contexts ---------------------------------------------------------------------------------

    def context_committed(self, store: ContextStore, changes: ContextChanges) -> None:
        """A transaction of a context is on disk."""
        self.commits += 1
        name = store.name
        inbox = self.inboxes[name]
        done = set()
        for id, _, outcome, *_ in changes.inbox:
            if id in inbox:
                raise Violation(f"I2: {name} has answered {id} twice")
            inbox[id] = outcome
            if outcome == "done":
                done.add(id)
        for type_, position in changes.positions.items():
            self._heard(name, type_, position)
        for (no, _), retry in changes.retries.items():
            if retry is not None:
                self.failing.add((name, no))
        if changes.outbox:
            outbox = self.outboxes[name]
            for id, *_ in changes.outbox:
                outbox.append(id)
                if id != f"{name}:{len(outbox)}":
                    raise Violation(f"{name} has published {id} as its event number {len(outbox)}")
        if changes.inbox or changes.positions or changes.retries:
            self._look_for_effects(store, done)

    def _heard(self, name: str, type_: str, position: int) -> None:
        taken = self.heard[name, type_]
        if taken and position < taken[-1]:
            raise Violation(f"I10: {name} went back from event {taken[-1]} to {position} of {type_}")
        if not taken or position > taken[-1]:
            taken.append(position)

    def _look_for_effects(self, store: ContextStore, done: set[str]) -> None:
        name, after = store.name, self._last_effect[store.name]
        statement = "SELECT no, message, what FROM effects WHERE no > ?"
        for no, message, what in store.consult(lambda it: it.execute(statement, (after,)).fetchall()):
            self._last_effect[name] = no
            if what.endswith(", refused"):
                continue
            self.effects[name, message] += 1
            if self.effects[name, message] > self.logged.get(message, 1):
                raise Violation(f"I2: {name} did {what} for {message} twice")
            if message not in self.events and message not in done:
                raise Violation(f"I2: {name} did {what} for {message}, which it has not answered")
            done.discard(message)
        if done:
            raise Violation(f"{name} has answered {done} with nothing done")
