"""Car, room, flight: all or none, in every order of failing, also when the process is killed."""

from __future__ import annotations

import functools
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.trip_booking.__main__ import main
from examples.trip_booking.agency import make_agency
from examples.trip_booking.book_trip import BookTrip, Itinerary, TripWanted
from examples.trip_booking.cars.context import Cars
from examples.trip_booking.flights.airline import Airline
from examples.trip_booking.hotels.context import Hotels
from examples.trip_booking.outside.airline_company import AirlineCompany
from examples.trip_booking.tour.stories import KILLED
from saga import Outcome, Runtime, ScaledClock, VirtualClock, WaitTimeout

STRIDE = "1" if os.environ.get("SAGA_EXHAUSTIVE") else "13"
"""By default, a trip is killed at each thirteenth seam; with `SAGA_EXHAUSTIVE=1`, at each."""

ROOT = Path(__file__).resolve().parents[2]
TOUR = [sys.executable, "-m", "examples.trip_booking"]

FAILING = {
    "Venice": ("no-car", []),
    "Oslo": ("no-room", ["car"]),
    "Reykjavik": ("no-seat", ["room", "car"]),
    "Havana": ("failed", ["flight", "room", "car"]),
}
"""City → the code of the refusal, and what is cancelled, in this order. From Havana no answer ever arrives."""


@pytest.fixture
def airline() -> Iterator[AirlineCompany]:
    with AirlineCompany() as company:
        yield company


@pytest.fixture
def cancelled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is cancelled, in the order in which the handlers are called: a witness beside the journal."""
    order: list[str] = []

    def watched(what: str, cancel: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(cancel)
        def noted(self: object, command: object) -> Any:
            order.append(what)
            return cancel(self, command)

        return noted

    for cls, what in ((Cars, "car"), (Hotels, "room"), (Airline, "flight")):
        monkeypatch.setattr(cls, "cancel", watched(what, cls.cancel))
    return order


def book(agency: Runtime, clock: VirtualClock, city: str, trip_id: str = "trip") -> Outcome:
    """Book a trip; let time pass until that is over."""
    handle = agency.start(BookTrip, TripWanted("Eve", city), id=trip_id)
    for _ in range(200):
        try:
            return handle.wait(0.1)
        except WaitTimeout:
            clock.advance(timedelta(seconds=1))
    pytest.fail("the trip is not over after 200 seconds")


def bookings(store: Path, context: str) -> list[tuple[str, str]]:
    """Return trip and state of each booking in the file of a context."""
    return rows(store, context, "SELECT trip_id, state FROM bookings ORDER BY no")


def free(store: Path, context: str, city: str) -> int | None:
    """Return how many cars or rooms are free in a city; None: there are none at all."""
    table = "fleet" if context == "cars" else "rooms"
    found = rows(store, context, f"SELECT free FROM {table} WHERE city = '{city}'")
    return found[0][0] if found else None


def rows(store: Path, context: str, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"{(store / f'{context}.db').as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(statement).fetchall()


def test_a_trip_is_booked_as_a_whole(tmp_path: Path, airline: AirlineCompany) -> None:
    clock = VirtualClock()
    with make_agency(tmp_path / "store", airline.url, clock) as agency:
        outcome = book(agency, clock, "Lisbon")
    assert outcome.answer == Itinerary("car-1", "room-1", "ticket-1")
    assert bookings(tmp_path / "store", "cars") == [("trip", "booked")]
    assert bookings(tmp_path / "store", "hotels") == [("trip", "booked")]
    assert [ticket.cancelled for ticket in airline.books.tickets] == [0]


@pytest.mark.parametrize("city", FAILING)
def test_what_was_booked_is_cancelled_in_reverse_and_once(
    tmp_path: Path, airline: AirlineCompany, cancelled: list[str], city: str
) -> None:
    code, expected = FAILING[city]
    clock = VirtualClock()
    with make_agency(tmp_path / "store", airline.url, clock) as agency:
        outcome = book(agency, clock, city)
    assert outcome.refusal is not None
    assert outcome.refusal.code == code
    assert cancelled == expected
    for context, what in (("cars", "car"), ("hotels", "room")):
        assert bookings(tmp_path / "store", context) == [("trip", "cancelled")] * expected.count(what)
        assert free(tmp_path / "store", context, city) in (9, None)


def test_a_ticket_that_nobody_heard_of_is_cancelled_by_the_trip(
    tmp_path: Path, airline: AirlineCompany
) -> None:
    clock = VirtualClock()
    with make_agency(tmp_path / "store", airline.url, clock) as agency:
        book(agency, clock, "Havana")
        (sent,) = [entry for entry in agency.history("trip") if entry.data.get("of") == "book_flight.1"]
    assert sent.data["command"] == {"trip_id": "trip", "ticket": None}
    assert [(ticket.trip, ticket.cancelled) for ticket in airline.books.tickets] == [("trip", 1)]
    keys = [key for path, key in airline.books.asked if path == "/tickets"]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_late_request_for_a_ticket_of_a_cancelled_trip_is_refused(airline: AirlineCompany) -> None:
    """The network may bring it after the cancellation: another key of the same trip, seen from the airline."""
    airline.books.carry_out("cancel", "/cancellations", {"trip": "trip"})
    status, _ = airline.books.carry_out("late", "/tickets", {"trip": "trip", "name": "Eve", "to": "Lisbon"})
    assert status == 409
    assert airline.books.tickets == []


def test_the_last_car_is_given_to_one_of_many(tmp_path: Path, airline: AirlineCompany) -> None:
    """Nine cars and nine rooms in Lisbon, twelve travellers at the same time."""
    with make_agency(tmp_path / "store", airline.url) as agency:
        handles = [agency.start(BookTrip, TripWanted("Eve", "Lisbon")) for _ in range(12)]
        outcomes = [handle.wait(20) for handle in handles]
    assert sum(outcome.completed for outcome in outcomes) == 9
    assert {outcome.refusal.code for outcome in outcomes if outcome.refusal} == {"no-car"}
    assert free(tmp_path / "store", "cars", "Lisbon") == free(tmp_path / "store", "hotels", "Lisbon") == 0


# --- kills ----------------------------------------------------------------------------------------


@pytest.fixture
def fast_disk() -> Iterator[Path]:
    """A place on the fastest file system there is: a kill of the process needs no disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="trip-booking-", dir=parent) as directory:
        yield Path(directory)


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
@pytest.mark.parametrize("city", ["Lisbon", *FAILING])
def test_killed_at_any_seam_a_trip_is_booked_or_cancelled_once(
    fast_disk: Path, airline: AirlineCompany, city: str
) -> None:
    line = [sys.executable, "-m", "tests.examples.trip_crasher", str(fast_disk), airline.url, city, STRIDE]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    kills = done.stdout.split()
    assert int(kills[-1]) > 15
    for nth in kills:
        check_after_a_kill(fast_disk / f"{city}-{nth}", airline, city)


def check_after_a_kill(store: Path, airline: AirlineCompany, city: str) -> None:
    """Open what a killed process left, have the trip brought to its end, and look into all the books."""
    code, undone = FAILING.get(city, ("", []))
    with make_agency(store, airline.url, ScaledClock(1000)) as agency:
        outcome = agency.start(BookTrip, TripWanted("Eve", city), id=store.name).wait(20)
        history = agency.history(store.name)
    assert (outcome.refusal.code if outcome.refusal else "") == code
    order = [entry.path for entry in history if entry.what == "undo-completed"]
    assert order == [f"book_{what}.1~1" for what in undone]
    booked = {"no-car": 0, "no-room": 1}.get(code, 2)
    state = "cancelled" if code else "booked"
    for context, number in (("cars", booked > 0), ("hotels", booked > 1)):
        assert bookings(store, context) == [(store.name, state)] * number
        assert free(store, context, city) in ((9, None) if code else (8,))
    tickets = [ticket.cancelled for ticket in airline.books.tickets_of(store.name)]
    assert tickets == {"": [0], "failed": [1]}.get(code, [])


# --- the tour -------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 50])
def test_the_tour_ends_well_and_fits_the_terminal(columns: int) -> None:
    env = {"COLUMNS": str(columns), "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(TOUR, cwd=ROOT, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= columns
    text = " ".join(done.stdout.split())
    assert "COMPLETED: car-1, room-1, ticket-1" in text
    assert "asked 3 times for a ticket, 1 ticket for this trip, 1 cancelled" in text
    assert "[kill -9]" in text
    assert "asked 2 times for a ticket, 1 ticket for this trip, 0 cancelled" in text


def test_what_was_kept_can_be_looked_at(tmp_path: Path) -> None:
    assert main(["--keep", str(tmp_path / "kept")]) == 0
    assert bookings(tmp_path / "kept", "cars")[-1] == (KILLED.trip_id, "booked")


def test_a_directory_that_is_there_already_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--keep", str(tmp_path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
