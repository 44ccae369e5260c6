"""A context at work: batch by batch, one transaction for the effects, the answers, the events and the inbox.

Rules
1. Many messages share a commit. What is in it leaves when it is on disk, and not before (see `transaction`).
2. A batch that is lost is run again, one by one; what is lost all by itself is a failed attempt.
3. What a message means is not decided here: see `handling` for commands, `listening` for events, `outbox` for what
   is published.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from saga.coordination.envelopes import (
    Answers,
    Consult,
    Deliver,
    Direct,
    Forget,
    Inquire,
    Mark,
    Notify,
    OutboxTaken,
    Port,
    Recall,
    Recalled,
    Released,
    RetryDeliveries,
    RetryEvent,
)
from saga.coordination.guard import Busy, describe
from saga.coordination.handling import Handlers
from saga.coordination.listening import Listeners, RetryDue
from saga.coordination.outbox import Outbox
from saga.coordination.postponing import patiently
from saga.coordination.transaction import Transaction
from saga.log import Log
from saga.participants import Context
from saga.seams import seam
from saga.store import ConstraintFailed, ContextStore, TransactionLost

__all__ = ["ContextDriver", "ContextWorld", "RetryDue"]

log = Log("saga.context")

BATCH = 256
"""Messages in one commit, at most: as many commands as the credit lets in, and more events."""

BATCH_S = 0.020
"""Seconds after which a batch is committed, so that the first answer does not wait for a slow last one."""

EVENTS_S = 0.060
"""The same for a batch of nothing but events, whose publishers wait for no answer."""

PRUNE_EVERY = 256
"""How far the floor moves before inbox rows below it are deleted."""

_ASKED = (Deliver, Inquire, Direct)
"""Messages about a command that may be in the inbox already."""


class ContextWorld(Protocol):
    """What a context's driver needs of the world."""

    def now_ms(self) -> int:
        """Return the time, UTC ms."""

    def wake_at(self, due_ms: int | None) -> None:
        """See to it that a `RetryDue` comes at this time."""

    def pause(self, attempt: int) -> bool:
        """Wait a little before the same commit is tried again; False when the runtime is being closed."""

    def closing(self) -> bool:
        """Return whether the runtime is being closed: no new batch is begun."""

    def monotonic(self) -> float:
        """Return seconds of a clock that nobody sets: how long something takes."""


class ContextDriver:
    """Drives one context, on its own thread."""

    def __init__(
        self,
        context: Context,
        store: ContextStore,
        coordinator: Port,
        world: ContextWorld,
        busy: Busy,
        suspects: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """`suspects`: see `Suspects.listening`."""
        self.context = context
        self._store, self._coordinator, self._world = store, coordinator, world
        now_ms = world.now_ms
        self._handlers = handlers = Handlers(context, store, busy, now_ms)
        self._listeners = listeners = Listeners(
            context, store, busy, now_ms, world.wake_at, coordinator, suspects
        )
        self._outbox = outbox = Outbox(context, store, busy, now_ms)
        self._pruned_to = store.floor
        self._messages: deque[object] = deque()
        """What is being handled; what this context wants to do next is put behind it."""
        self._take: dict[type, Callable[[Any, Transaction], None]] = {
            Deliver: handlers.deliver,
            Inquire: handlers.inquire,
            Direct: handlers.direct,
            Notify: listeners.notify,
            OutboxTaken: outbox.taken,
            Recall: self._recall,
            RetryDeliveries: listeners.retry_deliveries,
            RetryDue: listeners.retry_due,
            RetryEvent: listeners.retry_event,
            Released: listeners.released,
            Consult: self._consult,
            Forget: self._forget,
            Mark: self._mark,
        }
        context.db = store.db
        context._saga_publish = outbox.publish

    def open_positions(self, last_event_no: int) -> dict[str, int]:
        """Return event type → position; a new listener starts where its context says. Committed when returned."""
        return self._listeners.open(last_event_no)

    def tell_outbox(self) -> None:
        """Tell the coordinator what is in the outbox: an earlier life may have died before it could."""
        events = self._outbox.everything()
        if events:
            self._coordinator.post(Answers(self._store.name, [], events, self._store.commit_no, 0))

    # --- batches ----------------------------------------------------------------------------------

    def handle(self, messages: deque[object]) -> None:
        """Take all messages, batch by batch, or until the runtime is being closed.

        Raises StoreFailed and what else ends a context's file; in `messages` is then what is to be taken again.
        """
        self._messages = messages
        while messages and not self._world.closing():
            batch = [messages.popleft() for _ in range(min(len(messages), BATCH))]
            try:
                batch = self._commit_batch(batch)
            finally:
                messages.extendleft(reversed(batch))

    def _commit_batch(self, batch: list[object]) -> list[object]:
        """Run a batch in one transaction; return those that were left for the next one."""
        pause = self._world.pause
        try:
            return patiently(lambda: self._transaction(batch), pause, log)
        except (TransactionLost, ConstraintFailed) as error:
            if len(batch) > 1:
                for message in batch:
                    self._commit_batch([message])
            else:
                lost = error
                patiently(lambda: self._lost(batch[0], lost), pause, log)
            return []

    def _transaction(self, batch: list[object]) -> list[object]:
        store, take, monotonic = self._store, self._take, self._world.monotonic
        ids = [message.command_id for message in batch if isinstance(message, _ASKED)]
        known = store.answers(ids) if ids else {}
        transaction = Transaction(known, monotonic() + (BATCH_S if ids else EVENTS_S))
        self._outbox.transaction = transaction
        done = 0
        store.begin()
        try:
            for message in batch:
                take[type(message)](message, transaction)
                done += 1
                if monotonic() > transaction.until:
                    break
            if transaction.changes.is_empty:
                store.rollback()
            else:
                self._prune(transaction)
                seam("context.before-commit")
                store.commit(transaction.changes)
                seam("context.after-commit")
        except BaseException:
            if store.check_transaction():
                store.rollback()
            raise
        self._report(transaction)
        return batch[done:]

    def _report(self, transaction: Transaction) -> None:
        """Everything is on disk: let the answers and events leave, in one envelope."""
        changes, answers, read_to = transaction.changes, transaction.answers, transaction.read_to
        events = self._outbox.new(transaction) if changes.outbox else []
        if answers or events or read_to:
            store = self._store
            self._coordinator.post(Answers(store.name, answers, events, store.commit_no, read_to))
        if changes.retries or changes.retries_due:
            self._listeners.wake()
        for act in transaction.after:
            act()
        self._messages.extend(transaction.again)
        if changes.positions:
            self._listeners.positions.update(changes.positions)
        seam("context.after-answer")

    def _lost(self, message: object, error: Exception) -> None:
        """A message whose transaction cannot be committed, all by itself: a failed attempt. Raises as a commit does."""
        transaction, reason = Transaction(), describe(error, trace=False)
        if isinstance(message, Deliver | Direct):
            self._handlers.lost(message, reason, transaction)
        elif isinstance(message, Notify):
            self._store.begin()
            self._listeners.lost(message, reason, transaction)
            self._store.commit(transaction.changes)
        else:
            raise error
        self._report(transaction)

    def _prune(self, transaction: Transaction) -> None:
        floor = transaction.changes.floor
        if floor - self._pruned_to >= PRUNE_EVERY:
            self._store.prune(floor)
            transaction.after.append(lambda: self._pruned(floor))

    def _pruned(self, floor: int) -> None:
        """What was below this floor is gone, and that is on disk."""
        self._pruned_to = floor

    # --- what is asked of the file ----------------------------------------------------------------

    def _recall(self, message: Recall, transaction: Transaction) -> None:
        """Tell what an earlier life has left: stored answers, and the outbox."""
        answers, events = self._handlers.answered(message.commands), self._outbox.everything()
        self._coordinator.post(Answers(self._store.name, answers, events, self._store.commit_no, 0))
        seam("context.recalled")
        transaction.after.append(lambda: self._coordinator.post(Recalled(message.no)))

    def _forget(self, message: Forget, transaction: Transaction) -> None:
        """Sagas and what was sent are let go of."""
        gone = self._store.forget_sagas(message.saga_ids) if message.saga_ids else 0
        sent = (
            self._store.forget_sent(message.sent_before_ms, message.after)
            if not message.saga_ids
            else (0, None)
        )
        transaction.changes.forgot = transaction.changes.forgot or gone + sent[0] > 0
        transaction.after.append(lambda: message.reply.set_result(sent))

    def _mark(self, message: Mark, transaction: Transaction) -> None:
        """What is behind it belongs to another transaction."""
        transaction.until = 0.0
        transaction.after.append(lambda: message.take(self._store.name))

    def _consult(self, message: Consult, transaction: Transaction) -> None:
        """Let somebody look at this file, when what this batch changes is in it."""

        def answer() -> None:
            try:
                message.reply.set_result(self._store.consult(message.read))
            except BaseException as error:
                message.reply.set_exception(error)

        transaction.after.append(answer)
