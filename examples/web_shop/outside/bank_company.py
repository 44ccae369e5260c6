"""The bank: a company of its own, reached by HTTP, with its own ledger.

It does not live in the shop's process, so no kill of the shop touches it. What it is asked twice with the same
idempotency key it does once, and answers twice.

    POST /charges   {"order", "amount_cents", "card", "expires"}   200 {"charge_id"}, 402 {"code", "reason"}
    POST /refunds   {"order"}                                      200 {}
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from examples.company import Company, Reply

__all__ = ["BankCompany", "Ledger"]

DECLINED = "0002"
"""Cards whose number ends in this are declined."""


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


class BankCompany(Company):
    """The bank. See `Company`.

    `ledger`: what it has done. While it is slow (`slow()`), it carries out what it is asked and keeps its answers
    to itself until `fast()`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self._answering = threading.Event()
        self._answering.set()
        self._lock = threading.Condition()

    def slow(self) -> None:
        """Answer nobody from now on."""
        self._answering.clear()

    def fast(self) -> None:
        """Answer everybody who waits, and at once from now on."""
        self._answering.set()

    def answer(self, key: str, path: str, wish: dict[str, Any]) -> Reply:
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

    def __exit__(self, *_: object) -> None:
        self.fast()
        super().__exit__()
