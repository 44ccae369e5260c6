"""The bank: a company of its own, reached by HTTP, with its own ledger.

It does not live in the shop's process, so no kill of the shop touches it. What it is asked twice with the same
idempotency key it does once, and answers twice.

    POST /charges   {"order", "amount_cents", "card", "expires"}   200 {"charge_id"}, 402 {"code", "reason"}
    POST /refunds   {"order"}                                      200 {}
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["BankCompany", "Ledger"]

DECLINED = "0002"
"""Cards whose number ends in this are declined."""

Reply = tuple[HTTPStatus, dict[str, str]]


@dataclass
class Ledger:
    """What the bank has done, in cents."""

    charges: list[tuple[str, int]] = field(default_factory=list)
    """Order and amount of each."""
    refunds: list[tuple[str, int]] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Orders that were refunded: nothing more is charged for them."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By idempotency key."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and order of everything that came in."""

    def carry_out(self, key: str, path: str, wish: dict[str, Any]) -> Reply:
        """Do what is asked, once for each key."""
        self.asked.append((path, wish["order"]))
        if key not in self.replies:
            self.replies[key] = self._charge(wish) if path == "/charges" else self._refund(wish)
        return self.replies[key]

    def _charge(self, wish: dict[str, Any]) -> Reply:
        if wish["order"] in self.closed:
            return _refused("closed", f"order {wish['order']} was refunded")
        if wish["expires"] < f"{datetime.now(UTC):%Y-%m}":
            return _refused("no-valid-card", f"the card has expired in {wish['expires']}")
        if wish["card"].endswith(DECLINED):
            return _refused("card-declined", "the card was declined")
        self.charges.append((wish["order"], wish["amount_cents"]))
        return HTTPStatus.OK, {"charge_id": f"charge-{len(self.charges)}"}

    def _refund(self, wish: dict[str, Any]) -> Reply:
        self.closed.add(wish["order"])
        self.refunds += [charge for charge in self.charges if charge[0] == wish["order"]]
        return HTTPStatus.OK, {}


def _refused(code: str, reason: str) -> Reply:
    return HTTPStatus.PAYMENT_REQUIRED, {"code": code, "reason": reason}


class BankCompany:
    """The bank, open for business while it is used as a context manager.

    `ledger`: what it has done. While it is slow (`slow()`), it carries out what it is asked and keeps its answers
    to itself until `fast()`.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._answering = threading.Event()
        self._answering.set()
        self._lock = threading.Condition()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._serve, name="bank", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def slow(self) -> None:
        """Answer nobody from now on."""
        self._answering.clear()

    def fast(self) -> None:
        """Answer everybody who waits, and at once from now on."""
        self._answering.set()

    def carry_out(self, key: str, path: str, wish: dict[str, Any]) -> Reply:
        """Do what is asked; return the answer when it is time."""
        with self._lock:
            reply = self.ledger.carry_out(key, path, wish)
            self._lock.notify_all()
        self._answering.wait()
        return reply

    def wait_until_asked(self, times: int, timeout_s: float = 20.0) -> bool:
        """Wait until so much was asked in all; return whether it was."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self.ledger.asked) >= times, timeout_s)

    def __enter__(self) -> BankCompany:
        self._thread.start()
        return self

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def __exit__(self, *_: object) -> None:
        self.fast()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """Listens on a free port of this machine."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, bank: BankCompany) -> None:
        self.bank = bank
        super().__init__(("127.0.0.1", 0), _Clerk)

    def handle_error(self, *_: Any) -> None:
        """A shop that is killed hangs up in the middle of a call: that is no error here."""


class _Clerk(BaseHTTPRequestHandler):
    """Takes one wish."""

    server: _Server

    def do_POST(self) -> None:
        """Carry out the wish, and answer."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed in the middle of the question
        status, reply = self.server.bank.carry_out(
            self.headers["Idempotency-Key"], self.path, json.loads(body)
        )
        answer = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """It keeps its own books, and writes nothing to the screen."""
