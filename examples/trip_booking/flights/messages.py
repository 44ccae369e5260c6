"""What the gateway to the airline understands."""

from __future__ import annotations

from dataclasses import dataclass

from saga import Command

__all__ = ["BookFlight", "CancelFlight", "FlightBooking"]


@dataclass(frozen=True, slots=True)
class FlightBooking:
    """There is a seat with the traveller's name on it."""

    ticket: str


@dataclass(frozen=True, slots=True)
class BookFlight(Command[FlightBooking]):
    """A flight for a trip. Refused with code `no-seat` when the planes to the city are full."""

    trip_id: str
    traveller: str
    city: str


@dataclass(frozen=True, slots=True)
class CancelFlight(Command[None]):
    """Give back what was booked for this trip, if anything was; nothing more can be booked for it."""

    trip_id: str
    ticket: str | None
    """None: nobody knows whether it came to a booking."""
