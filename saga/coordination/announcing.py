"""Telling those who wait for a saga how it ended, or that it needs a person; after the commit that says so."""

from __future__ import annotations

from saga.codec import codec_for
from saga.coordination.evaluation import Author
from saga.coordination.instances import Cache, Instance, unreadable
from saga.coordination.outcome import Completion, Completions, Outcome, Refusal
from saga.errors import NotDecodable, SagaParked, UnknownSaga
from saga.machine import Status
from saga.store import SagaStore

__all__ = ["Announcer"]

_RUNNING, _PARKED, _COMPLETED = Status.RUNNING, Status.PARKED, Status.COMPLETED  # see `machine.pending`


class Announcer:
    """Knows who waits (`completions`) and what there is to tell."""

    def __init__(self, store: SagaStore, cache: Cache, completions: Completions) -> None:
        self._store, self._cache = store, cache
        self.completions = completions

    def changed(self, instance: Instance, before: Status | None) -> None:
        """The status of a saga is another one than `before` (None: it has just begun). One that ended leaves memory."""
        status = instance.status
        if status is _RUNNING and before is None:
            return  # nobody waits for it to change yet
        if status is not None and status.ended:
            self._cache.drop(instance.no)
        completion = self.completions.find(instance.state.id)
        if completion is None:
            return
        if before is _PARKED and status is not _PARKED:
            completion.unpark()
        self._tell(completion, instance)

    def look_up(self, completion: Completion) -> None:
        """Tell what is known about a saga that somebody has begun to wait for."""
        row = self._store.find(completion.saga_id)
        if row is None:
            completion.miss(UnknownSaga(completion.saga_id))
            return
        status = Status(row.status)
        if not status.ended and status is not _PARKED:
            return
        instance = self._cache.get(row.no)
        if instance is None:
            completion.miss(unreadable(completion.saga_id))
            return
        if status.ended:
            self._cache.drop(row.no)
        self._tell(completion, instance)

    def given_up(self, saga_id: str, reason: str) -> None:
        """What is in memory of this saga cannot be trusted, so nothing more will be told before it is loaded again."""
        completion = self.completions.find(saga_id)
        if completion is not None:
            completion.park(SagaParked(saga_id, ["(store)"], reason))

    def _tell(self, completion: Completion, instance: Instance) -> None:
        status = instance.status
        if status is _PARKED:
            incidents = instance.pending.incidents
            reasons = "\n".join(incident.reason for incident in incidents.values())
            completion.park(SagaParked(instance.state.id, list(incidents), reasons))
        elif status is not None and status.ended:
            try:
                completion.end(_outcome(instance, status))
            except NotDecodable as error:  # the class of the answer is not what it was
                completion.end(error)


def _outcome(instance: Instance, status: Status) -> Outcome:
    state = instance.state
    refusal = None if state.failure is None else Refusal(state.failure.code, state.failure.reason)
    if status is not _COMPLETED or state.answer is None:
        return Outcome(state.id, status, None, refusal)
    author = instance.author
    if isinstance(author, Author):
        return Outcome(state.id, status, codec_for(author.definition.answer).decode(bytes(state.answer)))
    return Outcome(state.id, status, bytes(state.answer))
