"""The airline: a company of its own, reached by HTTP, with its own books.

It does not live in the agency's process, so no kill of the agency touches it. What it is asked twice with the
same idempotency key it does once, and answers twice.

    POST /tickets         {"trip", "name", "to"}    200 {"ticket"}, 409 {"reason"}
    POST /cancellations   {"trip"}                  200 {}
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["AirlineCompany", "Books", "Ticket"]

FULL = {"Reykjavik"}
"""Where no seat is free."""

CUT_OFF = {"Havana"}
"""The line from there breaks before the answer about a ticket is through, each time."""

Reply = tuple[HTTPStatus, dict[str, str]]


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


class AirlineCompany:
    """The airline, open for business while it is used as a context manager.

    `before_answering` is called with the wish when it was carried out and the answer is not sent yet.
    """

    def __init__(self, before_answering: Callable[[dict[str, str]], None] = lambda wish: None) -> None:
        self.books = Books()
        self._server = _Server(self.books, before_answering)
        self._thread = threading.Thread(target=self._serve, name="airline", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> AirlineCompany:
        self._thread.start()
        return self

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Listens on a free port of this machine."""

    daemon_threads = True

    def __init__(self, books: Books, before_answering: Callable[[dict[str, str]], None]) -> None:
        self.books, self.before_answering = books, before_answering
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Clerk)

    def handle_error(self, *_: Any) -> None:
        """An agency that is killed hangs up in the middle of a call: that is no error here."""


class _Clerk(BaseHTTPRequestHandler):
    """Takes one wish."""

    server: _Server

    def do_POST(self) -> None:
        """Carry out the wish; answer, unless the line breaks."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed in the middle of the question
        wish = json.loads(body)
        with self.server.lock:
            status, reply = self.server.books.carry_out(self.headers["Idempotency-Key"], self.path, wish)
        self.server.before_answering(wish)
        if wish.get("to") in CUT_OFF:
            return
        answer = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """It keeps its own books, and writes nothing to the screen."""
