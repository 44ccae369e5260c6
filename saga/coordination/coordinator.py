"""The coordinator: takes what has arrived, decides, commits once, and only then tells anybody.

Rules
1. One batch, one commit. Nothing is acknowledged, sent or announced before it is on disk.
2. A message about a saga that is over, unknown or elsewhere changes nothing and is no error.
3. Disk full: the same rows are tried again, and nothing is sent. Any other failed write ends the coordinator.
4. Rows that the schema refuses concern their saga alone (`giving_up`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Raw

from saga.coordination import requests as q
from saga.coordination.announcing import Announcer
from saga.coordination.answers import stimulus_of
from saga.coordination.calls import Calls
from saga.coordination.definitions import Definitions
from saga.coordination.dispatch import Dispatcher, Lane
from saga.coordination.envelopes import Answers, Notify, OutboxTaken, Recalled, Released
from saga.coordination.giving_up import GivingUp
from saga.coordination.guard import Busy, describe
from saga.coordination.instances import Instance
from saga.coordination.intake import Intake
from saga.coordination.ledger import Effects, Ledger
from saga.coordination.listeners import KnownListeners
from saga.coordination.open_commands import OpenCommands
from saga.coordination.operating import Operating
from saga.coordination.outcome import Completions
from saga.coordination.parking import Parking
from saga.coordination.postponing import patiently
from saga.coordination.pruning import Pruning
from saga.coordination.recovery import Recovery
from saga.coordination.relay import Relay
from saga.coordination.schedules import Schedules
from saga.coordination.suspects import Suspects
from saga.coordination.timers import Timers
from saga.log import Log
from saga.machine import NotPossible, Stimulus
from saga.machine import stimuli as s
from saga.machine.state import call_to
from saga.seams import seam
from saga.store import Batch, ConstraintFailed, SagaStore

__all__ = ["Coordinator", "Surroundings"]

log = Log("saga.coordinator")


class Surroundings(Protocol):
    """What the coordinator needs of the world."""

    def now_ms(self) -> int:
        """Return the time, UTC ms."""

    def wake_at(self, due_ms: int | None) -> None:
        """See to it that a `Tick` comes at this time; it replaces the one asked for before."""

    def post(self, message: object) -> None:
        """Put a message into the coordinator's own mailbox."""

    def pause(self, attempt: int) -> bool:
        """Wait a little before the same commit is tried again; False when the runtime is being closed."""

    def monotonic(self) -> float:
        """Return seconds of a clock that nobody sets: how long something takes."""


@dataclass(frozen=True, slots=True)
class _Resume:
    """The last part of a recovery, as a batch of its own."""

    reply: Future[None] | None


@dataclass(frozen=True, slots=True)
class _Admit:
    """There is room for those who wait to be started: the coordinator's note to itself for its next batch."""


class Coordinator:
    """Owns the running sagas. Everything here is called from one thread."""

    def __init__(
        self,
        store: SagaStore,
        definitions: Definitions,
        surroundings: Surroundings,
        completions: Completions,
        busy: Busy,
        *,
        cache_limit: int,
        max_active: int,
        hang_limit_s: float = 60.0,
    ) -> None:
        self._store = store
        self._world = surroundings
        self.suspects = Suspects(self, store.suspects(), store.epoch, hang_limit_s, surroundings.monotonic)
        self.dispatcher = Dispatcher(self._find, self._prepare)
        self.ledger = Ledger(store, definitions, self.dispatcher, busy, cache_limit, self.suspects.author)
        self.relay = Relay(self._read_events, self.ledger.last_event_no)
        self._listeners = KnownListeners(store.listeners(), store.first_event)
        self.active = 0
        """Sagas that have commands outside."""
        self.commit_nos: dict[str, int] = {}
        """Participant → highest known commit number of its file."""
        self.outbox_nos: dict[str, int] = {}
        """Participant → highest number of its outbox that is in the event log."""
        self._numbers_stored: dict[str, tuple[str, int, int, int]] = store.participants()
        for definition in definitions.given:
            graph = definition.graph
            answers = definitions.answering.get(definition.input) is definition
            self.dispatcher.add_saga(
                call_to(graph.name, graph.version), definition.input if answers else None
            )
        self.ledger.calls = Calls(self.ledger, definitions, self._happen)
        self._schedules = Schedules(store, definitions, self.ledger, self._find)
        self._timers = Timers(store, self.ledger, self._schedules, self._happen, surroundings.post)
        self._announcer = Announcer(store, self.ledger.cache, completions)
        self.open_commands = OpenCommands(store, self.ledger, self.dispatcher, surroundings.post)
        self._intake = Intake(store, definitions, self.ledger, self._announcer, max_active)
        self._after_commit: list[Callable[[], None]] = []
        self._pruning = Pruning(store, self.ledger, self.relay, self._listeners, completions)
        self.giving_up = GivingUp(self.ledger, self._announcer, surroundings.post)
        self._parking = Parking(store, self.ledger, self.dispatcher, self._happen)
        operating = Operating(
            store,
            self.ledger,
            self.dispatcher,
            self._listeners,
            self._parking,
            self._happen,
            self.after_commit,
        )
        self._take: dict[type, Callable[[Any], None]] = {
            Answers: self._answers,
            q.StartSagas: self._intake.add,
            q.Act: operating.act,
            q.Publish: self._publish,
            q.SetSchedule: self._schedule,
            q.DropSchedule: self._schedule,
            q.ForgetListener: operating.forget_listener,
            q.Cut: operating.cut,
            q.LetGo: lambda message: self.after_commit(lambda: self._pruning.let_go(message)),
            q.Look: lambda message: self.after_commit(lambda: self._announcer.look_up(message.completion)),
            q.Query: operating.query,
            q.Tick: self._tick,
            q.Lost: self._lost,
            q.Lowered: self._lowered,
            q.Raised: self._raised,
            q.Blocked: self._parking.blocked,
            q.GivenUp: self.giving_up.park,
            q.Heard: lambda message: self.suspects.heard(message.context, message.nos),
            q.Recover: self._recover,
            Recalled: self._recalled,
            _Resume: self._resume,
            _Admit: lambda _: None,  # every batch admits
        }
        self._recovering = True
        """Until recovery is over no time passes, and nothing is dispatched."""
        self._holding = True
        """Nothing is dispatched yet but what is on trial."""
        self._recovery = Recovery(self)

    # --- one batch --------------------------------------------------------------------------------

    def handle(self, messages: Iterable[object]) -> None:
        """Take these messages, in one commit.

        Raises StoreFailed, CorruptStore or ForkedRuntime when the coordinator cannot go on; it must then be abandoned.
        """
        self.ledger.open(self._world.now_ms())
        self._after_commit = []
        answers = False
        messages = list(messages)
        self._expect_events(messages)
        for message in messages:
            self._take[type(message)](message)
            answers = answers or type(message) is Answers
        self._after_commit += self._intake.admit(lambda: self.active, answers=answers)
        self.ledger.settle()
        effects = self.ledger.seal()
        if self.suspects:
            self.suspects.settle(effects)
        if not self.ledger.batch.is_empty:
            self._note_participants()
            seam("coordinator.before-commit")
            self._commit(self.ledger.batch, effects)
            seam("coordinator.after-commit")
        self._carry_out(effects)
        self.dispatcher.flush()  # first of all: participants work while this thread does the rest
        seam("coordinator.after-dispatch")
        for act in self._after_commit:
            act()
        if self.ledger.events:
            seam("coordinator.before-relay")
            self.relay.logged(
                [Notify(e.no, e.id, e.type, e.event, e.correlation) for e in self.ledger.events]
            )
        if not self._holding:  # nobody is told anything before what was stored is taken up
            self.relay.feed()
        elif (listener := self.suspects.feed()) is not None:
            self.relay.feed_up_to(*listener)
        if self._after_commit:
            seam("coordinator.after-acknowledgement")
            self.dispatcher.flush()
        self._set_timer()
        self.ledger.cache.shrink()
        self._pruning.look(recovering=self._recovering)
        if self._intake.has_room(self.active):
            self._world.post(_Admit())  # this batch has made room, and no other need follow

    def _commit(self, batch: Batch, effects: Effects) -> None:
        try:
            self._commit_patiently(batch)
        except ConstraintFailed as error:
            self.giving_up.commit_singly(batch, effects, error, self._commit_patiently)

    def _commit_patiently(self, batch: Batch) -> None:
        patiently(lambda: self._store.commit(batch), self._world.pause, log)

    def settle(self) -> None:
        """Write what waits for the next commit, since there will be none."""
        self.ledger.open(self._world.now_ms())
        self._note_participants()
        if not self.ledger.batch.is_empty:
            self._store.commit(self.ledger.batch)

    def _note_participants(self) -> None:
        """Write the numbers of participants that have changed, with the next commit: that listeners have committed
        something is no reason for one."""
        stored = self._numbers_stored
        for name, lane in self.dispatcher.lanes.items():
            numbers = (
                lane.kind,
                lane.next_number,
                self.commit_nos.get(name, 0),
                self.outbox_nos.get(name, 0),
            )
            if stored.get(name) != numbers:
                stored[name] = numbers
                self.ledger.batch.participants[name] = numbers

    # --- after the commit -------------------------------------------------------------------------

    def _carry_out(self, effects: Effects) -> None:
        """Everything is on disk: tell the participants, and those who wait."""
        dispatcher = self.dispatcher
        dispatcher.commit_no = self._store.commit_no
        dispatcher.close(effects.over)
        if effects.sends:
            seam("coordinator.before-sending")
        if not self._holding:  # else the end of the recovery sends them, once
            for instance, path, participant in effects.sends:
                if not dispatcher.send(instance, path, participant):
                    self._world.post(q.Blocked(instance.no, path))
            for instance, path, participant in effects.inquiries:
                if not dispatcher.inquire(instance, path, participant):
                    self._world.post(q.Blocked(instance.no, path))
        if effects.next_due is not None:
            self._timers.armed(effects.next_due)
        for _, change in effects.active:
            self.active += change
        for instance, before in effects.changed:
            self._announcer.changed(instance, before)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do this when the batch at hand is on disk."""
        self._after_commit.append(act)

    def _set_timer(self) -> None:
        self._world.wake_at(None if self._recovering else self._timers.next_due)

    # --- sagas ------------------------------------------------------------------------------------

    def _happen(self, instance: Instance, stimulus: Stimulus, cause: str | None) -> bool:
        """Let something happen to a saga; a bug of ours costs this saga its memory, and nobody else anything.

        Returns whether it has happened.
        """
        try:
            self.ledger.apply(instance, stimulus, cause)
        except NotPossible:
            raise
        except BaseException as error:
            self.ledger.discard(instance)
            self.giving_up.give_up(instance, f"the machine failed: {describe(error)}")
            return False
        return True

    def block(self, instance: Instance, stimulus: s.Blocked) -> None:
        """Park a command that is not to be sent any more; in the batch at hand."""
        self._happen(instance, stimulus, None)

    def _find(self, no: int) -> Instance | None:
        """Return the saga of this number, from memory or by replay."""
        return self.ledger.cache.get(no)

    def _prepare(self, nos: list[int]) -> None:
        self.ledger.prepare(nos)

    # --- participants -----------------------------------------------------------------------------

    def _answers(self, message: Answers) -> None:
        participant = message.participant
        self.dispatcher.answered(participant, message.answers)
        if self.suspects:
            self.suspects.answered(message.answers)
        find = self.ledger.cache.get
        for answer in message.answers:
            instance = find(answer.saga_no)
            if instance is not None:
                self._happen(instance, stimulus_of(instance, answer), f"{instance.state.id}:{answer.path}")
        if message.events:
            self._events(participant, message)
        if message.commit_no > self.commit_nos.get(participant, 0):
            self.commit_nos[participant] = message.commit_no
        if message.read_to:
            self.relay.taken(participant, message.read_to)

    def _lost(self, message: q.Lost) -> None:
        send_again = self.suspects.lost if self._holding else self.open_commands.send_again
        self._after_commit.append(lambda: send_again(message.participant))

    def _lowered(self, message: q.Lowered) -> None:
        lane = self.dispatcher.lanes[message.participant]
        lane.down = f"{message.participant} is down: {message.reason}"
        self._after_commit.append(lambda: self._recovery.lowered(message.participant))
        self._after_commit.append(lambda: self.suspects.lowered(message.participant))
        self.relay.pause(message.participant)
        self._parking.lowered(message.participant, lane.down)

    def _raised(self, message: q.Raised) -> None:
        lane = self.dispatcher.lanes[message.participant]
        lane.down = None
        self.commit_nos[message.participant] = message.commit_no
        self.relay.add(message.participant, lane.port, message.positions)
        self.ledger.batch.listeners |= self._listeners.came(message.participant, message.positions)
        if not self._holding:
            self._let_listen(lane)
        if not self._recovering:  # else its end does, when all participants and open numbers are known
            self._parking.unblock()

    # --- events -----------------------------------------------------------------------------------

    def _expect_events(self, messages: list[object]) -> None:
        """Look up in one go who waits for the events that come in with these messages."""
        keyed: set[tuple[str, str | None]] = set()
        for message in messages:
            if isinstance(message, Answers):
                for event in message.events:  # of most there are none
                    if event.key is not None:
                        keyed.add((event.type, event.key))
            elif isinstance(message, q.Publish) and message.key is not None:
                keyed.add((message.type, message.key))
        self.ledger.expect_events(keyed)

    def _events(self, participant: str, message: Answers) -> None:
        known = self.outbox_nos.get(participant, 0)
        for event in message.events:
            if event.no > known:
                self.ledger.log_event(
                    event.event_id,
                    event.type,
                    event.key,
                    event.event,
                    participant,
                    event.correlation,
                    event.causation,
                )
                known = event.no
        self.outbox_nos[participant] = known
        port = self.dispatcher.lanes[participant].port
        self._after_commit.append(lambda: port.post(OutboxTaken(known)))

    def _publish(self, message: q.Publish) -> None:
        new = self.ledger.log_event(
            message.event_id,
            message.type,
            message.key,
            message.event,
            "runtime",
            message.correlation,
            None,
            fresh=message.fresh,
        )
        self._after_commit.append(lambda: message.reply.set_result(new))

    def _read_events(self, after_no: int, types: tuple[str, ...], limit: int) -> list[Notify]:
        rows = self._store.events_after(after_no, types, limit)
        return [Notify(row.no, row.id, row.type, Raw(row.payload), row.correlation) for row in rows]

    # --- recovery ---------------------------------------------------------------------------------

    def _recover(self, message: q.Recover) -> None:
        self._after_commit.append(lambda: self._recovery.begin(message.reply))

    def _recalled(self, message: Recalled) -> None:
        self._after_commit.append(lambda: self._recovery.recalled(message.no))

    def resume(self, reply: Future[None] | None) -> None:
        """The end of a recovery: fire the timers that fell due, then send again whatever is open."""
        self._world.post(_Resume(reply))

    def _resume(self, message: _Resume) -> None:
        self._parking.unblock()
        self._schedules.examine()
        seam("recovery.examined")
        if self._fire_timers():
            self._world.post(message)  # more are due: they come first
            return
        self.suspects.park()

        def finish() -> None:
            seam("recovery.timers-fired")
            self._recovering = False
            self.suspects.try_them()
            if message.reply is not None:
                message.reply.set_result(None)

        self._after_commit.append(finish)

    def release(self) -> None:
        """Nothing is on trial (any more): send again whatever is open. Between commits."""
        self._holding = False
        for lane in self.dispatcher.lanes.values():
            self._let_listen(lane)
        self.open_commands.send_all_again()
        seam("recovery.sent-again")

    @staticmethod
    def _let_listen(lane: Lane) -> None:
        if lane.kind == "context":
            lane.port.post(Released())

    # --- time -------------------------------------------------------------------------------------

    def _schedule(self, message: q.SetSchedule | q.DropSchedule) -> None:
        self._after_commit.append(self._schedules.take(message))
        self._timers.armed(self._schedules.next_due())

    def _tick(self, message: q.Tick) -> None:
        if not self._recovering:
            self._fire_timers()
            self.suspects.look()

    def _fire_timers(self) -> bool:
        more, look_again = self._timers.fire(was_down=self._recovering)
        self._after_commit.append(look_again)
        return more
