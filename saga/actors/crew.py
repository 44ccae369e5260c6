"""The actors of one runtime: how they are started, in which order, and how they are stopped.

Opening: the coordinator opens saga.db, then the participants open their files and are checked against it, then the
coordinator recovers. Whatever fails on the way closes what was opened, and leaves all files as they were.
Closing: participants end what they are doing, the coordinator takes their answers, then everything is closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Literal

import pykka

from saga.actors.context import ContextActor, ContextOpened
from saga.actors.coordinator import CoordinatorActor
from saga.actors.gateway import GatewayActor, GatewayMailbox
from saga.actors.mailbox import Mailbox
from saga.actors.supervisor import LOOK, SupervisorActor
from saga.actors.timekeeper import RUN, Timekeeper, TimekeeperActor
from saga.actors.worker import Close, Crash, Open, Worker
from saga.clock import Clock, SteadyClock
from saga.coordination import requests as q
from saga.coordination.context import RetryDue
from saga.coordination.coordinator import Coordinator
from saga.coordination.definitions import Definitions
from saga.coordination.envelopes import Consult, Direct, Forget, Mark, RetryDeliveries
from saga.coordination.gateway import CallBook
from saga.coordination.guard import Busy, Watch, describe, is_a
from saga.coordination.opening import lay_lanes, match_definitions
from saga.coordination.outcome import Completions
from saga.coordination.participation import Participant
from saga.errors import ForkedRuntime, StoredDataError, StoreError, StoreFailed, UsageError
from saga.log import Log
from saga.participants import Context, participant_name
from saga.seams import seam
from saga.store import (
    COORDINATOR,
    CannotOpen,
    OwnerLock,
    ReadOnly,
    Running,
    SagaStore,
    StoreFiles,
    StoreState,
)

__all__ = ["Crew", "Settings"]

log = Log("saga.runtime")

AUTHOR_LIMIT_S = 1.0
"""Seconds after which an author's function that holds up the coordinator is reported."""

COORDINATOR_S = 1.0
"""Seconds of the time for closing that are kept for the coordinator."""

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""How long to wait before a commit is tried again on a full disk."""


class Settings:
    """What can be set for a runtime; see `saga.Runtime`."""

    def __init__(
        self, *, cache: int, max_active: int, hang_limit_s: float, on_hang: Literal["alarm", "exit"]
    ) -> None:
        self.cache, self.max_active = cache, max_active
        self.hang_limit_s, self.on_hang = hang_limit_s, on_hang


class Crew:
    """All actors of one runtime. Used from the runtime's threads; the actors' own threads do the work."""

    def __init__(
        self,
        files: StoreFiles,
        lock: OwnerLock | None,
        definitions: Definitions,
        participants: Sequence[Participant],
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._files, self._lock, self._definitions = files, lock, definitions
        self._participants = {each.name: each for each in participants}
        self._clock, self._settings = SteadyClock(clock), settings
        self.completions = Completions()
        self.inbox = Mailbox()
        """The coordinator's mailbox."""
        self.mailboxes: dict[str, Mailbox] = {
            each.name: GatewayMailbox(CallBook()) if each.kind == "gateway" else Mailbox()
            for each in participants
        }
        self.failure: BaseException | None = None
        """Why the runtime cannot go on: an error to be raised to whoever asks."""
        self.failed = threading.Event()
        self.closed = False
        self.down: dict[str, str] = {}
        """Participants that do not work any more, and why."""
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        """Called once when the runtime has failed, from the supervisor's thread."""
        self.on_second: Callable[[], None] = lambda: None
        """Called about once a second, from the timekeeper's thread; returns at once."""
        self._closing = threading.Event()
        self._watch = Watch()
        self._busy: dict[str, Busy] = {}
        """What the contexts are busy with."""
        self._timekeeper = Timekeeper(self._clock)
        self._timekeeper.every_second = self._look
        self._workers: dict[str, pykka.ActorRef[Worker]] = {}
        self._refs: list[pykka.ActorRef[Any]] = []
        """All actors that may still be there, also those that have died a moment ago."""
        self._closes: dict[str, Future[None]] = {}
        self._telling = threading.Lock()
        """Held while somebody is told to close, or taken off the list: whoever is told is still there to reply."""
        self._supervisor: pykka.ActorRef[SupervisorActor]
        """The first actor that is started."""
        self._store: SagaStore | None = None
        self._coordinator: Coordinator | None = None

    # --- what the coordinator and the contexts need of the world --------------------------------------

    def now_ms(self) -> int:
        """Return the time, UTC ms."""
        return self._clock.now_ms()

    def wake_at(self, due_ms: int | None) -> None:
        """Have a tick posted to the coordinator."""
        self._timekeeper.wake_at("coordinator", due_ms, self.inbox, q.Tick())

    def post(self, message: object) -> None:
        """Post to the coordinator."""
        self.inbox.post(message)

    def pause(self, attempt: int) -> bool:
        """Wait before a commit is tried again; False when the runtime is being closed."""
        return not self._closing.wait(PAUSES_S[min(attempt, len(PAUSES_S)) - 1])

    monotonic = staticmethod(time.monotonic)
    """Seconds of a clock that nobody sets."""

    # --- opening ----------------------------------------------------------------------------------

    def open(self) -> None:
        """Start everybody and recover. Raises what opening the files raises; everything is closed then."""
        self._supervisor = SupervisorActor.start(
            self._watch, self._settings.on_hang, self._restart, self._lower, self.fail
        )
        timekeeper = TimekeeperActor.start(self._timekeeper)
        timekeeper.tell(RUN)
        self._refs = [self._supervisor, timekeeper]
        try:
            self._open_worker("coordinator", self._make_coordinator_actor())
            for name in self._participants:
                self._opened(name, self._open_worker(name, self._make_actor(name)))
                seam("opening.participant-open")
            recovered: Future[None] = Future()
            self.post(q.Recover(recovered))
            self._wait_for(recovered)
            seam("opening.recovered")
        except BaseException:
            self.inbox.shut = True  # what was told so far is of no use
            self.close(timeout_s=5.0, clean=False)
            raise

    def _start_worker(self, name: str, ref: pykka.ActorRef[Worker]) -> Future[Any]:
        self._workers[name] = ref
        self._refs = [each for each in self._refs if each.is_alive()] + [ref]
        opened: Future[Any] = Future()
        ref.tell(Open(opened))
        return opened

    def _open_worker(self, name: str, ref: pykka.ActorRef[Worker]) -> Any:
        opened = self._start_worker(name, ref)
        try:
            return opened.result()
        except BaseException:
            if opened.done():
                del self._workers[name]  # it has stopped itself
            raise

    def _make_coordinator_actor(self) -> pykka.ActorRef[Any]:
        return CoordinatorActor.start(self.inbox, self._crashed, self._make_coordinator)

    def _make_coordinator(self) -> tuple[SagaStore, Coordinator]:
        """Open saga.db and build the coordinator; on its thread."""
        store = SagaStore.open(self._files, self._lock, self._clock.now_ms())
        self._store = store
        try:
            self._note_what_runs(store)
            seam("opening.running-noted")
            clock = self._clock.resume(store.clock, store.high_ms)
            if clock != store.clock:
                store.set_clock(clock)
            seam("opening.clock-resumed")
            match_definitions(store, self._definitions)
            settings = self._settings
            coordinator = Coordinator(
                store,
                self._definitions,
                self,
                self.completions,
                self._watch.add("coordinator", AUTHOR_LIMIT_S),
                cache_limit=settings.cache,
                max_active=settings.max_active,
                hang_limit_s=settings.hang_limit_s,
            )
        except BaseException:
            store.abandon()
            raise
        lay_lanes(coordinator, store, self._participants.values(), self.mailboxes)
        self._coordinator = coordinator
        seam("opening.coordinator-made")
        return store, coordinator

    def _note_what_runs(self, store: SagaStore) -> None:
        """Have it stand in a file what is being carried out; where that cannot be, nothing else is lost."""
        if self._files.in_memory:
            return
        counts = {COORDINATOR: 1}
        for each in self._participants.values():
            # threads and tasks of a gateway may be twice as many as it says, if it has both, and one is its actor's own
            counts[each.name] = 1 if each.kind == "context" else 2 * each.concurrency + 1
        try:
            self._watch.running = Running.create(self._files.running, store.store_id, store.epoch, counts)
        except CannotOpen as error:
            log.warning("running_not_noted", path=error.path, reason=error.what)

    def _make_actor(self, name: str, *, again: bool = False) -> pykka.ActorRef[Any]:
        participant, mailbox = self._participants[name], self.mailboxes[name]
        if isinstance(mailbox, GatewayMailbox):
            return GatewayActor.start(
                name,
                mailbox,
                self._crashed,
                make=lambda: self._make_gateway(participant),
                coordinator=self.inbox,
                watch=self._watch,
                hang_s=self._settings.hang_limit_s,
            )
        return ContextActor.start(
            name,
            mailbox,
            self._crashed,
            make=partial(_made, participant),
            files=self._files,
            state=lambda: self._store_state(name),
            coordinator=self.inbox,
            world=_ContextWorld(self, name),
            busy=self._busy_of(name),
            again=again,
        )

    def _busy_of(self, name: str) -> Busy:
        """Return what a context is busy with, which is the same in all its lives."""
        if name not in self._busy:
            self._busy[name] = self._watch.add(name, self._settings.hang_limit_s)
        return self._busy[name]

    def _make_gateway(self, participant: Participant) -> Any:
        gateway = _made(participant)
        context: type[Context] | None = gateway.context
        if context is not None:
            path = self._files.context(participant_name(context))
            gateway._saga_db = ReadOnly(path)
        return gateway

    def _store_state(self, name: str) -> tuple[StoreState, int, dict[int, str]]:
        """What saga.db says now; the coordinator may be at work meanwhile, so numbers may be a little low."""
        store, coordinator = self._store, self._coordinator
        assert store is not None
        assert coordinator is not None
        state = StoreState(
            store.store_id,
            store.epoch,
            store.commit_no,
            coordinator.commit_nos.get(name, 0),
            coordinator.outbox_nos.get(name, 0),
        )
        return state, coordinator.ledger.last_event_no, coordinator.suspects.listening(name)

    def _opened(self, name: str, opened: ContextOpened | None) -> None:
        if opened is not None:
            self.post(q.Raised(name, *opened))

    def _wait_for(self, future: Future[None]) -> None:
        """Wait for the coordinator, but not for one that has failed."""
        while not future.done():
            if self.failed.wait(0.02) and not future.done():
                assert self.failure is not None
                raise self.failure
        future.result()

    # --- supervision ------------------------------------------------------------------------------

    def _crashed(self, crash: Crash) -> None:
        with self._telling:
            self._workers.pop(crash.name, None)
        if not self._closing.is_set():
            with suppress(pykka.ActorDeadError):
                self._supervisor.tell(crash)
        elif crash.name == "coordinator":
            self.fail(crash.error)

    def _restart(self, name: str) -> None:
        if self._closing.is_set():
            return

        def opened(reply: Future[Any]) -> None:
            error = reply.exception()
            if error is not None:
                self._crashed(Crash(name, error))
                return
            self._opened(name, reply.result())
            if isinstance(self.mailboxes[name], GatewayMailbox):
                self.post(q.Lost(name))  # a context's messages are back in its mailbox; calls may be lost

        self._start_worker(name, self._make_actor(name, again=True)).add_done_callback(opened)

    def _lower(self, name: str, reason: str) -> None:
        self.down[name] = reason
        self.post(q.Lowered(name, reason))
        self.refuse_direct(name)

    def refuse_direct(self, name: str) -> None:
        """Answer what the application has sent to, and asked of, a participant that is down."""
        why = f"{name} is down: {self.down[name]}"
        for message in self.mailboxes[name].empty():
            if isinstance(message, Direct):
                message.reply("failed", None, why, "")
            elif isinstance(message, RetryDeliveries | Consult | Forget):
                message.reply.set_exception(UsageError(why))
            elif isinstance(message, Mark):
                message.take(name)  # nobody writes to its file any more

    def _look(self) -> None:
        if not self._closing.is_set():
            self.on_second()
        if self._coordinator is not None and self._coordinator.suspects.on_trial:
            self.post(q.Tick())  # whatever the runtime's clock says
        with suppress(pykka.ActorDeadError):
            self._supervisor.tell(LOOK)

    def fail(self, error: BaseException) -> None:
        """The runtime cannot go on: nobody takes anything any more, and everybody who waits is told.

        Files stay as they are; the process lives.
        """
        if self.failure is not None:
            return
        self.failure = failure = self._as_failure(error)
        log.error("runtime_failed", reason=describe(error, trace=False))
        for mailbox in (self.inbox, *self.mailboxes.values()):
            mailbox.shut = True
        self.failed.set()
        self.completions.fail_all(failure)
        self.on_failure(failure)

    def _as_failure(self, error: BaseException) -> BaseException:
        if is_a(error, StoreError, StoredDataError, ForkedRuntime):
            return error.with_traceback(None)
        return StoreFailed(
            self._files.directory, f"the coordinator has failed: {describe(error, trace=False)}"
        )

    @property
    def active(self) -> int:
        """How many sagas have commands under way; roughly, since they are counted elsewhere."""
        return self._coordinator.active if self._coordinator is not None else 0

    # --- closing ----------------------------------------------------------------------------------

    def close(self, timeout_s: float, *, clean: bool = True) -> bool:
        """Stop everybody, waiting at most so long; return whether all have stopped in order."""
        for mailbox in self.mailboxes.values():
            mailbox.shut = True
        self.closed = True
        self._closing.set()
        seam("closing.begun")
        until = time.monotonic() + timeout_s
        self._supervisor.stop(block=False)  # from now on nobody is restarted
        self._supervisor.actor_stopped.wait(_left(until))
        in_order = clean
        # a hanging handler must not use up the time that the coordinator needs for its last commit
        patience = until - min(timeout_s / 4, COORDINATOR_S)
        in_order &= self._close_workers(
            [name for name in list(self._workers) if name != "coordinator"], patience
        )
        seam("closing.participants-closed")
        in_order &= self._close_workers(["coordinator"], until)
        seam("closing.coordinator-closed")
        self._timekeeper.stop()
        for ref in self._refs:
            if not self._is_hanging(ref):
                ref.actor_stopped.wait(max(0.5, _left(until)))
        return in_order and self.failure is None

    def _close_workers(self, names: Sequence[str], until: float) -> bool:
        for name in names:
            reply: Future[None] = Future()
            with self._telling, suppress(pykka.ActorDeadError, KeyError):  # it may have died a moment ago
                self._workers[name].tell(Close(reply))
                self._closes[name] = reply
        in_order = True
        for name in names:
            if name not in self._closes:
                continue
            try:
                self._closes[name].result(_left(until))
            except TimeoutError:
                in_order = False
                log.warning("close_timed_out", actor=name)
            except Exception:
                in_order = False
        return in_order

    def _is_hanging(self, ref: pykka.ActorRef[Any]) -> bool:
        return any(self._workers.get(name) == ref for name, close in self._closes.items() if not close.done())

    def when_files_are_closed(self, act: Callable[[], None]) -> None:
        """Call `act` once nobody can write to a file any more: now, or when the last handler that hangs returns."""
        hanging = [
            close
            for name, close in self._closes.items()
            if not close.done() and not isinstance(self.mailboxes.get(name), GatewayMailbox)
        ]
        if not hanging:
            act()
            return
        left = set(hanging)

        def ended(close: Future[None]) -> None:
            left.discard(close)
            if not left:
                act()

        for close in hanging:
            close.add_done_callback(ended)


def _made(participant: Participant) -> Any:
    """Have a participant made, by its class or the application's factory."""
    made = participant.make()
    if not is_a(made, participant.cls):
        what = f"the factory of {participant.name} returned a {type(made).__name__}"
        raise UsageError(f"{what}, and at first a {participant.cls.__name__}; let it always return the same")
    return made


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


class _ContextWorld:
    """What one context needs of the world."""

    def __init__(self, crew: Crew, name: str) -> None:
        self._crew, self._name = crew, name
        self.now_ms, self.pause, self.closing = crew.now_ms, crew.pause, crew._closing.is_set
        self.monotonic = crew.monotonic

    def wake_at(self, due_ms: int | None) -> None:
        """Have its mailbox told when listeners are to be tried again."""
        crew = self._crew
        crew._timekeeper.wake_at(f"context:{self._name}", due_ms, crew.mailboxes[self._name], RetryDue())
