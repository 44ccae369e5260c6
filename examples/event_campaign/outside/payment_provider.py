"""The payment provider: a company of its own, reached by HTTP, with its own ledger.

It does not live in the company's process, so no kill of that one touches it. What it is asked twice with the same
idempotency key it does once, and answers twice. With another key it does it again: it counts, and is no safety net.

    POST /charges   {"registration", "account", "cents"}   200 {"charge_id"}, 409 {"code", "reason"}
    POST /refunds   {"registration"}                       200 {}, 409 {"code", "reason"}
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from examples.company import Company, Reply

__all__ = ["Ledger", "PaymentProvider"]


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


class PaymentProvider(Company):
    """The provider. See `Company`.

    `ledger`: what it has done. `before_answering` is called with path and wish when it was carried out and the answer
    is not sent yet.
    """

    def __init__(
        self, before_answering: Callable[[str, dict[str, Any]], None] = lambda path, wish: None
    ) -> None:
        super().__init__()
        self.ledger = Ledger()
        self._before_answering = before_answering
        self._lock = threading.Lock()

    def answer(self, key: str, path: str, wish: dict[str, Any]) -> Reply:
        """See `Company`."""
        with self._lock:
            reply = self.ledger.carry_out(key, path, wish)
        self._before_answering(path, wish)
        return reply
