"""Plays the tour. Each request is printed with its answer, and each answer is checked."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from examples.terminal import heading, paragraph
from examples.web_shop.outside.bank_company import BankCompany
from examples.web_shop.tour.server import Server

__all__ = ["TourFailed", "play"]

PATIENCE_S = 30.0
"""Nothing here takes a second; whoever waits so long waits for what does not come."""

GOOD = {"number": "4000000000000001", "expires": "2099-12"}
EXPIRED = {"number": "4000000000000019", "expires": "2020-01"}

SHOWN = ("location", "retry-after")
"""Headers that are printed."""


class TourFailed(Exception):
    """An answer is not what it must be."""


def play(store: Path) -> None:
    """Play all of it on a new store. Raises TourFailed."""
    with BankCompany() as bank, Server(store, bank.url) as server:
        with httpx.Client() as client:
            browser = Browser(server, client)
            play_at_once(browser)
            play_expired_card(browser)
            play_too_late(browser)
            play_killed(browser, server, bank)
        print(heading("The server is told to end, with SIGTERM"))
        code = server.stop()
        if code not in (0, -signal.SIGTERM):
            raise TourFailed(f"it ended with code {code}")
        print(paragraph("It has answered what was asked, closed its store, and then ended by that signal."))


class Browser:
    """A client that prints what it says and what it hears."""

    def __init__(self, server: Server, client: httpx.Client) -> None:
        self._server, self._client = server, client

    def ask(
        self,
        method: str,
        path: str,
        expect: int,
        *,
        json: Any = None,
        key: str | None = None,
        until: str = "completed",
    ) -> httpx.Response:
        """Send a request, print it with its answer, and return that. Raises TourFailed for another status.

        Where 200 is expected, a busy machine may answer 202: then the order is followed `until` it stands so.
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        response = self._client.request(
            method, f"{self._server.url}{path}", json=json, headers=headers, timeout=PATIENCE_S
        )
        self._tell(method, path, json, headers, response)
        if (expect, response.status_code) == (200, 202):
            self.follow(response.headers["location"], until)
        elif response.status_code != expect:
            raise TourFailed(f"{method} {path}: {response.status_code} instead of {expect}")
        return response

    def follow(self, path: str, until: str) -> None:
        """Look again until an order stands so; print the last answer. Raises TourFailed when it does not come."""
        give_up_at = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up_at:
            response = self._client.get(f"{self._server.url}{path}", timeout=PATIENCE_S)
            if response.json()["status"] == until:
                self._tell("GET", path, None, {}, response)
                return
            time.sleep(0.05)
        raise TourFailed(f"{path}: {response.json()} instead of {until!r}")

    @staticmethod
    def _tell(
        method: str, path: str, body: Any, headers: Mapping[str, str], response: httpx.Response
    ) -> None:
        print()
        print(paragraph(f"> {method} {path}", "", "    "))
        for name, value in headers.items():
            print(paragraph(f"{name}: {value}", "    "))
        if body is not None:
            print(paragraph(json.dumps(body), "    "))
        took_ms = response.elapsed.total_seconds() * 1000
        print(f"< {response.status_code} {response.reason_phrase}, {took_ms:.0f} ms")
        for name in SHOWN:
            if name in response.headers:
                print(paragraph(f"{name.title()}: {response.headers[name]}", "    "))
        if response.content:
            told = {name: value for name, value in response.json().items() if value is not None}
            print(paragraph(json.dumps(told), "    "))


def order(customer: str, product: str, quantity: int) -> dict[str, Any]:
    """Return the body of an order."""
    return {"customer_id": customer, "lines": [{"product": product, "quantity": quantity}]}


def play_at_once(browser: Browser) -> None:
    """An order that is over within half a second; placed twice; and the key used again."""
    print(heading("1. An order that is done at once"))
    print(
        paragraph(
            "Within half a second the goods are reserved, the card is charged, the parcel is sent: 200. "
            "(On a busy machine it may be 202, and a look later.)"
        )
    )
    browser.ask("PUT", "/customers/ada/card", 204, json=GOOD)
    first = browser.ask("POST", "/orders", 200, json=order("ada", "tea", 2), key="a-1")
    print()
    print(
        paragraph(
            "The same request again, since its answer was lost: the same order. Another body: a conflict."
        )
    )
    again = browser.ask("POST", "/orders", 200, json=order("ada", "tea", 2), key="a-1")
    if again.json()["order_id"] != first.json()["order_id"]:
        raise TourFailed("the same request made another order")
    browser.ask("POST", "/orders", 409, json=order("ada", "tea", 3), key="a-1")


def play_expired_card(browser: Browser) -> None:
    """An order that waits for another card, for two weeks at most."""
    print(heading("2. A card that has expired"))
    print(paragraph("After half a second the answer is 202 and where to look. The order waits, for 14 days."))
    browser.ask("PUT", "/customers/ben/card", 204, json=EXPIRED)
    placed = browser.ask("POST", "/orders", 202, json=order("ben", "coffee", 1), key="b-1")
    browser.follow(placed.headers["location"], "waiting for a new card")
    browser.ask("PUT", "/customers/ben/card", 204, json=GOOD)
    browser.follow(placed.headers["location"], "completed")


def play_too_late(browser: Browser) -> None:
    """An order that is cancelled in time, and one that is not."""
    print(heading("3. Cancelled, and too late to be"))
    print(
        paragraph("An order that waits is undone: its goods can be sold to others. One that was sent is not.")
    )
    browser.ask("PUT", "/customers/cleo/card", 204, json=EXPIRED)
    waiting = browser.ask("POST", "/orders", 202, json=order("cleo", "teapot", 1), key="c-1")
    browser.ask("POST", f"{waiting.headers['location']}/cancellation", 200, until="cancelled")
    sent = browser.ask("POST", "/orders", 200, json=order("ada", "tea", 1), key="a-2")
    browser.ask("POST", f"{sent.headers['location']}/cancellation", 409)


def play_killed(browser: Browser, server: Server, bank: BankCompany) -> None:
    """An order whose server dies while the bank thinks."""
    print(heading("4. kill -9 in the middle of an order"))
    print(paragraph("The bank has charged the card and takes its time to say so. The order is on disk: 202."))
    bank.slow()
    placed = browser.ask("POST", "/orders", 202, json=order("ada", "coffee", 2), key="a-3")
    server.kill()
    bank.fast()
    began = time.monotonic()
    server.start()
    took_ms = (time.monotonic() - began) * 1000
    print(f"\n! kill -9, and a new process: it listens after {took_ms:.0f} ms")
    browser.follow(placed.headers["location"], "completed")
    order_id = placed.json()["order_id"]
    asked = bank.ledger.asked.count(("/charges", order_id))
    charged = [amount for charged_id, amount in bank.ledger.charges if charged_id == order_id]
    print(f"\nThe bank was asked {asked} times and has charged {charged[0] / 100:.2f}, once.")
    if (asked, len(charged)) != (2, 1):
        raise TourFailed(f"asked {asked} times, charged {len(charged)} times, instead of 2 and 1")
