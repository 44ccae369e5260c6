"""What operators ask of a coordinator that runs: to act on a saga, to forget a listener, a snapshot, a look.

Rules
1. What changes something is done in the batch at hand, and told when that is on disk.
2. What cannot be done is told at once, and changes nothing.
3. Snapshots and looks are taken between two commits: they see all that was asked before them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from saga.coordination import requests as q
from saga.coordination.dispatch import Dispatcher
from saga.coordination.envelopes import Mark
from saga.coordination.instances import Instance, unreadable
from saga.coordination.ledger import Ledger
from saga.coordination.listeners import KnownListeners
from saga.coordination.parking import Parking
from saga.errors import NotAllowed, UnknownSaga, UsageError
from saga.machine import NotPossible, Stimulus
from saga.machine import stimuli as s
from saga.store import SagaStore

__all__ = ["Operating"]


class Operating:
    """Does what operators ask."""

    def __init__(
        self,
        store: SagaStore,
        ledger: Ledger,
        dispatcher: Dispatcher,
        listeners: KnownListeners,
        parking: Parking,
        happen: Callable[[Instance, Stimulus, str | None], bool],
        after_commit: Callable[[Callable[[], None]], None],
    ) -> None:
        """`happen` lets something happen to a saga, guarded; `after_commit` has something done when the batch at hand
        is on disk."""
        self._store, self._ledger, self._dispatcher, self._listeners = store, ledger, dispatcher, listeners
        self._parking, self._happen, self._after_commit = parking, happen, after_commit

    def act(self, message: q.Act) -> None:
        """Let an action happen to a saga."""
        instance = self._ledger.find(message.saga_id)
        if instance is None:
            there = self._store.find(message.saga_id) is not None
            message.reply.set_exception((unreadable if there else UnknownSaga)(message.saga_id))
            return
        try:
            make = message.stimulus
            stimulus = make(instance) if callable(make) else make
            happened = self._happen(instance, stimulus, message.name)
        except NotPossible as error:
            message.reply.set_exception(NotAllowed(message.saga_id, message.name, str(error)))
            return
        except BaseException as error:  # an answer that cannot be encoded, in whichever way
            message.reply.set_exception(error)
            return
        if not happened:
            message.reply.set_exception(
                NotAllowed(message.saga_id, message.name, "the machine failed, see the log")
            )
            return
        if type(stimulus) is s.Resume:
            self._parking.resumed(instance)

        def reply() -> None:
            if instance.no in self._ledger.given_up:
                why = "the saga was given up, see the log"
                message.reply.set_exception(NotAllowed(message.saga_id, message.name, why))
            else:
                message.reply.set_result(None)

        self._after_commit(reply)

    def forget_listener(self, message: q.ForgetListener) -> None:
        """Keep no events any more for a context that is not here."""
        types = None if message.event_type is None else [message.event_type]
        keys = self._listeners.away(message.context, types)
        if not keys and message.context in self._dispatcher.lanes:
            why = "is given to this runtime, and listens; only one that is not there can be forgotten"
            message.reply.set_exception(UsageError(f"{message.context} {why}"))
            return
        self._ledger.batch.listeners |= self._listeners.forget(keys)
        self._after_commit(lambda: message.reply.set_result(len(keys)))

    def cut(self, message: q.Cut) -> None:
        """Let a snapshot be taken between this commit and the next, and mark in each mailbox where it cuts through: no
        context is sent anything before its mark that this commit does not know of."""

        def mark() -> None:
            contexts = [
                lane
                for lane in self._dispatcher.lanes.values()
                if lane.kind == "context" and lane.down is None
            ]
            message.take("saga")
            for lane in contexts:
                lane.port.post(Mark(message.take))
            message.reply.set_result([lane.name for lane in contexts])

        self._after_commit(mark)

    def query(self, message: q.Query) -> None:
        """Read something."""

        def answer() -> None:
            reply: Future[Any] = message.reply
            try:
                reply.set_result(message.read(self._store.connection))
            except BaseException as error:
                reply.set_exception(error)

        self._after_commit(answer)
