"""The process that is killed: an agency that books one trip. Arguments: store, address of the airline."""

from __future__ import annotations

import sys
from pathlib import Path

from examples.trip_booking.agency import make_agency
from examples.trip_booking.book_trip import BookTrip
from examples.trip_booking.tour.stories import KILLED

if __name__ == "__main__":
    store, airline_url = sys.argv[1:]
    with make_agency(Path(store), airline_url) as agency:
        agency.start(BookTrip, KILLED.wanted, id=KILLED.trip_id).wait()
