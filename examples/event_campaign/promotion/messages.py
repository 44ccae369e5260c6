"""What Promotion understands."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command

__all__ = ["Advertise", "Spent", "SumUp"]


@dataclass(frozen=True, slots=True)
class Advertise(Command[None]):
    """Place an advertisement, and tell everybody who has ever asked about such things."""

    campaign_id: str
    title: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What promotion has cost."""

    advertisements: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class SumUp(Command[Spent]):
    """Say what was spent on a campaign."""

    campaign_id: str
