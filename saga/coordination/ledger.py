"""What one commit consists of: stimuli go in, rows and the changes to be carried out afterwards come out.

Rules
1. All that happens to all sagas in one batch becomes one commit. Nothing leaves before it.
2. Rows about timers, waits, incidents and status are the difference of `pending` between the last commit and this one.
3. A saga that comes to a wait finds the events that were there before, also those of the same batch. What sagas
   publish, and what they do to each other, belongs to the same batch, too.
4. Time never goes back: it is the clock's, but at least the latest time that was ever recorded.
5. If the run before was cut off in a function of a saga that was being started, every start is stored before any of its
   functions is called: what has no number on disk cannot be found guilty (`suspects`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.calls import Calls
from saga.coordination.definitions import Definitions
from saga.coordination.evaluation import Author, Routing
from saga.coordination.filling import fill
from saga.coordination.guard import Busy, describe
from saga.coordination.instances import Cache, Instance, Loader
from saga.coordination.requests import Start
from saga.flow.definition import Definition
from saga.log import Log
from saga.machine import Pending, Status, Stimulus, command_id, decide, pending
from saga.machine import stimuli as s
from saga.machine.pending import NOTHING
from saga.machine.records import EventPublished, Record, Resumed, WaitBegun
from saga.machine.state import Phase
from saga.store import FILLED, JSON, Batch, JournalRow, SagaRow, SagaStore, chain, digest_of

__all__ = ["Effects", "Event", "Ledger", "input_digest"]

log = Log("saga.coordinator")


@dataclass(frozen=True, slots=True)
class Event:
    """An event that is put into the log."""

    no: int
    id: str
    type: str
    key: str | None
    event: Raw
    correlation: str


class Effects:
    """What a batch leads to once it is on disk: the differences of `pending`, of all its sagas, in order."""

    __slots__ = ("active", "changed", "inquiries", "next_due", "over", "sends")

    def __init__(self) -> None:
        self.over: list[tuple[Instance, str, tuple[str, int]]] = []
        """Commands that are over: saga, path, participant and number."""
        self.sends: list[tuple[Instance, str, str]] = []
        """Commands to be sent: saga, path, participant."""
        self.inquiries: list[tuple[Instance, str, str]] = []
        """Commands whose outcome is to be inquired: saga, path, participant."""
        self.changed: list[tuple[Instance, Status | None]] = []
        """Sagas with another status, and the one before; None for a new saga."""
        self.next_due: int | None = None
        """The earliest of the timers that were armed."""
        self.active: list[tuple[Instance, int]] = []
        """Sagas that have commands outside since now (1), or none any more (-1)."""

    def leave_out(self, nos: Sequence[int]) -> None:
        """Take out everything about these sagas."""
        for name in ("active", "over", "sends", "inquiries", "changed"):
            setattr(self, name, [effect for effect in getattr(self, name) if effect[0].no not in nos])


def input_digest(data: bytes) -> bytes:
    """Return the digest by which a second start with the same id is compared with the first."""
    return digest_of(data)


class Ledger:
    """The batch at hand, and the sagas it is about."""

    def __init__(
        self,
        store: SagaStore,
        definitions: Definitions,
        routing: Routing,
        busy: Busy,
        cache_limit: int,
        make_author: Callable[[Definition, Routing, Busy, int], Author] = Author,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._loader = Loader(store, definitions, routing, busy, make_author)
        self.cache = Cache(cache_limit, self._loader.load)
        self._started_by = definitions.started_by()
        self._stored_first = store.cut_off_starting
        self._awaited_types = store.awaited_types()
        """The types of events that some saga has waited for in this life, or at its beginning."""
        self._next_saga_no = store.next_saga_no
        self._next_event_no = store.next_event_no
        self.now = store.high_ms
        self.batch = Batch()
        self.events: list[Event] = []
        """The events put into the log by this batch."""
        self._events_by_key: dict[tuple[str, str | None], list[Event]] = {}
        self._event_ids: set[str] = set()
        self._waiting: dict[tuple[str, str | None], list[tuple[int, str]]] = {}
        self._new: dict[int, Start] = {}
        self._new_ids: dict[str, Instance] = {}
        self._dirty: dict[int, Instance] = {}
        self._new_waits: list[tuple[Instance, str]] = []
        self._published: deque[tuple[Instance, EventPublished]] = deque()
        self._linked: dict[int, Instance] = {}
        self.given_up: set[int] = set()
        """The sagas that this batch was to be about, and of which nothing of it is on disk."""
        self.calls: Calls
        """Set by whoever makes this: calls need the coordinator's guard around what happens."""

    @property
    def last_event_no(self) -> int:
        """The highest number of an event in the log."""
        return self._next_event_no - 1

    def open(self, clock_ms: int) -> None:
        """Begin a batch at this time."""
        self.now = max(self.now, clock_ms)
        self.batch = Batch()
        self.batch.high_ms = self.now
        self.events = []
        self._events_by_key = {}
        self._event_ids = set()
        self._new = {}
        self._new_ids = {}
        self._dirty = {}
        self._new_waits = []
        self._published.clear()
        self._linked = {}
        if self.given_up:
            self.given_up = set()
        self.calls.open()

    # --- sagas ------------------------------------------------------------------------------------

    def started_here(self, saga_id: str) -> tuple[Instance, Start] | None:
        """Return the saga of this id if this batch started it."""
        instance = self._new_ids.get(saga_id)
        return None if instance is None else (instance, self._new[instance.no])

    def find(self, saga_id: str) -> Instance | None:
        """Return the saga of this id, from this batch, from memory or by replay."""
        here = self._new_ids.get(saga_id)
        if here is not None:
            return here
        row = self._store.find(saga_id)
        return None if row is None else self.cache.get(row.no)

    def start(self, start: Start) -> Instance:
        """Start a saga; that the id is free was checked."""
        no = self._next_saga_no
        self._next_saga_no = no + 1
        after_event = self._next_event_no - 1
        instance = self._loader.new(no, self._definitions.no(start.definition), after_event)
        stimulus = s.Start(
            start.id,
            start.definition.graph.input,
            start.input,
            start.correlation or start.id,
            start.causation,
            dict(start.tags),
            start.event_id,
            max(start.at, self.now + 1) if self._stored_first else start.at,
            start.parent,
            start.reply_to,
        )
        author = instance.author
        assert isinstance(author, Author)
        author.begin(start.id, start.value, self.now, start.tags)
        self.cache.add(instance)
        self._new[no] = start
        self._new_ids[start.id] = instance
        self.apply(instance, stimulus, start.causation or None)
        for key, value in start.tags.items():
            self.batch.tags.append((no, key, value))
        return instance

    def take(self, row: SagaRow, journal: list[JournalRow]) -> Instance | None:
        """Return the saga of this row, from memory, or by replay of this journal of it. Only between batches."""
        return self.cache.get_or(row.no, lambda: self._loader.replayed(row, journal))

    def prepare(self, nos: Iterable[int]) -> None:
        """Load those of these sagas that are not in memory, together. Only between batches."""
        missing = self.cache.missing(nos)
        if len(missing) > 1:
            for row, journal in self._store.journals(missing):
                self.take(row, journal)

    def apply(self, instance: Instance, stimulus: Stimulus, cause: str | None) -> bool:
        """Let something happen to a saga; return whether it left a record.

        Raises machine.NotPossible when an operator's action does not fit; nothing was changed then.
        """
        author, now = instance.author, self.now
        state, records = decide(instance.graph, instance.state, stimulus, now, author, author.follow)
        no, seq = instance.no, instance.seq + 1
        if seq == 1:
            instance.state = state
        self._dirty[no] = instance
        if not records:
            return False
        form, data = fill(records)
        encoding = FILLED if form else JSON
        digest = chain(instance.digest, no, seq, now, cause, encoding, form + data)
        instance.seq, instance.digest = seq, digest
        self.batch.journal.append((no, seq, now, cause, encoding, data, digest, form))
        if instance.tells:
            self._note(instance, records)
        if instance.may_call or state.parent:
            self._linked[no] = instance
        return True

    def _note(self, instance: Instance, records: list[Record]) -> None:
        """Remember which waits have begun, since there may be events for them already, and what was published."""
        for record in records:
            if isinstance(record, WaitBegun):
                self._new_waits.append((instance, record.path))
            elif isinstance(record, EventPublished):
                self._published.append((instance, record))
            elif isinstance(record, Resumed):
                self._new_waits += [(instance, path) for path in instance.state.visits]

    def settle(self) -> None:
        """Let happen what follows in this batch from what has happened in it, until nothing does any more: between
        sagas that call each other, by events that sagas have published, by events that were there before a wait."""
        calls = self.calls
        while True:
            if self._linked:
                no = next(iter(self._linked))
                calls.follow(self._linked.pop(no))
            elif self._published:
                self._log_published(*self._published.popleft())
            elif self._new_waits:
                self._find_early_events()
            else:
                return

    def _log_published(self, instance: Instance, record: EventPublished) -> None:
        state = instance.state
        event_id = command_id(state.id, record.path)
        if not self._store.event_exists(
            event_id
        ):  # it is there when the saga was given up once after publishing it
            self.expect_events([(record.type, record.key)])
            source = f"saga {state.saga}"
            self.log_event(
                event_id, record.type, record.key, record.event, source, state.correlation, state.id
            )

    def in_batch(self, no: int) -> Instance:
        """Return the saga of this number, to which something has happened in this batch."""
        return self._dirty[no]

    def linked_groups(self) -> list[list[int]]:
        """Return the numbers of sagas that have called each other and of which something has happened to both, in
        groups: what one did to the other is in the rows of both, or of none."""
        here = {instance.state.id: instance.state for instance in self._dirty.values()}
        groups: dict[str, list[int]] = {}
        for no, instance in self._dirty.items():
            top = instance.state
            while top.parent in here:
                top = here[top.parent]
            groups.setdefault(top.id, []).append(no)
        return [group for group in groups.values() if len(group) > 1]

    def discard(self, instance: Instance) -> None:
        """Take everything about a saga out of the batch: its state cannot be trusted."""
        no = instance.no
        self._dirty.pop(no, None)
        self._new.pop(no, None)
        self._new_ids = {id: other for id, other in self._new_ids.items() if other is not instance}
        self._new_waits = [wait for wait in self._new_waits if wait[0] is not instance]
        self._published = deque(each for each in self._published if each[0] is not instance)
        self._linked.pop(no, None)
        self.batch.journal = [row for row in self.batch.journal if row[0] != no]
        self.batch.tags = [row for row in self.batch.tags if row[0] != no]

    def discard_start(self, saga_id: str) -> None:
        """Take a start out of the batch again, if it got there."""
        instance = self._new_ids.get(saga_id)
        if instance is not None:
            self.discard(instance)
            self.cache.drop(instance.no)

    # --- events -----------------------------------------------------------------------------------

    def expect_events(self, keyed: Iterable[tuple[str, str | None]]) -> None:
        """Look up which sagas wait for events of these types and keys, as of the last commit."""
        awaited = [each for each in keyed if each[0] in self._awaited_types]
        self._waiting = self._store.waiting_for(awaited) if awaited else {}

    def log_event(
        self,
        event_id: str,
        type: str,
        key: str | None,
        event: Raw,
        source: str,
        correlation: str,
        causation: str | None,
        *,
        fresh: bool = False,
    ) -> bool:
        """Put an event into the log, and let it happen to whoever waits for it; False when it is there already.

        Who waits must have been looked up by `expect_events`. `fresh`: it cannot be there already.
        """
        known = source == "runtime" and not fresh and self._store.event_exists(event_id)
        if known or event_id in self._event_ids:
            return False
        no = self._next_event_no
        self._next_event_no = no + 1
        logged = Event(no, event_id, type, key, event, correlation)
        self.events.append(logged)
        self._event_ids.add(event_id)
        self.batch.events.append(
            (no, event_id, type, key, bytes(event), self.now, source, correlation, causation)
        )
        if key is not None:
            self._events_by_key.setdefault((type, key), []).append(logged)
            for saga_no, path in self._waiting.get((type, key), ()):
                instance = self.cache.get(saga_no)
                if instance is not None:
                    self._offer(instance, path, event_id, event)
        for definition in self._started_by.get(type, ()):
            self._start_by_event(definition, logged)
        return True

    def _start_by_event(self, definition: Definition, event: Event) -> None:
        saga_id = f"{definition.graph.name}:{event.id}"
        if saga_id in self._new_ids or self._store.find(saga_id) is not None:
            return
        try:
            value = codec_for(definition.input).decode(bytes(event.event))
        except BaseException as error:  # its class has become stricter since it was published
            log.error(
                "event_starts_nothing", event_id=event.id, saga=definition.graph.name, reason=describe(error)
            )
            return
        start = Start(definition, saga_id, event.event, value, {}, 0, event.correlation, event.id, event.id)
        try:
            self.start(start)
        except Exception as error:  # a bug of ours: it costs this saga, and nobody else anything
            self.discard_start(saga_id)
            log.error("start_failed", saga_id=saga_id, reason=describe(error))

    def _offer(self, instance: Instance, path: str, event_id: str, event: Raw) -> bool:
        """Let an event happen to a visit that waits for it; False when it does not (any more)."""
        visit = instance.state.visits.get(path)
        if visit is None or visit.phase is not Phase.WAITING or instance.state.suspended:
            return False
        if event_id in instance.state.used_events:
            return False
        instance.author.forget(visit.element)
        return self.apply(instance, s.EventArrived(path, event_id, event), event_id)

    def _find_early_events(self) -> None:
        """Give the waits that have begun the events that were there before them, in the order in which they came."""
        waits, self._new_waits = self._new_waits, []
        found = []
        for instance, path in waits:
            first = self._first_match(instance, path)
            if first is not None:
                found.append((first[0], instance, path, first[1], first[2]))
        for _, instance, path, event_id, event in sorted(found, key=lambda each: each[0]):
            if not self._offer(instance, path, event_id, event):
                self._new_waits.append((instance, path))  # another wait has used it: there may be a later one

    def _first_match(self, instance: Instance, path: str) -> tuple[int, str, Raw] | None:
        """Return number, id and payload of the first event that a wait can have; None when there is none."""
        visit = instance.state.visits.get(path)
        if visit is None or visit.phase is not Phase.WAITING or instance.state.suspended:
            return None
        used = instance.state.used_events
        for row in self._store.matching_events(visit.event, visit.key, instance.first_event_no):
            if row.id not in used:
                return row.no, row.id, Raw(row.payload)
        for event in self._events_by_key.get((visit.event, visit.key), ()):
            if event.no > instance.first_event_no and event.id not in used:
                return event.no, event.id, event.event
        return None

    # --- the commit -------------------------------------------------------------------------------

    def seal(self) -> Effects:
        """Complete the batch with the rows that follow from the sagas' new states; return what is to be done."""
        effects = Effects()
        for instance in self._dirty.values():
            self._seal(instance, effects)
        return effects

    def _seal(self, instance: Instance, effects: Effects) -> None:
        state, numbers = instance.state, instance.numbers
        before, after = instance.pending, pending(state)
        instance.pending = after
        for path in list(numbers):
            if path not in state.visits:
                effects.over.append((instance, path, numbers.pop(path)))
        known = before.commands
        for path, (sent, attempt) in after.commands.items():
            earlier = known.get(path)
            if earlier is None or earlier[1] != attempt:
                numbers[path] = (sent.to, sent.number)
                effects.sends.append((instance, path, sent.to))
        if not (before.plain and after.plain):  # mostly both are
            self._seal_others(instance, before, after, effects)
        status = state.status_with(after.incidents is not NOTHING)
        idle = after.commands is NOTHING and after.resolves is NOTHING
        busy = not idle or (bool(numbers) and state.ended is None)
        refused = state.failure is not None
        if idle is not instance.idle:
            instance.idle = idle
            effects.active.append((instance, -1 if idle else 1))
        if status is not instance.status or busy is not instance.busy or refused is not instance.refused:
            self._status_rows(instance, status, busy)
            if status is not instance.status:
                effects.changed.append((instance, instance.status))
            instance.status, instance.busy, instance.refused = status, busy, refused

    def _seal_others(self, instance: Instance, before: Pending, after: Pending, effects: Effects) -> None:
        """Do for everything but commands what `_seal` does for those."""
        for path, sent in after.resolves.items():
            if before.inquiries.get(path) != after.inquiries[path]:
                instance.numbers[path] = (sent.to, sent.number)
                effects.inquiries.append((instance, path, sent.to))
        # what both have nothing of is the same object, so that most of these need no look inside
        if before.timers is not after.timers:
            self._timer_rows(instance.no, before, after, effects)
        if before.waits is not after.waits:
            self._wait_rows(instance.no, before, after)
        if before.incidents is not after.incidents:
            self._incident_rows(instance.no, before, after)
        if before.tasks is not after.tasks:
            self._task_rows(instance, before, after)

    def _status_rows(self, instance: Instance, status: Status, busy: bool) -> None:
        start, ended = self._new.get(instance.no), instance.state.ended is not None
        if start is not None and instance.status is None:
            self.batch.new_sagas.append(self._saga_row(instance, start, status, busy))
            if not ended and instance.state.failure is None:
                return
        failure = instance.state.failure
        self.batch.saga_updates[instance.no] = (
            status._value_,
            int(busy),
            self.now if ended else None,
            failure.code if failure else None,
            failure.reason if failure else None,
        )

    def _timer_rows(self, no: int, before: Pending, after: Pending, effects: Effects) -> None:
        timers = self.batch.timers
        for name in before.timers:
            if name not in after.timers:
                timers[no, name] = None
        for name, due in after.timers.items():
            if before.timers.get(name) != due:
                timers[no, name] = due
                if effects.next_due is None or due < effects.next_due:
                    effects.next_due = due

    def _wait_rows(self, no: int, before: Pending, after: Pending) -> None:
        waits = self.batch.waits
        for path in before.waits:
            if path not in after.waits:
                waits[no, path] = None
        for path, (type, key) in after.waits.items():
            if path not in before.waits:
                waits[no, path] = (type, key)
                self._awaited_types.add(type)

    def _task_rows(self, instance: Instance, before: Pending, after: Pending) -> None:
        tasks, no = self.batch.tasks, instance.no
        for path in before.tasks:
            if path not in after.tasks:
                tasks[no, path] = None
        for path, task in after.tasks.items():
            if before.tasks.get(path) != task:
                subject, assignee = bytes(task.subject), task.assignee or None
                tasks[no, path] = (task.element, task.type, subject, assignee, task.since, task.due)

    def _incident_rows(self, no: int, before: Pending, after: Pending) -> None:
        incidents = self.batch.incidents
        for path in before.incidents:
            if path not in after.incidents:
                incidents[no, path] = None
        for path, incident in after.incidents.items():
            if before.incidents.get(path) != incident:
                incidents[no, path] = (incident.kind, incident.reason, incident.at)

    def _saga_row(
        self, instance: Instance, start: Start, status: Status, busy: bool
    ) -> tuple[int, str, int, str, int, int, int | None, str, bytes, str, str | None, int]:
        state = instance.state
        return (
            instance.no,
            state.id,
            instance.definition_no,
            status._value_,
            int(busy),
            state.started_ms,
            self.now if status.ended else None,
            state.input_type,
            input_digest(bytes(start.input)),
            state.correlation,
            state.causation or None,
            instance.first_event_no,
        )
