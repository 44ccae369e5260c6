"""The process. Everything that is known about the order of things stands in `flow`, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from examples.trip_booking.cars.messages import BookCar, CancelCar
from examples.trip_booking.flights.messages import BookFlight, CancelFlight, FlightBooking
from examples.trip_booking.hotels.messages import BookRoom, CancelRoom
from saga import Retry, Saga, answer, step

__all__ = ["BookTrip", "Itinerary", "TripWanted"]

BRIEF = Retry(attempts=3, first=timedelta(milliseconds=200))
"""Somebody sits before a screen: better a clear no within seconds than a yes tomorrow."""


@dataclass(frozen=True, slots=True)
class TripWanted:
    """Somebody wants to travel. The id of the saga is the id of the trip."""

    traveller: str
    city: str


@dataclass(frozen=True, slots=True)
class Itinerary:
    """What was booked for a trip."""

    car: str
    room: str
    ticket: str


class BookTrip(Saga[TripWanted], version=1):
    """Book a car, a room and a flight: all of them, or none."""

    @step()
    def book_car(self) -> BookCar:
        return BookCar(self.id, self.input.city)

    @book_car.compensation
    def cancel_car(self) -> CancelCar:
        return CancelCar(self.book_car.booking_id)

    @step()
    def book_room(self) -> BookRoom:
        return BookRoom(self.id, self.input.city)

    @book_room.compensation
    def cancel_room(self) -> CancelRoom:
        return CancelRoom(self.book_room.booking_id)

    @step(retry=BRIEF)
    def book_flight(self) -> BookFlight:
        """The flight comes last: of the three it is the one that costs most to give back."""
        return BookFlight(self.id, self.input.traveller, self.input.city)

    @book_flight.compensation
    def cancel_flight(self, booked: FlightBooking | None) -> CancelFlight:
        """`None`: the airline was asked, and nobody knows whether it has booked. The trip's id finds it there."""
        return CancelFlight(self.id, booked.ticket if booked else None)

    @answer
    def itinerary(self) -> Itinerary:
        return Itinerary(self.book_car.booking_id, self.book_room.booking_id, self.book_flight.ticket)

    flow = (
        book_car,
        book_room,
        book_flight,
        itinerary,
    )
