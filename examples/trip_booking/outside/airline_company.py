"""The airline: a company of its own, reached by HTTP, with its own books.

It does not live in the agency's process, so no kill of the agency touches it. What it is asked twice with the
same idempotency key it does once, and answers twice.

    POST /tickets         {"trip", "name", "to"}    200 {"ticket"}, 409 {"reason"}
    POST /cancellations   {"trip"}                  200 {}
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from examples.company import Company, Reply

__all__ = ["AirlineCompany", "Books", "Ticket"]

FULL = {"Reykjavik"}
"""Where no seat is free."""

CUT_OFF = {"Havana"}
"""The line from there breaks before the answer about a ticket is through, each time."""


@dataclass
class Ticket:
    """A seat that was booked."""

    number: str
    trip: str
    name: str
    city: str
    cancelled: int = 0
    """How often it was cancelled: never, or once."""


@dataclass
class Books:
    """What the airline has done."""

    tickets: list[Ticket] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Trips that were cancelled: nothing more is booked for them."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By idempotency key."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and key of everything that came in, in order."""

    def carry_out(self, key: str, path: str, wish: dict[str, str]) -> Reply:
        """Do what is asked, once for each key."""
        self.asked.append((path, key))
        if key not in self.replies:
            self.replies[key] = self._book(wish) if path == "/tickets" else self._cancel(wish)
        return self.replies[key]

    def _book(self, wish: dict[str, str]) -> Reply:
        if wish["trip"] in self.closed:
            return HTTPStatus.CONFLICT, {"reason": f"trip {wish['trip']} was cancelled"}
        if wish["to"] in FULL:
            return HTTPStatus.CONFLICT, {"reason": f"no seat is free to {wish['to']}"}
        ticket = Ticket(f"ticket-{len(self.tickets) + 1}", wish["trip"], wish["name"], wish["to"])
        self.tickets.append(ticket)
        return HTTPStatus.OK, {"ticket": ticket.number}

    def _cancel(self, wish: dict[str, str]) -> Reply:
        self.closed.add(wish["trip"])
        for ticket in self.tickets_of(wish["trip"]):
            ticket.cancelled += 1
        return HTTPStatus.OK, {}

    def tickets_of(self, trip: str) -> list[Ticket]:
        """Return the tickets of a trip, cancelled ones too."""
        return [ticket for ticket in self.tickets if ticket.trip == trip]


class AirlineCompany(Company):
    """The airline. See `Company`.

    `before_answering` is called with the wish when it was carried out and the answer is not sent yet.
    """

    def __init__(self, before_answering: Callable[[dict[str, str]], None] = lambda wish: None) -> None:
        super().__init__()
        self.books = Books()
        self._before_answering = before_answering
        self._lock = threading.Lock()

    def answer(self, key: str, path: str, wish: dict[str, str]) -> Reply | None:
        """See `Company`."""
        with self._lock:
            reply = self.books.carry_out(key, path, wish)
        self._before_answering(wish)
        return None if wish.get("to") in CUT_OFF else reply
