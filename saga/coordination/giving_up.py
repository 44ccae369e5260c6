"""A bug of ours costs the saga it is about its memory, and nobody else anything.

Rules
1. A saga is given up when the machine fails on it, or the schema refuses its rows. What is in memory of it cannot be
   trusted; on disk it is as it was at its last commit.
2. Rows that are refused are traced to their saga; that one is given up, with those it has called in the same batch, and
   the others go through.
3. What it had been answered is lost to it, so its open commands are parked, in a batch to come; a retry gets the
   stored answer.
"""

from __future__ import annotations

from collections.abc import Callable

from saga.coordination import requests as q
from saga.coordination.announcing import Announcer
from saga.coordination.guard import describe
from saga.coordination.instances import Instance
from saga.coordination.ledger import Effects, Ledger
from saga.log import Log
from saga.machine import stimuli as s
from saga.store import Batch, ConstraintFailed

__all__ = ["GivingUp"]

log = Log("saga.coordinator")


class GivingUp:
    """Gives sagas up."""

    def __init__(self, ledger: Ledger, announcer: Announcer, post: Callable[[object], None]) -> None:
        """`post` puts a message into the coordinator's mailbox."""
        self._ledger, self._announcer, self._post = ledger, announcer, post

    def give_up(self, instance: Instance, reason: str) -> None:
        """Let go of what is in memory of a saga, and see to it that its open commands are parked."""
        self._ledger.cache.drop(instance.no)
        self._ledger.given_up.add(instance.no)
        saga_id = instance.state.id if instance.state else f"number {instance.no}"
        log.error("saga_given_up", saga_id=saga_id, reason=reason)
        self._announcer.given_up(saga_id, reason)
        self._post(q.GivenUp(instance.no, reason))

    def commit_singly(
        self, batch: Batch, effects: Effects, error: ConstraintFailed, commit: Callable[[Batch], None]
    ) -> None:
        """Find the saga whose rows the schema refuses; give it up (with those it calls), `commit` the others."""
        log.error("rows_refused", part=error.part, reason=error.what)
        for part in batch.split(self._ledger.linked_groups()):
            try:
                commit(part)
            except ConstraintFailed as refused:
                nos = part.sagas()
                if not nos:
                    raise
                effects.leave_out(nos)
                for no in nos:
                    self.give_up(
                        self._ledger.in_batch(no), f"its rows were refused by the store: {refused.what}"
                    )

    def park(self, message: q.GivenUp) -> None:
        """Park what is open in a saga that was given up, as it is on disk."""
        instance = self._ledger.cache.get(message.saga_no)
        if instance is None:
            return
        try:
            for path in [*instance.pending.commands, *instance.pending.resolves]:
                self._ledger.apply(instance, s.Blocked(path, "poison", message.reason), None)
            self._ledger.calls.lost(instance, message.reason)
        except Exception as error:  # then it stays as it is on disk
            self._ledger.discard(instance)
            self._ledger.cache.drop(instance.no)
            log.error("saga_not_parked", saga_no=instance.no, reason=describe(error))
