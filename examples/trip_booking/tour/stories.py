"""The four trips, and what must have become of each: a tour that turns out otherwise says so."""

from __future__ import annotations

from dataclasses import dataclass

from examples.trip_booking.book_trip import TripWanted

__all__ = ["KILLED", "STORIES", "Story"]


@dataclass(frozen=True, slots=True)
class Story:
    """A trip, what is to be seen in it, and how it must end."""

    trip_id: str
    title: str
    explanation: str
    wanted: TripWanted
    ends: str
    """Code of the refusal; empty: all is booked."""
    undone: tuple[str, ...]
    """What was cancelled, in this order."""


STORIES = (
    Story(
        "trip-1",
        "A trip that works",
        "Car, room and flight are booked, one after the other. Each line is in the journal on disk before "
        "anything comes of it.",
        TripWanted("Ada", "Lisbon"),
        "",
        (),
    ),
    Story(
        "trip-2",
        "The flight is refused",
        "The planes to Reykjavik are full. What was booked before is cancelled in reverse: first the room, "
        "then the car. A refusal is an answer and is not tried again.",
        TripWanted("Ben", "Reykjavik"),
        "no-seat",
        ("book_room.1", "book_car.1"),
    ),
    Story(
        "trip-3",
        "The airline books, and its answer is lost",
        "Three attempts, always with the same idempotency key, and no answer. Nobody here knows whether there "
        "is a ticket, so the flight is cancelled, too: its compensation gets `None` and names the trip.",
        TripWanted("Cleo", "Havana"),
        "failed",
        ("book_flight.1", "book_room.1", "book_car.1"),
    ),
)

KILLED = Story(
    "trip-4",
    "The process is killed with -9",
    "It dies after the airline has booked and before its answer is here. A new process opens the store, reads "
    "the journal, and asks again with the same key: there is one ticket.",
    TripWanted("Dan", "Lisbon"),
    "",
    (),
)
