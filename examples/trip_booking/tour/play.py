"""Plays the trips on a store, and says what has become of them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from examples.terminal import heading, paragraph, timeline
from examples.trip_booking.agency import make_agency
from examples.trip_booking.book_trip import BookTrip
from examples.trip_booking.outside.airline_company import AirlineCompany, Books
from examples.trip_booking.tour.stories import KILLED, STORIES, Story
from saga import Outcome, Runtime

__all__ = ["TourFailed", "play"]

PATIENCE_S = 30.0
"""Nothing here takes a second; whoever waits so long waits for what does not come."""


class TourFailed(Exception):
    """A trip ended otherwise than it must."""


def play(store: Path) -> None:
    """Play all trips in a new store, and print them. Raises TourFailed."""
    killer = Killer()
    with AirlineCompany(killer) as airline:
        with make_agency(store, airline.url) as agency:
            for number, story in enumerate(STORIES, start=1):
                announce(number, story)
                outcome = agency.start(BookTrip, story.wanted, id=story.trip_id).wait(PATIENCE_S)
                tell(agency, story, outcome, airline.books)
        announce(len(STORIES) + 1, KILLED)
        notes = {killer.have_killed(store, airline.url): "kill -9"}
        notes[datetime.now(UTC)] = "a new process opens the store"
        with make_agency(store, airline.url) as agency:
            outcome = agency.handle(KILLED.trip_id).wait(PATIENCE_S)
            tell(agency, KILLED, outcome, airline.books, notes)


def announce(number: int, story: Story) -> None:
    """Print what is going to be seen."""
    print(heading(f"{number}. {story.title}: {story.wanted.traveller} to {story.wanted.city}"))
    print(paragraph(story.explanation), end="\n\n")


class Killer:
    """Kills the agency when the airline has booked trip 4 and not answered yet; once."""

    def __init__(self) -> None:
        self._victim: subprocess.Popen[bytes] | None = None
        self._started = threading.Event()
        self._killed_at: datetime | None = None

    def __call__(self, wish: dict[str, str]) -> None:
        """The airline is about to answer."""
        if wish["trip"] != KILLED.trip_id or self._killed_at is not None:
            return
        self._started.wait(PATIENCE_S)
        assert self._victim is not None
        self._victim.kill()
        self._killed_at = datetime.now(UTC)
        self._victim.wait()

    def have_killed(self, store: Path, airline_url: str) -> datetime:
        """Start an agency, wait until it was killed, and return when that was. Raises TourFailed."""
        line = [sys.executable, "-m", "examples.trip_booking.tour.victim", str(store), airline_url]
        with subprocess.Popen(line) as self._victim:
            self._started.set()
            try:
                self._victim.wait(PATIENCE_S)
            finally:
                self._victim.kill()
        if self._killed_at is None:
            raise TourFailed("the agency ended before it was killed")
        return self._killed_at


def tell(
    agency: Runtime,
    story: Story,
    outcome: Outcome,
    books: Books,
    notes: dict[datetime, str] | None = None,
) -> None:
    """Print what has become of a trip. Raises TourFailed when that is not what must have."""
    history = agency.history(story.trip_id)
    for line in timeline(((entry.at, entry.text) for entry in history), notes):
        print(line)
    print()
    for line in summary(story, outcome, books):
        print(paragraph(line, "  ", "    "))
    undone = tuple(entry.data["of"] for entry in history if entry.what == "undo-sent")
    ended = outcome.refusal.code if outcome.refusal else ""
    if (ended, undone) != (story.ends, story.undone):
        raise TourFailed(f"{story.trip_id}: ended with {ended or 'all booked'}, undone: {undone}")


def summary(story: Story, outcome: Outcome, books: Books) -> Iterator[str]:
    """Yield how the trip ended, and what the airline knows of it."""
    if outcome.refusal:
        yield f"{outcome.status.value}: {outcome.refusal.code}"
    else:
        yield f"{outcome.status.value}: {outcome.answer.car}, {outcome.answer.room}, {outcome.answer.ticket}"
    tickets = books.tickets_of(story.trip_id)
    asked = sum(key.startswith(f"{story.trip_id}:") for path, key in books.asked if path == "/tickets")
    cancelled = sum(ticket.cancelled for ticket in tickets)
    times = {0: "not asked", 1: "asked once"}.get(asked, f"asked {asked} times")
    seats = "1 ticket" if len(tickets) == 1 else f"{len(tickets)} tickets"
    yield f"The airline's books: {times} for a ticket, {seats} for this trip, {cancelled} cancelled"
