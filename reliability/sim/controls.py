"""Does it bite? Protections of the runtime that can be taken away: without any of them there must be violations."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from reliability.sim.life import SimContextStore
from saga.coordination.context import ContextDriver
from saga.coordination.coordinator import Coordinator
from saga.coordination.dispatch import Dispatcher
from saga.coordination.envelopes import UNSET, Answer, Answers, Inquire, Recall, Recalled
from saga.coordination.handling import Handlers
from saga.coordination.ledger import Effects
from saga.coordination.open_commands import OpenCommands
from saga.coordination.transaction import Transaction
from saga.machine import hearing
from saga.machine import records as r
from saga.machine.failing import goes_forward
from saga.machine.state import Visit
from saga.machine.turn import Turn
from saga.store import Batch, ContextChanges

__all__ = ["CONTROLS", "take_away"]


def _inbox() -> None:
    """A context carries out a command again that it has answered."""
    commit = SimContextStore.commit

    def forgetting(self: SimContextStore, changes: ContextChanges) -> range:
        self._guard.ours = True
        for row in changes.inbox:
            self._execute("DELETE FROM _saga_inbox WHERE command_id = ?", row[:1])
        return commit(self, changes)

    SimContextStore.answers = lambda self, command_ids: {}  # type: ignore[method-assign]
    SimContextStore.commit = forgetting  # type: ignore[method-assign]


def _tombstone() -> None:
    """An inquiry about a command that never came leaves no mark, so that it may be carried out later."""
    inquire = Handlers.inquire

    def marking_nothing(self: Handlers, message: Inquire, transaction: Transaction) -> None:
        if message.command_id in transaction.known:
            inquire(self, message, transaction)
        else:
            not_done = Answer(message.saga_no, message.path, "resolved-not-done", Raw(b"null"), UNSET)
            transaction.answers.append(not_done)

    Handlers.inquire = marking_nothing  # type: ignore[method-assign]


def _acknowledgement() -> None:
    """The application is told before anything is on disk."""
    commit = Coordinator._commit

    def telling_first(self: Coordinator, batch: Batch, effects: Effects) -> None:
        acts, self._after_commit = self._after_commit, []
        for act in acts:
            act()
        commit(self, batch, effects)

    Coordinator._commit = telling_first  # type: ignore[method-assign]


def _late() -> None:
    """A late answer is taken as if it had come in time."""

    def going_on(turn: Turn, visit: Visit, answer: Raw) -> None:
        if goes_forward(turn, visit.scope):
            hearing._step_done(turn, visit, answer, "resolve")
            return
        node = turn.graph.nodes[visit.element]
        undo = getattr(node, "compensation", None)
        turn.record(r.StepCompleted(visit.path, answer, undo, False, "resolve"))
        turn.touch(visit.scope)

    hearing._found_done = going_on


def _outbox() -> None:
    """What an earlier life has published, and could not tell any more, is not told."""

    def recall(self: ContextDriver, message: Recall, transaction: Transaction) -> None:
        self._outbox._told = True
        self._coordinator.post(Answers(self._store.name, [], [], self._store.commit_no, 0))
        transaction.after.append(lambda: self._coordinator.post(Recalled(message.no)))

    ContextDriver._recall = recall  # type: ignore[method-assign]
    ContextDriver.tell_outbox = lambda self: setattr(self._outbox, "_told", True)  # type: ignore[method-assign]


def _credit() -> None:
    """An answer gives no credit back."""
    Dispatcher.answered = lambda self, participant, answers: None  # type: ignore[method-assign]
    close = Dispatcher.close

    def keeping(self: Dispatcher, commands: object) -> None:
        kept = {name: set(lane.outside) for name, lane in self.lanes.items()}
        close(self, commands)  # type: ignore[arg-type]
        for name, lane in self.lanes.items():
            lane.outside |= kept[name]

    Dispatcher.close = keeping  # type: ignore[method-assign]


def _resending() -> None:
    """What was open when the process ended is not sent again."""
    OpenCommands.send_again = lambda self, participant: None  # type: ignore[method-assign]
    OpenCommands.send_all_again = lambda self: None  # type: ignore[method-assign]


CONTROLS: dict[str, Callable[[], None]] = {
    "inbox": _inbox,
    "tombstone": _tombstone,
    "acknowledgement": _acknowledgement,
    "late": _late,
    "outbox": _outbox,
    "credit": _credit,
    "resending": _resending,
}


def take_away(name: str) -> None:
    """Take a protection away from this process, for good."""
    CONTROLS[name]()
