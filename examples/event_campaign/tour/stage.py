"""A company in virtual time: months pass in a second, and never before everything that was to happen has happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from examples.event_campaign.planning.messages import CallOff
from examples.event_campaign.speakers.messages import AnswerInvitation
from saga import Runtime, VirtualClock

__all__ = ["NothingHappened", "Stage"]

PATIENCE_S = 30.0
"""Nothing here takes a second; whoever waits so long waits for what does not come."""


class NothingHappened(Exception):
    """What was waited for did not come."""


class Stage:
    """A company that is open, and its clock. Time is moved when all is quiet, to what is due next, and so on.

    What waits here raises NothingHappened when it has waited in vain.
    """

    def __init__(self, company: Runtime, clock: VirtualClock) -> None:
        self.company, self._clock = company, clock

    @property
    def now(self) -> datetime:
        """What time it is."""
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)

    def move(self, by: timedelta) -> None:
        """Let so much time pass."""
        self.move_to(self.now + by)

    def move_to(self, when: datetime) -> None:
        """Let time pass until then, and everything happen that is due by then."""
        self.wait_until_quiet()
        while self.now < when:
            self._clock.advance(min([when, *self._due()]) - self.now)
            self.wait_until_quiet()

    def wait_until_quiet(self) -> None:
        """Wait until everything waits for a person, an event or another time."""
        self.wait_for(self._is_quiet, "everything to be quiet")

    def wait_for(self, question: Callable[[], object], what: str) -> None:
        """Wait until the answer to `question` is yes."""
        until = time.monotonic() + PATIENCE_S
        while not question():
            if time.monotonic() > until:
                raise NothingHappened(f"waited in vain for {what}")
            time.sleep(0.002)

    def _is_quiet(self) -> bool:
        """Return whether no command is with a context or gateway, and nothing is due. The list is of one moment."""
        rows = self.company.list(status=("RUNNING", "COMPENSATING"), limit=10_000)
        now_ms = self._clock.now_ms()
        return not any(row.busy or (row.next_due_ms or now_ms + 1) <= now_ms for row in rows)

    def _due(self) -> list[datetime]:
        rows = self.company.list(status=("RUNNING", "COMPENSATING"), limit=10_000)
        return [datetime.fromtimestamp(row.next_due_ms / 1000, UTC) for row in rows if row.next_due_ms]

    # --- people who say something -----------------------------------------------------------------

    def answer_invitation(self, answer: AnswerInvitation) -> None:
        """Let a speaker say yes or no, and what that leads to happen."""
        self.company.send(answer)
        self._wait_until_heard(answer.invitation_id)

    def call_off(self, campaign_id: str, reason: str) -> None:
        """Let the company call a campaign off, and what that leads to begin."""
        self.company.send(CallOff(campaign_id, reason))
        self._wait_until_heard(campaign_id)

    def _wait_until_heard(self, key: str) -> None:
        """Wait until a saga has taken an event of this key: the context that was asked has published it, and returned
        before anybody has heard of it."""
        self.wait_for(lambda: self._was_heard(key), f"an event of {key} to be heard")
        self.wait_until_quiet()

    def _was_heard(self, key: str) -> bool:
        return any(
            entry.what == "event-taken" and key in entry.data["event"].values()
            for row in self.company.list(limit=10_000)
            for entry in self.company.history(row.id)
        )
