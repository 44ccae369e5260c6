"""What Hotels understands."""

from __future__ import annotations

from dataclasses import dataclass

from saga import Command

__all__ = ["BookRoom", "CancelRoom", "RoomBooking"]


@dataclass(frozen=True, slots=True)
class RoomBooking:
    """A room is kept."""

    booking_id: str


@dataclass(frozen=True, slots=True)
class BookRoom(Command[RoomBooking]):
    """A room for a trip. Refused with code `no-room` when the hotels of the city are full."""

    trip_id: str
    city: str


@dataclass(frozen=True, slots=True)
class CancelRoom(Command[None]):
    """The room is not needed: others may have it."""

    booking_id: str
