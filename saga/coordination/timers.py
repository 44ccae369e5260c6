"""Timers of sagas and recurring starts: what is due happens, the longest due first."""

from __future__ import annotations

from collections.abc import Callable

from saga.coordination import requests as q
from saga.coordination.instances import Instance
from saga.coordination.ledger import Ledger
from saga.coordination.schedules import Schedules
from saga.machine import Stimulus
from saga.machine import stimuli as s
from saga.seams import seam
from saga.store import SagaStore

__all__ = ["Timers"]

TIMERS_AT_ONCE = 256
"""Timers taken in one batch; the rest follows in the next, so that messages get their turn."""

STUCK_MS = 1_000
"""After how long timers are looked at again that are due and do not fire."""


class Timers:
    """Knows when something falls due next."""

    def __init__(
        self,
        store: SagaStore,
        ledger: Ledger,
        schedules: Schedules,
        happen: Callable[[Instance, Stimulus, str | None], bool],
        post: Callable[[object], None],
    ) -> None:
        """`happen` lets something happen to a saga, guarded; `post` puts a message into the coordinator's mailbox."""
        self._store, self._ledger, self._schedules = store, ledger, schedules
        self._happen, self._post = happen, post
        self.next_due: int | None = store.next_due()

    def armed(self, due: int | None) -> None:
        """A timer of a saga, or a schedule, will fall due then; None: there is none."""
        self.next_due = _earlier(self.next_due, due)

    def fire(self, *, was_down: bool) -> tuple[bool, Callable[[], None]]:
        """Let happen what is due. Return whether there may be more, and what is to be done after the commit."""
        now = self._ledger.now
        due = self._store.due_timers(now, TIMERS_AT_ONCE)
        for timer in due:
            path, kind = timer.name.rsplit("|", 1)
            instance = self._ledger.cache.get(timer.saga_no)
            if instance is not None:
                self._happen(instance, s.TimerFired(path, kind), "timer")
                seam("coordinator.timer-fired")
        more = self._schedules.fire(was_down=was_down) or len(due) == TIMERS_AT_ONCE

        def look_again() -> None:
            self.next_due = _earlier(self._store.next_due(), self._schedules.next_due())
            if more:
                self._post(q.Tick())
            elif self.next_due is not None and self.next_due <= now:
                left = {timer[:2] for timer in self._store.due_timers(now, TIMERS_AT_ONCE)}
                if left <= {timer[:2] for timer in due}:
                    # of sagas that cannot be loaded: without a pause, for ever
                    self.next_due = now + STUCK_MS
                else:  # armed in this batch, and due at once
                    self._post(q.Tick())

        return more, look_again


def _earlier(one: int | None, other: int | None) -> int | None:
    """Return the earlier of two times, where None is never."""
    return min((each for each in (one, other) if each is not None), default=None)
