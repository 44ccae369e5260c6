"""What a context does with events of the log: each listener takes each event of its type once, in their order.

Rules
1. An event is taken in the transaction that moves the listener's position behind it.
2. When the listener fails the event is kept here, with its payload: it is tried again later, then set aside, and holds
   up no other event.
3. One that ends the process is set aside untried; the coordinator hears when a suspected event is done with (see
   `suspects`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Raw

from saga.codec import codec_for
from saga.coordination.envelopes import Notify, Port, Released, RetryDeliveries, RetryEvent
from saga.coordination.guard import Busy, describe
from saga.coordination.requests import Heard
from saga.coordination.transaction import Transaction, take_back
from saga.flow.graph import RetryPolicy
from saga.log import Log
from saga.messages import type_name
from saga.participants import Context, listeners_of
from saga.seams import seam
from saga.store import ContextChanges, ContextStore, RetryRow, TransactionLost

__all__ = ["Listeners", "RetryDue"]

log = Log("saga.context")

LISTENER_RETRY = RetryPolicy(attempts=5, first_ms=500, factor=4.0, max_ms=60_000, jitter=0.0)
"""A listener that fails is tried again after 0.5, 2, 8 and 32 s, then the event is set aside for it."""

RETRIES_AT_ONCE = 64
"""Deliveries that are due again which are read from the file at once: there may be very many of them."""


class RetryDue:
    """Time has come to try listeners again."""


class Listeners:
    """The listeners of one context, how far they have come, and what they have failed on."""

    def __init__(
        self,
        context: Context,
        store: ContextStore,
        busy: Busy,
        now_ms: Callable[[], int],
        wake_at: Callable[[int | None], None],
        coordinator: Port,
        suspects: Mapping[int, str],
    ) -> None:
        """`now_ms`, `wake_at`: see `ContextWorld`; `suspects`: see `Suspects.listening`."""
        self._context, self._store, self._busy = context, store, busy
        self._now_ms, self._wake_at = now_ms, wake_at
        self._coordinator = coordinator
        self._suspects = dict(suspects)
        self._listeners = {
            type_name(e): _Listener(context, e, name) for e, name in listeners_of(type(context)).items()
        }
        self.positions: dict[str, int] = {}
        """Event type → number of the last event that was taken, on disk."""

    # --- positions and suspects -------------------------------------------------------------------

    def open(self, last_event_no: int) -> dict[str, int]:
        """Return event type → position; a new listener starts where its context says. Committed when returned."""
        stored = self._store.positions()
        start = last_event_no if self._context.listen_from == "now" else 0
        self.positions = {name: stored.get(name, start) for name in self._listeners}
        if self.positions.keys() - stored.keys():
            changes = ContextChanges()
            changes.positions = self.positions
            self._store.begin()
            self._store.commit(changes)
        seam("context.positions-known")
        self._drop_suspects()
        return self.positions

    def _drop_suspects(self) -> None:
        """Tell the coordinator of which suspected events nothing will come: they were taken, or are set aside."""
        rows = self._store.retries_of(list(self._suspects)) if self._suspects else []
        waiting = {row.event_no for row in rows if row.due_ms is not None}
        taken = min(self.positions.values(), default=0)
        set_aside = {row.event_no for row in rows} - waiting
        self._heard([no for no in self._suspects if no in set_aside or (no <= taken and no not in waiting)])

    def _heard(self, nos: Sequence[int]) -> None:
        for no in nos:
            self._suspects.pop(no, None)
        if nos:
            self._coordinator.post(Heard(self._store.name, tuple(nos)))

    # --- events -----------------------------------------------------------------------------------

    def notify(self, message: Notify, transaction: Transaction) -> None:
        """Have an event taken, unless it was."""
        listener = self._listeners[message.type]
        if message.attempt > 1:
            self._try_again(listener, message, transaction)
            return
        transaction.read_to = max(transaction.read_to, message.no)
        positions = transaction.changes.positions
        if message.no <= positions.get(message.type, self.positions[message.type]):
            if message.no in self._suspects and not self._store.attempts(message.no, message.type):
                transaction.after.append(lambda: self._heard([message.no]))
            return
        reason, untried = self._attempt(listener, message, transaction)
        if reason is not None:
            self._failed(message, reason, transaction, last=untried)
        positions[message.type] = message.no

    def _try_again(self, listener: _Listener, message: Notify, transaction: Transaction) -> None:
        """Try a listener on an event again, unless that was done meanwhile: it may have been asked for twice."""
        key, retries = (message.no, message.type), transaction.changes.retries
        if key in retries or self._store.attempts(*key) != message.attempt - 1:
            return
        reason, untried = self._attempt(listener, message, transaction)
        if reason is not None:
            self._failed(message, reason, transaction, last=untried)
        else:
            retries[key] = None

    def _attempt(
        self, listener: _Listener, message: Notify, transaction: Transaction
    ) -> tuple[str | None, bool]:
        """Run a listener, unless it ends the process; return why it failed, if it did, and whether it was not run."""
        if message.no not in self._suspects:
            return self._listen(listener, message, transaction), False
        untried = self._suspects[message.no]
        transaction.after.append(lambda: self._heard([message.no]))
        return untried or self._listen(listener, message, transaction), bool(untried)

    def _listen(self, listener: _Listener, message: Notify, transaction: Transaction) -> str | None:
        """Run a listener in a savepoint; return why it failed, or None."""
        store, outbox = self._store, transaction.changes.outbox
        transaction.cause = (message.correlation, message.event_id)
        store.savepoint()
        published = len(outbox)
        self._busy.begin(f"{listener.name}({message.event_id})", -message.no)
        try:
            listener.call(listener.event.decode(bytes(message.event)))
            store.release()
            return None
        except TransactionLost:
            raise
        except BaseException as error:
            take_back(error, store, transaction, published)
            return f"{listener.name} raised\n{describe(error)}"
        finally:
            self._busy.end()

    def _failed(self, message: Notify, reason: str, transaction: Transaction, *, last: bool = False) -> None:
        attempt, now, due = message.attempt, self._now_ms(), None
        if attempt < LISTENER_RETRY.attempts and not last:
            due = now + LISTENER_RETRY.delay_ms(attempt, 0.0)
        else:
            log.error("event_set_aside", context=self._store.name, event_id=message.event_id, reason=reason)
        seam("context.listener-failed")
        transaction.changes.retries[message.no, message.type] = (
            attempt,
            due,
            reason,
            now,
            message.event_id,
            message.correlation,
            bytes(message.event),
        )

    def lost(self, message: Notify, reason: str, transaction: Transaction) -> None:
        """The transaction of an event, which was alone in it, could not be committed: its listener has failed."""
        self._failed(message, f"{self._listeners[message.type].name}: {reason}", transaction)
        if message.attempt == 1:
            transaction.changes.positions[message.type] = message.no
            transaction.read_to = message.no  # else the relay takes it to be at work on it, and sends no more

    # --- trying again -----------------------------------------------------------------------------

    def wake(self) -> None:
        """See to it that a `RetryDue` comes when the next delivery is to be tried again."""
        self._wake_at(self._store.next_retry(self._listeners))

    def released(self, message: Released, transaction: Transaction) -> None:
        """The recovery is over: from now on they are tried again."""
        transaction.after.append(self.wake)

    def retry_due(self, message: RetryDue, transaction: Transaction) -> None:
        """Take up what is due again, some at a time; what follows the last of them wakes this anew."""
        due = self._store.due_retries(self._now_ms(), self._listeners, RETRIES_AT_ONCE)
        transaction.again += [_again(row) for row in due]
        if not due:
            self.wake()  # the clock was set back since, or it was asked for twice

    def retry_event(self, message: RetryEvent, transaction: Transaction) -> None:
        """Try the listeners on an event again now that they have failed on before."""
        rows = self._store.retries_of([message.no])
        transaction.again += [_again(row) for row in rows if row.event_type in self._listeners]

    def retry_deliveries(self, message: RetryDeliveries, transaction: Transaction) -> None:
        """A person wants what has failed to be tried again."""
        count = self._store.retry_now(message.type, self._now_ms())
        transaction.changes.retries_due = count > 0
        transaction.after.append(lambda: message.reply.set_result(count))


class _Listener:
    """A method that listens to events of one type."""

    def __init__(self, context: Context, event: type[Any], name: str) -> None:
        self.name = f"{type(context).__name__}.{name}"
        self.call = getattr(context, name)
        self.event = codec_for(event)


def _again(row: RetryRow) -> Notify:
    """Return an event that a listener has failed on, to be tried again."""
    return Notify(
        row.event_no, row.event_id, row.event_type, Raw(row.payload), row.correlation, row.attempt + 1
    )
