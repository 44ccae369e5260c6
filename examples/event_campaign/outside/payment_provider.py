"""The payment provider: a company of its own, reached by HTTP, with its own ledger.

It does not live in the company's process, so no kill of that one touches it. What it is asked twice with the same
idempotency key it does once, and answers twice. With another key it does it again: it counts, and is no safety net.

    POST /charges   {"registration", "account", "cents"}   200 {"charge_id"}, 409 {"code", "reason"}
    POST /refunds   {"registration"}                       200 {}, 409 {"code", "reason"}
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Ledger", "PaymentProvider"]

Reply = tuple[HTTPStatus, dict[str, str]]


@dataclass
class Ledger:
    """What the provider has done, in cents."""

    charges: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Registration → account and amount."""
    refunds: list[tuple[str, int]] = field(default_factory=list)
    """Registration and amount of each."""
    closed_accounts: set[str] = field(default_factory=set)
    """Nothing can be taken from them, and nothing given back."""
    void: set[str] = field(default_factory=set)
    """Registrations that were refunded: nothing more is charged for them."""
    replies: dict[str, Reply] = field(default_factory=dict)
    """By idempotency key."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, registration and key of everything that came in, in order."""

    def carry_out(self, key: str, path: str, wish: dict[str, Any]) -> Reply:
        """Do what is asked, once for each key."""
        self.asked.append((path, wish["registration"], key))
        if key not in self.replies:
            self.replies[key] = self._charge(**wish) if path == "/charges" else self._refund(**wish)
        return self.replies[key]

    def _charge(self, registration: str, account: str, cents: int) -> Reply:
        if account in self.closed_accounts or registration in self.void:
            return _refused("declined", f"nothing can be taken from {account}")
        self.charges[registration] = (account, cents)
        return HTTPStatus.OK, {"charge_id": f"charge-{len(self.charges)}"}

    def _refund(self, registration: str) -> Reply:
        account, cents = self.charges.get(registration, ("", 0))
        if account in self.closed_accounts:
            return _refused("account-closed", f"{account} has no account any more")
        self.void.add(registration)
        if cents:
            self.refunds.append((registration, cents))
        return HTTPStatus.OK, {}


def _refused(code: str, reason: str) -> Reply:
    return HTTPStatus.CONFLICT, {"code": code, "reason": reason}


class PaymentProvider:
    """The provider, open for business while it is used as a context manager.

    `ledger`: what it has done. `before_answering` is called with path and wish when it was carried out and the answer
    is not sent yet.
    """

    def __init__(self, before_answering: Callable[[str, dict[str, Any]], None] | None = None) -> None:
        self.ledger = Ledger()
        self._server = _Server(self.ledger, before_answering)
        self._thread = threading.Thread(target=self._serve, name="provider", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> PaymentProvider:
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
    request_queue_size = 128

    def __init__(
        self, ledger: Ledger, before_answering: Callable[[str, dict[str, Any]], None] | None
    ) -> None:
        self.ledger, self.before_answering = ledger, before_answering
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Clerk)

    def handle_error(self, *_: Any) -> None:
        """A company that is killed hangs up in the middle of a call: that is no error here."""


class _Clerk(BaseHTTPRequestHandler):
    """Takes one wish."""

    server: _Server

    def do_POST(self) -> None:
        """Carry out the wish, and answer."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed in the middle of the question
        wish = json.loads(body)
        with self.server.lock:
            status, reply = self.server.ledger.carry_out(self.headers["Idempotency-Key"], self.path, wish)
        if self.server.before_answering is not None:
            self.server.before_answering(self.path, wish)
        answer = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """It keeps its own books, and writes nothing to the screen."""
