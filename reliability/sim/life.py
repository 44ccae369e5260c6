"""One life of the process: the real coordinator, drivers and stores, on one thread, and the turns that can be taken.

What `saga.actors.crew` does with actors is done here with turns: the coordinator opens saga.db, then the participants
open their files one after the other, then it recovers. Everything in here is gone when the process ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from reliability.sim.boxes import Box, CallBox
from reliability.sim.business import PARTICIPANTS, SAGAS
from reliability.sim.gateway import SimGateway
from saga.coordination import requests as q
from saga.coordination.context import ContextDriver, RetryDue
from saga.coordination.coordinator import Coordinator
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Consult, Direct, RetryDeliveries
from saga.coordination.giving_up import GivingUp
from saga.coordination.guard import Busy
from saga.coordination.instances import Instance
from saga.coordination.opening import lay_lanes, match_definitions
from saga.coordination.outcome import Completions
from saga.coordination.participation import Participant, read_participants
from saga.errors import UsageError
from saga.store import (
    COORDINATOR,
    MEMORY,
    Batch,
    ContextChanges,
    ContextStore,
    DiskFull,
    Running,
    SagaStore,
    StoreState,
)

if TYPE_CHECKING:
    from reliability.sim.world import World

__all__ = ["Fallen", "Life"]

PEOPLE: list[Participant] = read_participants(PARTICIPANTS, Definitions(SAGAS).given)


class Fallen(BaseException):
    """A participant dies of this, and of nothing that is its own fault; the process lives."""


def _hold_against(giving_up: GivingUp, broke: Callable[[str], None]) -> None:
    """What the real coordinator survives, since it is a bug of ours, is a violation here."""
    give_up = giving_up.give_up

    def broken(instance: Instance, reason: str) -> None:
        broke(f"saga {instance.no} was given up: {reason}")
        give_up(instance, reason)

    giving_up.give_up = broken  # type: ignore[method-assign]


class SimSagaStore(SagaStore):
    """A commit is where a process may end, before and after it, and where the truth is told what was written."""

    world: World

    def commit(self, batch: Batch) -> int:
        """See `SagaStore`."""
        world = self.world
        world.passed("saga.db: before a commit")
        if world.is_full(COORDINATOR):
            raise DiskFull(MEMORY)
        number = super().commit(batch)
        world.truth.committed(batch)
        world.passed("saga.db: after a commit")
        return number

    def prune_events(
        self,
        below_no: int,
        listeners: Mapping[tuple[str, str], int | None] | None = None,
        before_ms: int | None = None,
    ) -> int:
        """See `SagaStore`."""
        self.world.passed("saga.db: before the log is pruned")
        gone = super().prune_events(below_no, listeners, before_ms)
        self.world.truth.pruned(self.log_begins())
        self.world.passed("saga.db: after the log is pruned")
        return gone


class SimContextStore(ContextStore):
    """The same for the file of a context."""

    world: World

    def commit(self, changes: ContextChanges) -> range:
        """See `ContextStore`."""
        world = self.world
        world.passed(f"{self.name}.db: before a commit")
        if world.is_full(self.name):
            self.rollback()
            raise DiskFull(MEMORY)
        numbers = super().commit(changes)
        world.truth.context_committed(self, changes)
        world.passed(f"{self.name}.db: after a commit")
        return numbers


class _Context:
    """A context that is at work."""

    def __init__(self, store: ContextStore, driver: ContextDriver) -> None:
        self.store, self.driver = store, driver


class Life:
    """From the opening of the store to the end of the process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.boxes: dict[str, Box] = {COORDINATOR: Box()}
        for each in PEOPLE:
            self.boxes[each.name] = CallBox() if each.kind == "gateway" else Box()
        self.inbox = self.boxes[COORDINATOR]
        self.due: dict[str, int] = {}
        """Who wants to be woken, and when."""
        self.closing = False
        self.opened = False
        """Everybody is there, and the recovery is over: the application may ask for something."""
        self.down: set[str] = set()
        self.to_open = [each.name for each in PEOPLE]
        self.again: set[str] = set()
        """Those that have died and are to be opened again."""
        self.contexts: dict[str, _Context] = {}
        self.gateways: dict[str, SimGateway] = {}
        self.left_running: list[tuple[SimGateway, Any]] = []
        """Calls of gateways that have died."""
        self.completions = Completions()
        self.running: Running | None = None
        self.recovered: Future[None] = Future()
        self._slow = 0.0
        self._people = {each.name: each for each in PEOPLE}
        self._busy: dict[str, Busy] = {}
        self._open_coordinator()

    # --- opening ----------------------------------------------------------------------------------

    def _open_coordinator(self) -> None:
        world, knobs = self.world, self.world.plan.knobs
        SimSagaStore.world = SimContextStore.world = world
        store = self.store = SimSagaStore.over(
            world.disks.saga, MEMORY, world.now_ms(), None, lambda store_id, epoch: world.noted
        )
        world.noted = []  # of this run nothing is noted yet
        world.passed("saga.db is open")
        counts = {COORDINATOR: 1}
        for each in PEOPLE:
            counts[each.name] = 1 if each.kind == "context" else 2 * each.concurrency + 1
        self.running = Running([0] * sum(counts.values()), counts)
        definitions = self.definitions = Definitions(SAGAS)
        match_definitions(store, definitions)
        coordinator = self.coordinator = Coordinator(
            store,
            definitions,
            self,
            self.completions,
            self._busy_of(COORDINATOR),
            cache_limit=knobs.cache,
            max_active=knobs.max_active,
        )
        _hold_against(coordinator.giving_up, world.broke)
        lay_lanes(coordinator, store, PEOPLE, self.boxes)
        for lane in coordinator.dispatcher.lanes.values():
            lane.credit = lane.least = knobs.credit
            lane.most = 4 * knobs.credit
        world.passed("the coordinator is there")

    def _new_busy(self, name: str) -> Busy:
        assert self.running is not None
        cell = self.running.take(name)
        return Busy() if cell is None else Busy(None, cell)

    def _busy_of(self, name: str) -> Busy:
        """Return what somebody is busy with: the same in all its lives."""
        if name not in self._busy:
            self._busy[name] = self._new_busy(name)
        return self._busy[name]

    def _free(self, name: str, busy: Busy) -> None:
        assert self.running is not None
        if busy.cell[0] is self.running._cells:
            self.running.give_back(name, busy.cell)

    def open_next(self) -> None:
        """Open one participant."""
        name = self.to_open.pop(0)
        again = name in self.again
        self.again.discard(name)
        who = self._people[name]
        if who.kind == "gateway":
            self._open_gateway(who)
            if again:
                self.inbox.post(q.Lost(name))
        else:
            self._open_context(who, again)
        self.world.passed(f"{name} is open")
        if not self.to_open and not again:
            self.inbox.post(q.Recover(self.recovered))

    def _open_context(self, who: Participant, again: bool) -> None:
        name, context = who.name, who.make()
        coordinator, store = self.coordinator, self.store
        state = StoreState(
            store.store_id,
            store.epoch,
            store.commit_no,
            coordinator.commit_nos.get(name, 0),
            coordinator.outbox_nos.get(name, 0),
        )
        last_event_no, suspects = coordinator.ledger.last_event_no, coordinator.suspects.listening(name)
        file = SimContextStore.over(self.world.disks.contexts[name], MEMORY, name, state)
        self.world.passed(f"{name}.db is open")
        world = _ContextWorld(self, name)
        driver = ContextDriver(context, file, self.inbox, world, self._busy_of(name), suspects)
        positions = driver.open_positions(last_event_no)
        commit_no = file.commit_no
        if again:
            driver.tell_outbox()
        self.contexts[name] = _Context(file, driver)
        self.inbox.post(q.Raised(name, positions, commit_no))

    def _open_gateway(self, who: Participant) -> None:
        name, box = who.name, self.boxes[who.name]
        assert isinstance(box, CallBox)
        self.gateways[name] = SimGateway(
            name,
            who.make(),
            box,
            self.inbox,
            lambda: self._new_busy(name),
            lambda busy: self._free(name, busy),
            lambda: self.world.gone,
        )

    # --- what the coordinator and the contexts need of the world --------------------------------------

    def now_ms(self) -> int:
        """Return the time, UTC ms."""
        return self.world.now_ms()

    def wake_at(self, due_ms: int | None) -> None:
        """Have a tick posted to the coordinator."""
        self.wake(COORDINATOR, due_ms)

    def wake(self, name: str, due_ms: int | None) -> None:
        """Have somebody woken."""
        if due_ms is None:
            self.due.pop(name, None)
        else:
            self.due[name] = due_ms

    def post(self, message: object) -> None:
        """Post to the coordinator."""
        self.inbox.post(message)

    def pause(self, attempt: int) -> bool:
        """Wait for space on the disk, which will come."""
        return attempt < 10

    def monotonic(self) -> float:
        """Return seconds of a clock that nobody sets. Contexts have one that runs fast when their batch is cut."""
        return self.world.monotonic

    def fire(self) -> None:
        """Wake those whose time has come."""
        now = self.world.now_ms()
        for name in [name for name, due in self.due.items() if due <= now]:
            del self.due[name]
            self.boxes[name].post(q.Tick() if name == COORDINATOR else RetryDue())

    # --- turns ------------------------------------------------------------------------------------

    def turns(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what can happen now: who acts, and how."""
        turns: list[tuple[str, Callable[[], None]]] = []
        if self.to_open:
            turns.append(("opening", self.open_next))
        if self.inbox.messages:
            turns.append((COORDINATOR, self._coordinate))
        boxes = self.boxes
        for name in self.contexts:
            if boxes[name].messages:
                turns.append((name, lambda name=name: self._handle(name)))  # type: ignore[misc]
        for name, gateway in self.gateways.items():
            if gateway.can_take:
                turns.append((name, lambda gateway=gateway: self._take(gateway)))  # type: ignore[misc]
            if gateway.can_begin:
                turns.append((name, lambda gateway=gateway: gateway.begin(self._early)))  # type: ignore[misc]
            if gateway.running:
                turns.append((name, lambda gateway=gateway: self._end_call(gateway)))  # type: ignore[misc]
        if self.left_running:
            turns.append(("left", self._end_left))
        return turns

    def _coordinate(self) -> None:
        messages = self.inbox.take(self.world.how_many(len(self.inbox)))
        self.world.tell("coordinator", messages)
        self.coordinator.handle(messages)
        if not self.opened and self.recovered.done():
            self.opened = True

    def _handle(self, name: str) -> None:
        box, context = self.boxes[name], self.contexts[name]
        messages = box.take(self.world.how_many(len(box)))
        self.world.tell(name, messages)
        left = deque(messages)
        self._slow = 0.04 if self.world.is_cut() else 0.0
        try:
            context.driver.handle(left)
        except Fallen:
            box.messages.extendleft(reversed(left))
            self.fall(name)

    def _take(self, gateway: SimGateway) -> None:
        self.world.tell(gateway.name, list(gateway.box.messages)[:1])
        try:
            gateway.take(self.world.how_many(len(gateway.box)), self._early)
        except Fallen:
            self.fall(gateway.name)

    def _early(self) -> bool:
        return self.world.chance.random() < 0.5

    def _end_call(self, gateway: SimGateway) -> None:
        call = self.world.chance.choice(gateway.running)
        self.world.tell(gateway.name, [call.message], "ends ")
        try:
            gateway.end(call)
        except Fallen:
            self.fall(gateway.name)

    def _end_left(self) -> None:
        gateway, call = self.left_running.pop(self.world.chance.randrange(len(self.left_running)))
        self.world.tell(gateway.name, [call.message], "(died) ends ")
        try:
            gateway.end(call)
        except Fallen:
            pass

    # --- the end ----------------------------------------------------------------------------------

    def fall(self, name: str) -> None:
        """A participant dies alone. Its mailbox stays; it is opened again."""
        self.world.tell(name, [], "dies")
        self.world.lives += 1
        self.due.pop(name, None)
        if name in self.contexts:
            self.contexts.pop(name).store.abandon()
            self._busy[name].end()
        elif name in self.gateways:
            gateway = self.gateways.pop(name)
            self.left_running += [(gateway, call) for call in gateway.die()]
        else:
            return
        self.again.add(name)
        self.to_open.append(name)

    def lower(self, name: str) -> None:
        """A participant dies for the rest of this life."""
        if name not in self.contexts and name not in self.gateways:
            return
        self.fall(name)
        self.again.discard(name)
        self.to_open.remove(name)
        self.down.add(name)
        self.inbox.post(q.Lowered(name, "it dies again and again"))
        self.refuse_direct(name)

    def refuse_direct(self, name: str) -> None:
        """Answer what was asked of a participant that is down."""
        box = self.boxes[name]
        for message in [message for message in box.messages if isinstance(message, Direct)]:
            message.reply("failed", None, f"{name} is down", "")
        for message in box.messages:
            if isinstance(message, RetryDeliveries | Consult):
                message.reply.set_exception(UsageError(f"{name} is down"))
        box.messages.clear()

    def close(self) -> None:
        """Close in order: participants first, then the coordinator takes their answers, then saga.db."""
        self.closing = True
        for context in self.contexts.values():
            context.store.close()
        for gateway in self.gateways.values():
            for call in list(gateway.running):
                gateway.end(call)
            gateway.report()
        while self.inbox.messages:
            self.coordinator.handle(self.inbox.take(1_024))
        try:
            self.coordinator.settle()
        except DiskFull:
            self.world.die("the disk is full at the end")  # it counts as cut off
            return
        self.store.close()
        self.world.passed("closed")


class _ContextWorld:
    """What one context needs of the world."""

    def __init__(self, life: Life, name: str) -> None:
        self._life, self._name = life, name
        self.now_ms, self.pause = life.world.now_ms, life.pause
        self._passed = 0.0

    def wake_at(self, due_ms: int | None) -> None:
        """Have its mailbox told when listeners are to be tried again."""
        self._life.wake(self._name, due_ms)

    def closing(self) -> bool:
        """See `ContextWorld`."""
        return self._life.closing

    def monotonic(self) -> float:
        """See `ContextWorld`."""
        self._passed += self._life._slow
        return self._passed
