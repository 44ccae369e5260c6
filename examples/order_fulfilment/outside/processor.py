"""The card processor: a company of its own, reached by HTTP, with its own ledger.

It lives in the process that supervises the shop, so that no kill of the shop touches it. What the shop asks
twice with the same idempotency key it does once, and answers twice. Now and then a line breaks before its
answer is through.

    POST /charges   {"reference", "amount_cents", "card"}   200 {"charge_id"}, 402 {"code", "reason"}, 410 {"reason"}
    POST /refunds   {"reference"}                           200 {"returned_cents"}
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from examples.order_fulfilment.outside import fate

__all__ = ["Processor"]

THINKING_S = 0.02
"""How long the processor takes, in real seconds: long enough for a kill to come in between."""

Reply = tuple[HTTPStatus, dict[str, Any]]


class Ledger:
    """What the processor has done. Of a card it keeps the last four digits."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._db.executescript("""
            PRAGMA synchronous = OFF;
            CREATE TABLE orders (key TEXT PRIMARY KEY, status INTEGER, reply TEXT, asked INTEGER);
            CREATE TABLE closed (reference TEXT PRIMARY KEY);
            CREATE TABLE entries (
                no INTEGER PRIMARY KEY, reference TEXT, kind TEXT, amount_cents INTEGER, card_ends_in TEXT);
        """)

    def carry_out(self, key: str, path: str, order: dict[str, Any]) -> tuple[Reply, bool]:
        """Carry out an order, once for each key; return the reply, and whether the order was new."""
        with self._lock:
            known = self._db.execute("SELECT status, reply FROM orders WHERE key = ?", [key]).fetchone()
            if known:
                self._db.execute("UPDATE orders SET asked = asked + 1 WHERE key = ?", [key])
                return (HTTPStatus(known[0]), json.loads(known[1])), False
            with self._db:
                self._db.execute("BEGIN")
                status, reply = self._charge(order) if path == "/charges" else self._refund(order)
                self._db.execute("INSERT INTO orders VALUES (?, ?, ?, 1)", [key, status, json.dumps(reply)])
            return (status, reply), True

    def _charge(self, order: dict[str, Any]) -> Reply:
        reference = order["reference"]
        if self._db.execute("SELECT 1 FROM closed WHERE reference = ?", [reference]).fetchone():
            return HTTPStatus.GONE, {"reason": f"{reference} is closed"}
        if fate.card_is_expired(order["card"]):
            return HTTPStatus.PAYMENT_REQUIRED, {"code": "card-expired", "reason": "the card has expired"}
        if fate.card_is_declined(order["card"]):
            return HTTPStatus.PAYMENT_REQUIRED, {"code": "card-declined", "reason": "the card was declined"}
        return HTTPStatus.OK, {
            "charge_id": self._enter(reference, "charge", order["amount_cents"], order["card"][-4:])
        }

    def _refund(self, order: dict[str, Any]) -> Reply:
        """Give back all that was charged for the reference, and let nothing be charged for it from now on."""
        reference = order["reference"]
        self._db.execute("INSERT OR IGNORE INTO closed VALUES (?)", [reference])
        charged, card = self._db.execute(
            "SELECT coalesce(sum(iif(kind = 'charge', amount_cents, -amount_cents)), 0), max(card_ends_in)"
            " FROM entries WHERE reference = ?",
            [reference],
        ).fetchone()
        if charged:
            self._enter(reference, "refund", charged, card)
        return HTTPStatus.OK, {"returned_cents": charged}

    def _enter(self, reference: str, kind: str, amount_cents: int, card_ends_in: str) -> str:
        entry = self._db.execute(
            "INSERT INTO entries (reference, kind, amount_cents, card_ends_in) VALUES (?, ?, ?, ?)",
            [reference, kind, amount_cents, card_ends_in],
        )
        return f"{kind}-{entry.lastrowid}"

    def close(self) -> None:
        """Close the ledger's file."""
        with self._lock:
            self._db.close()


class Processor:
    """The processor, open for business while it is used as a context manager."""

    def __init__(self, ledger_file: Path) -> None:
        self._ledger = Ledger(ledger_file)
        self._server = _Server(self._ledger)
        self._thread = threading.Thread(target=self._server.serve_forever, name="processor", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Processor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._ledger.close()


class _Server(ThreadingHTTPServer):
    """Listens on a free port of this machine."""

    daemon_threads = True

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        super().__init__(("127.0.0.1", 0), _Counter)

    def handle_error(self, *_: object) -> None:
        """A shop that is killed hangs up in the middle of a call: that is no error here."""
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


class _Counter(BaseHTTPRequestHandler):
    """Takes one order."""

    server: _Server

    def do_POST(self) -> None:
        """Carry out the order; answer, unless the line breaks."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # whoever asked was killed in the middle of the question
        key = self.headers["Idempotency-Key"]
        (status, reply), is_new = self.server.ledger.carry_out(key, self.path, json.loads(body))
        time.sleep(THINKING_S)
        if is_new and fate.answer_gets_lost(key):
            return
        answer = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """It keeps its own books, and writes nothing to the screen."""
