"""The sagas that have commands outside, as the store has them: found at a recovery, and sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from saga.coordination import requests as q
from saga.coordination.dispatch import Dispatcher
from saga.coordination.instances import Instance, Outside, outside
from saga.coordination.ledger import Ledger
from saga.store import SagaStore

__all__ = ["OpenCommands"]

SENT_TOGETHER = 200
"""Sagas whose commands are sent again in one go."""


class OpenCommands:
    """Reads what is outside, and sends it again. Only between commits."""

    def __init__(
        self, store: SagaStore, ledger: Ledger, dispatcher: Dispatcher, post: Callable[[object], None]
    ) -> None:
        """`post` puts a message into the coordinator's mailbox."""
        self._store, self._ledger, self._dispatcher, self._post = store, ledger, dispatcher, post

    def all(self) -> Iterator[Outside]:
        """Yield what sagas have outside, one saga after the other."""
        for row, journal in self._store.live_journals():
            found = outside(row, journal)
            if found is not None:
                yield found

    def send_again(self, participant: str) -> None:
        """Send what is open at this participant again."""
        for row, journal in self._store.live_journals():
            instance = self._ledger.take(row, journal)
            if instance is not None:
                self._send_saga_again(instance, participant)
            self._ledger.cache.shrink()

    def send_all_again(self) -> None:
        """Send what is open at any participant again, at the end of a recovery: what must wait for credit is lined up
        without its saga, since there may be very many."""
        for count, (row, journal) in enumerate(self._store.live_journals(), 1):
            found = outside(row, journal)
            if found is None:
                continue
            if len(found.forward) < len(found.paths) or not self._dispatcher.line_up(found.no, found.forward):
                instance = self._ledger.take(row, journal)
                assert instance is not None  # its records make sense
                self._send_saga_again(instance, None)
                self._ledger.cache.shrink()
            if count % SENT_TOGETHER == 0:  # the participants begin while the others are still being read
                self._dispatcher.flush()

    def _send_saga_again(self, instance: Instance, participant: str | None) -> None:
        dispatcher = self._dispatcher
        for path, (sent, _) in instance.pending.commands.items():
            lost = sent.to == participant and dispatcher.may_be_outside(instance, path, participant)
            if (participant is None or lost) and not dispatcher.send_again(instance, path, sent.to):
                self._post(q.Blocked(instance.no, path))
        for path, sent in instance.pending.resolves.items():
            lost = sent.to == participant
            if (participant is None or lost) and not dispatcher.inquire(instance, path, sent.to):
                self._post(q.Blocked(instance.no, path))
