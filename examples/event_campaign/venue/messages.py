"""What Venue understands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from saga import Command

__all__ = ["BookHall", "CancelHall", "HallBooked"]


@dataclass(frozen=True, slots=True)
class HallBooked:
    """A hall is ours for that day."""

    hall: str
    seats: int
    fee: Decimal


@dataclass(frozen=True, slots=True)
class BookHall(Command[HallBooked]):
    """The smallest hall that is large enough. Refused with code `no-hall` when none is free, or within the budget."""

    campaign_id: str
    day: datetime
    seats: int
    budget: Decimal


@dataclass(frozen=True, slots=True)
class CancelHall(Command[None]):
    """The hall is not needed. A tenth of the fee is owed all the same."""

    campaign_id: str
