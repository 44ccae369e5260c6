"""What Planning understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from saga import Command, Event, Key

__all__ = ["CallOff", "CampaignCalledOff", "RemindBoard"]


@dataclass(frozen=True, slots=True)
class RemindBoard(Command[None]):
    """Write to the board: a budget waits for its decision."""

    campaign_id: str


@dataclass(frozen=True, slots=True)
class CallOff(Command[None]):
    """The company does not want the conference any more. Sent by the application. Once said, said."""

    campaign_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CampaignCalledOff(Event):
    """The company has called the conference off."""

    campaign_id: Key[str]
