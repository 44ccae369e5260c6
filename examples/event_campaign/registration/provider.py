"""Registration's gateway to the payment provider, a company that is reached by HTTP.

It may ask twice for the same thing: after a lost answer, after a kill. Each time it gives the same idempotency key, so
that the provider takes, or gives back, once.
"""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from examples.event_campaign.registration.context import Registration
from examples.event_campaign.registration.messages import Charge, Charged, PayBack
from examples.money import cents
from saga import Gateway, Rejected

__all__ = ["Provider"]

TIMEOUT_S = 10.0


class Provider(Gateway, context=Registration):
    """Takes money, and gives it back."""

    concurrency = 8

    def __init__(self, url: str) -> None:
        """`url`: where the provider listens."""
        self._address = urlsplit(url).netloc

    @Charge.handler
    def charge(self, command: Charge) -> Charged:
        wish = {
            "registration": command.registration_id,
            "account": command.account,
            "cents": cents(command.amount),
        }
        return Charged(self._post("/charges", wish)["charge_id"])

    @PayBack.handler
    def pay_back(self, command: PayBack) -> None:
        """By the registration: that works also when nobody knows whether it came to a charge."""
        self._post("/refunds", {"registration": command.registration_id})

    def _post(self, path: str, wish: dict[str, Any]) -> dict[str, str]:
        """Ask the provider; return its answer. Raises Rejected, or ConnectionError, which leaves the outcome open."""
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Idempotency-Key": self.key}
        try:
            connection.request("POST", path, json.dumps(wish), headers)
            response = connection.getresponse()
            answer: dict[str, str] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionError(f"the provider gave no answer to {path}") from error
        finally:
            connection.close()
        if response.status == http.HTTPStatus.CONFLICT:
            raise Rejected(answer["reason"], code=answer["code"])
        if response.status != http.HTTPStatus.OK:
            raise ConnectionError(f"the provider answered {response.status} to {path}")
        return answer
