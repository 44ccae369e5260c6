"""The gateway to the airline, a company that is reached by HTTP.

It may ask twice for the same ticket: after a lost answer, after a kill. Each time it gives the same idempotency
key, so that the airline books once.
"""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from examples.trip_booking.flights.messages import BookFlight, CancelFlight, FlightBooking
from saga import Gateway, Rejected

__all__ = ["Airline"]

TIMEOUT_S = 10.0


class Airline(Gateway):
    """Books flights, and cancels them."""

    concurrency = 4

    def __init__(self, url: str) -> None:
        """`url`: where the airline listens."""
        self._address = urlsplit(url).netloc

    @BookFlight.handler
    def book(self, command: BookFlight) -> FlightBooking:
        wish = {"trip": command.trip_id, "name": command.traveller, "to": command.city}
        status, answer = self._post("/tickets", wish)
        if status == http.HTTPStatus.CONFLICT:
            raise Rejected(answer["reason"], code="no-seat")
        return FlightBooking(answer["ticket"])

    @CancelFlight.handler
    def cancel(self, command: CancelFlight) -> None:
        """By the trip: that works also when nobody knows whether there is a ticket."""
        self._post("/cancellations", {"trip": command.trip_id})

    def _post(self, path: str, wish: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Ask the airline; return status and answer. ConnectionError leaves the outcome unknown."""
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT_S)
        headers = {"Content-Type": "application/json", "Idempotency-Key": self.key}
        try:
            connection.request("POST", path, json.dumps(wish), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ConnectionError(f"the airline gave no answer to {path}") from error
        finally:
            connection.close()
        if response.status not in (http.HTTPStatus.OK, http.HTTPStatus.CONFLICT):
            raise ConnectionError(f"the airline answered {response.status} to {path}")
        return response.status, answer
