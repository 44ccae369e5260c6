"""Commands that nobody here can carry out are parked, and their sagas go on when somebody can.

Rules
1. When a participant goes down, what is with it is parked in the same batch.
2. What cannot be sent is found out after the commit, so it is parked in the next batch, if that still holds then.
3. What was parked so goes on when the participant, or the class of the saga, is there (again); if its saga is
   suspended, when that is resumed.
"""

from __future__ import annotations

from collections.abc import Callable

from saga.coordination import requests as q
from saga.coordination.dispatch import Dispatcher
from saga.coordination.evaluation import Author
from saga.coordination.instances import Instance
from saga.coordination.ledger import Ledger
from saga.machine import Stimulus
from saga.machine import stimuli as s
from saga.machine.state import Phase
from saga.store import SagaStore

__all__ = ["Parking"]

WANTS = ("no-handler", "down")
"""Kinds of incidents that are over when somebody is there."""


class Parking:
    """Parks commands for want of a participant or a class, and tries them again."""

    def __init__(
        self,
        store: SagaStore,
        ledger: Ledger,
        dispatcher: Dispatcher,
        happen: Callable[[Instance, Stimulus, str | None], bool],
    ) -> None:
        """`happen` lets something happen to a saga, guarded."""
        self._store, self._ledger, self._dispatcher, self._happen = store, ledger, dispatcher, happen

    def blocked(self, message: q.Blocked) -> None:
        """A command, or the inquiry about it, could not be sent."""
        instance = self._ledger.cache.get(message.saga_no)
        if instance is None:
            return
        visit = instance.state.visits.get(message.path)
        if visit is None or visit.sent is None:
            return
        missing = self._dispatcher.missing(visit)
        if missing is not None:
            self._happen(instance, s.Blocked(message.path, *missing), None)

    def lowered(self, participant: str, reason: str) -> None:
        """This participant does not work any more."""
        for no in self._store.live_busy():
            instance = self._ledger.cache.get(no)
            if instance is None:
                continue
            outside = {path: sent for path, (sent, _) in instance.pending.commands.items()}
            outside.update(instance.pending.resolves)
            for path, sent in outside.items():
                if sent.to == participant:
                    self._happen(instance, s.Blocked(path, "down", reason), None)

    def unblock(self) -> None:
        """Let the sagas go on that were parked for want of a participant or a class that is here now."""
        for saga_no, path in self._store.incidents_of(WANTS):
            instance = self._ledger.cache.get(saga_no)
            if instance is not None and not instance.state.suspended:
                self._unblock(instance, path)

    def resumed(self, instance: Instance) -> None:
        """The same for a saga that was passed over until now."""
        for path in list(instance.pending.incidents):
            self._unblock(instance, path)

    def _unblock(self, instance: Instance, path: str) -> None:
        visit = instance.state.visits.get(path)
        if visit is None or visit.phase is not Phase.PARKED:
            return
        if visit.incident is None or visit.incident.kind not in WANTS:
            return
        if visit.sent is not None:
            back = self._dispatcher.missing(visit) is None
        else:
            author = instance.author
            back = isinstance(author, Author) and author.can_call(visit.element, visit.undoes)
        if back:
            self._happen(instance, s.Retry("what it was parked for is there again", path), None)
