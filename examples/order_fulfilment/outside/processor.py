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
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

from examples.company import Company, Reply
from examples.order_fulfilment.outside import fate

__all__ = ["Processor"]

THINKING_S = 0.02
"""How long the processor takes, in real seconds: long enough for a kill to come in between."""


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


class Processor(Company):
    """The processor. See `Company`."""

    def __init__(self, ledger_file: Path) -> None:
        super().__init__()
        self._ledger = Ledger(ledger_file)

    def answer(self, key: str, path: str, wish: dict[str, Any]) -> Reply | None:
        """See `Company`."""
        reply, is_new = self._ledger.carry_out(key, path, wish)
        time.sleep(THINKING_S)
        return None if is_new and fate.answer_gets_lost(key) else reply

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._ledger.close()
