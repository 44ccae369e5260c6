"""What Speakers understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command, Event, Key

__all__ = [
    "AnswerInvitation",
    "Engage",
    "Engaged",
    "Invitation",
    "InvitationAnswered",
    "InviteNext",
    "Release",
    "RemindSpeaker",
    "Withdraw",
]


@dataclass(frozen=True, slots=True)
class Invitation:
    """A letter is on its way."""

    invitation_id: str
    speaker: str


@dataclass(frozen=True, slots=True)
class InviteNext(Command[Invitation]):
    """Invite the first of these who was not invited for this talk yet. Refused with code `nobody-left`."""

    talk_id: str
    topic: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withdraw(Command[None]):
    """We do not wait for an answer to this invitation any more: whoever says yes now is told so."""

    invitation_id: str


@dataclass(frozen=True, slots=True)
class RemindSpeaker(Command[None]):
    """Ask once more."""

    invitation_id: str


@dataclass(frozen=True, slots=True)
class AnswerInvitation(Command[None]):
    """The speaker's answer. Sent by the application. Refused with code `withdrawn` when it comes too late."""

    invitation_id: str
    accepts: bool
    fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class InvitationAnswered(Event):
    """A speaker has said yes or no."""

    invitation_id: Key[str]
    accepts: bool
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Engaged:
    """There is a contract."""

    speaker: str
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Engage(Command[Engaged]):
    """Make the contract that the speaker has agreed to."""

    invitation_id: str


@dataclass(frozen=True, slots=True)
class Release(Command[None]):
    """The conference does not take place: the contract is void, nothing is owed."""

    invitation_id: str
