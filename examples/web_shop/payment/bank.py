"""Payment's gateway to the bank, a company that is reached by HTTP.

Its handlers are `async def`: a hundred slow answers are waited for without a hundred threads. It may ask twice for the
same charge: after a lost answer, after a kill. Each time it gives the same idempotency key.
"""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import Any

import httpx

from examples.money import cents
from examples.web_shop.payment.context import Payment
from examples.web_shop.payment.messages import CardCharged, ChargeCard, RefundCharge
from saga import Gateway, Rejected

__all__ = ["Bank"]

TIMEOUT_S = 30.0


class Bank(Gateway, context=Payment):
    """Charges cards and gives money back. It reads card numbers in Payment's file: no command carries one."""

    concurrency = 100

    def __init__(self, url: str) -> None:
        """`url`: where the bank listens."""
        self._url = url
        self._tls = ssl.create_default_context()  # reading the certificates takes longer than a call

    @ChargeCard.handler
    async def charge(self, command: ChargeCard) -> CardCharged:
        cards = [*self.db.query("SELECT * FROM cards WHERE customer_id = ?", [command.customer_id])]
        if not cards:
            raise Rejected("the customer has no card", code="no-valid-card")
        wish = {
            "order": command.order_id,
            "amount_cents": cents(command.amount),
            "card": cards[0]["number"],
            "expires": cards[0]["expires"],
        }
        status, answer = await self._post("/charges", wish)
        if status == HTTPStatus.PAYMENT_REQUIRED:
            raise Rejected(answer["reason"], code=answer["code"])
        return CardCharged(answer["charge_id"])

    @RefundCharge.handler
    async def refund(self, command: RefundCharge) -> None:
        """By the order: that works also when nobody knows whether it came to a charge."""
        await self._post("/refunds", {"order": command.order_id})

    async def _post(self, path: str, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Ask the bank; return status and answer. ConnectionError leaves the outcome unknown."""
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, verify=self._tls) as client:
                response = await client.post(
                    f"{self._url}{path}", json=wish, headers={"Idempotency-Key": self.key}
                )
                answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ConnectionError(f"the bank gave no answer to {path}") from error
        if response.status_code not in (HTTPStatus.OK, HTTPStatus.PAYMENT_REQUIRED):
            raise ConnectionError(f"the bank answered {response.status_code} to {path}")
        return response.status_code, answer
