"""Payment's gateway to the card processor, a company that is reached by HTTP.

It may be asked twice for the same charge: after a lost answer, after a kill. Each time it gives the same
idempotency key, so that the processor charges once.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from examples.money import cents
from examples.order_fulfilment.payment.context import Payment
from examples.order_fulfilment.payment.inner_messages import CardCharged, ChargeCard, RefundCharge
from saga import Gateway, Rejected

__all__ = ["CardProcessor"]

TIMEOUT_S = 10.0


class CardProcessor(Gateway, context=Payment):
    """Charges cards and gives money back. It reads card numbers in Payment's file: no command carries one."""

    concurrency = 8

    def __init__(self, url: str) -> None:
        """`url`: where the processor listens."""
        self._address = urlsplit(url).netloc

    @ChargeCard.handler
    def charge(self, command: ChargeCard) -> CardCharged:
        order = {
            "reference": command.payment_id,
            "amount_cents": cents(command.amount),
            "card": self._card(command.payment_id),
        }
        status, answer = self._post("/charges", order)
        if status == http.HTTPStatus.PAYMENT_REQUIRED:
            raise Rejected(answer["reason"], code=answer["code"])  # card-declined or card-expired
        return CardCharged(answer["charge_id"])

    @RefundCharge.handler
    def refund(self, command: RefundCharge) -> None:
        """By the reference: that works also when nobody knows whether it came to a charge."""
        self._post("/refunds", {"reference": command.payment_id})

    def _card(self, payment_id: str) -> str:
        """Return the number of the card that is to be charged. Rejected when the customer has none."""
        for card in self.db.query(
            "SELECT number FROM cards JOIN payments USING (customer_id) WHERE payment_id = ?", [payment_id]
        ):
            return str(card["number"])
        raise Rejected("the customer has no card", code="no-card")

    def _post(self, path: str, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Send an order; return status and answer. Whatever raises leaves the outcome unknown."""
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Idempotency-Key": self.key}
        try:
            connection.request("POST", path, json.dumps(order), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status not in (http.HTTPStatus.OK, http.HTTPStatus.PAYMENT_REQUIRED):
            raise ConnectionError(f"the card processor answered {response.status} to {path}")
        return response.status, answer
