"""Where the travel agency is put together: the one place that knows contexts, gateway and saga."""

from __future__ import annotations

from pathlib import Path

from examples.trip_booking.book_trip import BookTrip
from examples.trip_booking.cars.context import Cars
from examples.trip_booking.flights.airline import Airline
from examples.trip_booking.hotels.context import Hotels
from saga import Runtime, ScaledClock, VirtualClock

__all__ = ["make_agency"]


def make_agency(store: Path, airline_url: str, clock: ScaledClock | VirtualClock | None = None) -> Runtime:
    """Return the agency whose data is in the directory `store`; it opens with `with`. No `clock`: the real one."""
    return Runtime(
        store, contexts=[Cars, Hotels, lambda: Airline(airline_url)], sagas=[BookTrip], clock=clock
    )
