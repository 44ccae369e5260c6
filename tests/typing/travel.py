"""Right uses, checked by mypy and pyright: every element of the language in one saga, nested."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Rejected,
    Retry,
    Saga,
    answer,
    choice,
    condition,
    end,
    parallel,
    refuse,
    scope,
    sleep,
    step,
    wait,
)


@dataclass(frozen=True, slots=True)
class TripAsked:
    trip_id: str
    days: int
    leaves_at: datetime


@dataclass(frozen=True, slots=True)
class Booked:
    reference: str


@dataclass(frozen=True, slots=True)
class BookFlight(Command[Booked]):
    trip_id: str


@dataclass(frozen=True, slots=True)
class BookHotel(Command[Booked]):
    trip_id: str
    days: int


@dataclass(frozen=True, slots=True)
class Cancel(Command[None]):
    trip_id: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Confirm(Command[None]):
    trip_id: str


@dataclass(frozen=True, slots=True)
class TripPaid(Event):
    trip_id: Key[str]


@dataclass(frozen=True, slots=True)
class Itinerary:
    flight: str
    hotel: str | None
    paid_for: str


class Hotels(Context):
    @BookHotel.handler
    def book(self, command: BookHotel) -> Booked | Rejected:
        if command.days > 28:
            return Rejected("no stays of that length", code="too-long")
        return Booked("h-" + command.trip_id)


class Airline(Gateway):
    concurrency = 8

    @BookFlight.handler
    async def book(self, command: BookFlight) -> Booked:
        return Booked(self.key)

    @Cancel.handler
    async def cancel(self, command: Cancel) -> Rejected | None:
        return Rejected("flown", code="flown") if command.reference is None else None


async def call_handlers(airline: Airline, hotels: Hotels) -> tuple[Booked | Rejected, Booked | Rejected]:
    """A handler can be called as the method it is."""
    return await airline.book(BookFlight("t")), hotels.book(BookHotel("t", 3))


class BookTrip(Saga[TripAsked], name="travel.BookTrip", version=2):
    @step(retry=Retry(attempts=3, first=timedelta(seconds=1), factor=1.5, max=timedelta(minutes=1), jitter=0))
    def book_flight(self) -> BookFlight:
        return BookFlight(self.input.trip_id)

    @book_flight.compensation
    def cancel_flight(self, booked: Booked | None) -> Cancel:
        return Cancel(self.id, booked.reference if booked else None)

    @condition
    def stays_overnight(self) -> bool:
        return self.input.days > 1

    @step(timeout=timedelta(hours=1))
    def book_hotel(self) -> BookHotel:
        return BookHotel(self.input.trip_id, self.input.days)

    @step()
    def cancel_all(self) -> Cancel:
        return Cancel(self.input.trip_id, self.book_flight.reference)

    @sleep
    def think_it_over(self) -> timedelta:
        return timedelta(days=1)

    @wait(TripPaid, within=timedelta(days=3), otherwise=(refuse("not paid", code="unpaid"),))
    def paid(self) -> str:
        return self.input.trip_id

    @step(pivot=True)
    def confirm(self) -> Confirm:
        return Confirm(self.input.trip_id)

    @sleep
    def journey(self) -> datetime:
        return self.input.leaves_at

    @answer
    def itinerary(self) -> Itinerary:
        hotel = self.book_hotel.reference if self.stays_overnight else None
        return Itinerary(self.book_flight.reference, hotel, self.paid.trip_id)

    flow = (
        scope(
            parallel(
                book_flight,
                choice((stays_overnight, book_hotel)),
            ),
            timeout=timedelta(hours=2),
            catch={"timeout": refuse("too slow", code="slow"), "too-long": end()},
            compensation=cancel_all,
        ),
        (think_it_over, paid),
        confirm,
        itinerary,
        journey,
    )


class ConfirmTrip(Saga[TripAsked]):
    """A flow of one leaf."""

    @step()
    def confirm(self) -> Confirm:
        return Confirm(self.input.trip_id)

    flow = confirm


class CancelTrip(Saga[TripAsked]):
    """A flow of one block."""

    @step()
    def cancel(self) -> Cancel:
        return Cancel(self.input.trip_id, None)

    flow = scope(cancel, catch={"flown": ()})


def read_definition() -> str:
    """A leaf, read on its class, is the leaf."""
    return BookTrip.book_flight.name + (BookTrip.paid.doc or "")
