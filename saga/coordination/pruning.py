"""What nobody needs any more is let go of: events that all have taken, and sagas that are over when a person says so.

Each time in a commit of its own, between those of the batches.
"""

from __future__ import annotations

from saga.coordination import requests as q
from saga.coordination.ledger import Ledger
from saga.coordination.listeners import KnownListeners
from saga.coordination.outcome import Completions
from saga.coordination.relay import Relay
from saga.log import Log
from saga.store import PRUNED_AT_ONCE, SagaStore, TryAgain

__all__ = ["Pruning"]

log = Log("saga.coordinator")

EVENTS_BETWEEN_PRUNINGS = 10_000


class Pruning:
    """Lets go of things."""

    def __init__(
        self,
        store: SagaStore,
        ledger: Ledger,
        relay: Relay,
        listeners: KnownListeners,
        completions: Completions,
    ) -> None:
        self._store, self._ledger, self._relay = store, ledger, relay
        self._listeners, self._completions = listeners, completions
        begins = store.log_begins()
        self._events_since = 0 if begins is None else ledger.last_event_no - begins
        """Since the last time. At first those of earlier lives which are still there: else a process that never lives
        long would never prune."""

    def look(self, *, recovering: bool) -> None:
        """After a batch: if many events have come, let go of those that no live saga and no listener needs any more."""
        self._events_since += len(self._ledger.events)
        if self._events_since < EVENTS_BETWEEN_PRUNINGS or recovering:
            return
        self._events_since = 0
        try:
            if self._events(self._ledger.last_event_no, None) == PRUNED_AT_ONCE:
                self._events_since = EVENTS_BETWEEN_PRUNINGS  # there are more: with the next batch
        except TryAgain as error:
            log.warning("pruning_postponed", path=error.path, reason=error.what)

    def _events(self, last: int, before_ms: int | None) -> int:
        """Let go of some events, up to `last`, that nobody needs (and that are so old); return how many."""
        taken = self._relay.taken_to(last)
        moved = self._listeners.moved(taken, last)
        needed = min([last, *taken.values(), self._listeners.lowest(last)])
        first = self._store.first_event_needed()
        if first is not None:
            needed = min(needed, first)
        return self._store.prune_events(needed + 1, moved, before_ms)

    def let_go(self, message: q.LetGo) -> None:
        """Let go of these sagas, or of events that are so old; reply how many that were."""
        try:
            if message.sagas is None:
                self._store.begin_pruning(message.before_ms)
                # those of this batch are not on their way to anybody yet
                last = self._ledger.last_event_no - len(self._ledger.events)
                count = self._events(last, message.before_ms)
            else:
                count = self._store.prune_sagas([no for no, _ in message.sagas], message.before_ms)
                for no, _ in message.sagas:
                    self._ledger.cache.drop(no)
                self._completions.forget(id for _, id in message.sagas)
        except TryAgain as error:
            message.reply.set_exception(error)
            return
        message.reply.set_result(count)
