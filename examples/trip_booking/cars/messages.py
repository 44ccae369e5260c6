"""What Cars understands."""

from __future__ import annotations

from dataclasses import dataclass

from saga import Command

__all__ = ["BookCar", "CancelCar", "CarBooking"]


@dataclass(frozen=True, slots=True)
class CarBooking:
    """A car waits at the airport."""

    booking_id: str


@dataclass(frozen=True, slots=True)
class BookCar(Command[CarBooking]):
    """A car for a trip. Refused with code `no-car` when none is free in the city."""

    trip_id: str
    city: str


@dataclass(frozen=True, slots=True)
class CancelCar(Command[None]):
    """The car is not needed: others may have it."""

    booking_id: str
