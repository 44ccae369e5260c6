"""What one commit consists of: stimuli go in, rows and the changes to be carried out afterwards come out.

Rules
1. All that happens to all sagas in one batch becomes one commit. Nothing leaves before it.
2. Rows about timers, waits, incidents and status are the difference of `pending` between the last commit and this one.
3. A saga that comes to a wait finds the events that were there before, also those of the same batch.
4. Time never goes back: it is the clock's, but at least the latest time that was ever recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.definitions import Definitions
from saga.coordination.evaluation import Author, Routing
from saga.coordination.guard import Busy
from saga.coordination.instances import Cache, Instance, Loader
from saga.coordination.requests import Start
from saga.flow.definition import Definition
from saga.machine import Pending, Status, Stimulus, decide, encode_records, pending
from saga.machine import stimuli as s
from saga.machine.records import Resumed, WaitBegun
from saga.machine.state import Phase
from saga.store import Batch, SagaStore, chain

__all__ = ["Change", "Event", "Ledger", "input_digest"]

JSON = 1
"""The encoding of journal rows."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event that is put into the log."""

    no: int
    id: str
    type: str
    key: str | None
    event: Raw
    correlation: str


class Change(NamedTuple):
    """What became of one saga in a batch."""

    instance: Instance
    before: Pending
    after: Pending
    status_before: Status | None
    busy_before: bool
    over: Sequence[tuple[str, str, int]]
    """Path, participant and number of commands that are over."""


def input_digest(data: bytes) -> bytes:
    """Return the digest by which a second start with the same id is compared with the first."""
    return blake2b(data, digest_size=16).digest()


class Ledger:
    """The batch at hand, and the sagas it is about."""

    def __init__(
        self, store: SagaStore, definitions: Definitions, routing: Routing, busy: Busy, cache_limit: int
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._loader = Loader(store, definitions, routing, busy)
        self.cache = Cache(cache_limit, self._loader.load)
        self._started_by = definitions.started_by()
        self._next_saga_no = store.next_saga_no
        self._next_event_no = store.next_event_no
        self.now = store.high_ms
        self.batch = Batch()
        self.events: list[Event] = []
        """The events put into the log by this batch."""
        self._events_by_key: dict[tuple[str, str | None], list[Event]] = {}
        self._event_ids: set[str] = set()
        self._new: dict[int, Start] = {}
        self._new_ids: dict[str, Instance] = {}
        self._dirty: dict[int, Instance] = {}
        self._new_waits: list[tuple[Instance, str]] = []

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

    # --- sagas ------------------------------------------------------------------------------------

    def started_here(self, saga_id: str) -> tuple[Instance, Start] | None:
        """Return the saga of this id if this batch started it."""
        instance = self._new_ids.get(saga_id)
        return None if instance is None else (instance, self._new[instance.no])

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
            start.at,
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

    def apply(self, instance: Instance, stimulus: Stimulus, cause: str | None) -> bool:
        """Let something happen to a saga; return whether it left a record.

        Raises machine.NotPossible when an operator's action does not fit; nothing was changed then.
        """
        state, records = decide(instance.graph, instance.state, stimulus, self.now, instance.author)
        if instance.state is None:
            instance.state = instance.author.state = state
        self._dirty[instance.no] = instance
        if not records:
            return False
        data = encode_records(records)
        instance.seq = seq = instance.seq + 1
        digest = chain(instance.digest, instance.no, seq, self.now, cause, JSON, data)
        instance.digest = digest
        self.batch.journal.append((instance.no, seq, self.now, cause, JSON, data, digest))
        for record in records:
            kind = type(record)
            if kind is WaitBegun:
                self._new_waits.append((instance, record.path))  # type: ignore[union-attr]
            elif kind is Resumed:
                self._new_waits += [(instance, path) for path in state.visits]
        return True

    def discard(self, instance: Instance) -> None:
        """Take everything about a saga out of the batch: its state cannot be trusted."""
        no = instance.no
        self._dirty.pop(no, None)
        self._new.pop(no, None)
        self._new_ids = {id: other for id, other in self._new_ids.items() if other is not instance}
        self._new_waits = [wait for wait in self._new_waits if wait[0] is not instance]
        self.batch.journal = [row for row in self.batch.journal if row[0] != no]
        self.batch.tags = [row for row in self.batch.tags if row[0] != no]

    # --- events -----------------------------------------------------------------------------------

    def log_event(
        self,
        event_id: str,
        type: str,
        key: str | None,
        event: Raw,
        source: str,
        correlation: str,
        causation: str | None,
    ) -> bool:
        """Put an event into the log, and let it happen to whoever waits for it; False when it is there already."""
        if event_id in self._event_ids or (source == "runtime" and self._store.event_exists(event_id)):
            return False
        no = self._next_event_no
        self._next_event_no = no + 1
        logged = Event(no, event_id, type, key, event, correlation)
        self.events.append(logged)
        self._event_ids.add(event_id)
        self.batch.events.append((no, event_id, type, key, bytes(event), self.now, source, correlation, causation))
        if key is not None:
            self._events_by_key.setdefault((type, key), []).append(logged)
            for saga_no, path in self._store.waiting(type, key):
                instance = self.cache.get(saga_no)
                if instance is not None:
                    self._offer(instance, path, event_id, event)
        for definition in self._started_by.get(type, ()):
            self._start_by_event(definition, logged)
        return True

    def _start_by_event(self, definition: Definition, event: Event) -> None:
        value = codec_for(definition.input).decode(bytes(event.event))
        saga_id = f"{definition.graph.name}:{event.id}"
        if saga_id in self._new_ids or self._store.find(saga_id) is not None:
            return
        self.start(Start(definition, saga_id, event.event, value, {}, 0, "", event.id, event.id))

    def _offer(self, instance: Instance, path: str, event_id: str, event: Raw) -> bool:
        """Let an event happen to a visit that waits for it; False when it does not (any more)."""
        visit = instance.live.visits.get(path)
        if visit is None or visit.phase is not Phase.WAITING or instance.live.suspended:
            return False
        if event_id in instance.live.used_events:
            return False
        instance.author.forget(visit.element)
        return self.apply(instance, s.EventArrived(path, event_id, event), event_id)

    def find_early_events(self) -> None:
        """Give the waits that began in this batch the events that were there before them."""
        while self._new_waits:
            instance, path = self._new_waits.pop()
            visit = instance.live.visits.get(path)
            if visit is None or visit.phase is not Phase.WAITING:
                continue
            type, key = visit.event, visit.key
            for row in self._store.matching_events(type, key, instance.first_event_no):
                if self._offer(instance, path, row.id, Raw(row.payload)):
                    break
            else:
                for event in self._events_by_key.get((type, key), ()):
                    if event.no > instance.first_event_no and self._offer(instance, path, event.id, event.event):
                        break

    # --- the commit -------------------------------------------------------------------------------

    def seal(self) -> list[Change]:
        """Complete the batch with the rows that follow from the sagas' new states; return what changed."""
        return [self._seal(instance) for instance in self._dirty.values()]

    def _seal(self, instance: Instance) -> Change:
        state, no, batch = instance.live, instance.no, self.batch
        before, after, status = instance.pending, pending(state), state.status
        numbers, visits = instance.numbers, state.visits
        over = [(path, *where) for path, where in numbers.items() if path not in visits]
        change = Change(instance, before, after, instance.status, instance.busy, over)
        for path, _, _ in over:
            del numbers[path]
        for path, visit in visits.items():
            if visit.sent is not None and path not in numbers:
                numbers[path] = (visit.sent.to, visit.sent.number)
        ended = state.ended is not None
        busy = bool(numbers) and not ended
        start = self._new.get(no) if self._new else None
        if start is not None:
            batch.new_sagas.append(self._saga_row(instance, start, status, busy))
        if (status is not instance.status or busy is not instance.busy) and (start is None or ended):
            failure = state.failure
            batch.saga_updates[no] = (
                status.value,
                int(busy),
                self.now if ended else None,
                failure.code if failure else None,
                failure.reason if failure else None,
            )
        if before.timers or after.timers:
            batch.timers.update({(no, name): None for name in before.timers if name not in after.timers})
            batch.timers.update(
                {(no, name): due for name, due in after.timers.items() if before.timers.get(name) != due}
            )
        if before.waits or after.waits:
            batch.waits.update({(no, path): None for path in before.waits if path not in after.waits})
            batch.waits.update(
                {(no, path): ("event", *what) for path, what in after.waits.items() if path not in before.waits}
            )
        if before.incidents or after.incidents:
            batch.incidents.update({(no, path): None for path in before.incidents if path not in after.incidents})
            batch.incidents.update(
                {
                    (no, path): (incident.kind, incident.reason, incident.at)
                    for path, incident in after.incidents.items()
                    if before.incidents.get(path) != incident
                }
            )
        instance.pending, instance.status, instance.busy = after, status, busy
        return change

    def _saga_row(
        self, instance: Instance, start: Start, status: Status, busy: bool
    ) -> tuple[int, str, int, str, int, int, int | None, str, bytes, str, str | None, int]:
        state = instance.live
        return (
            instance.no,
            state.id,
            instance.definition_no,
            status.value,
            int(busy),
            state.started_ms,
            self.now if status.ended else None,
            state.input_type,
            input_digest(bytes(start.input)),
            state.correlation,
            state.causation or None,
            instance.first_event_no,
        )
