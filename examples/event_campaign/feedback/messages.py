"""What Feedback understands."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command

__all__ = ["ClosePoll", "PollClosed", "RateConference"]


@dataclass(frozen=True, slots=True)
class RateConference(Command[None]):
    """A visitor says how it was. Sent by the application.

    Refused with code `no-mark` when it is none from 1 to 5, with code `closed` when the poll is over.
    """

    campaign_id: str
    mark: int


@dataclass(frozen=True, slots=True)
class PollClosed:
    """How it was."""

    answers: int
    satisfaction: Decimal | None
    """The mean, with two decimals; None: nobody has said anything."""


@dataclass(frozen=True, slots=True)
class ClosePoll(Command[PollClosed]):
    """Say how it was. Who has not said so by now does not count."""

    campaign_id: str
