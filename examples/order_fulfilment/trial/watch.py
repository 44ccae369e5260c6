"""How far the shop has come, seen from outside: what is on disk, read beside the running worker."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import NamedTuple

from examples.order_fulfilment.trial.folder import Folder, reading

__all__ = ["Progress", "Watch"]


class Progress(NamedTuple):
    """How far it is."""

    placed: int = 0
    """Orders that were placed, whatever the answer."""
    refused: int = 0
    """Orders that Checkout has refused."""
    under_way: int = 0
    """Sagas of orders that go on by themselves."""
    settled: int = 0
    """Orders that are over: refused by Checkout, or a saga has ended, or it or one it called needs a person."""
    told: int = 0
    """Letters about the end of an order that were written."""
    rows: int = 0
    """Rows of the journal."""
    shop_time: datetime | None = None


class Watch:
    """Watches the store of a trial. What cannot be read at the moment is as it was."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._last = Progress()

    def rows(self) -> int:
        """Return how many rows the journal has."""
        try:
            with reading(self._folder.shop / "saga.db") as db:
                rows = int(db.execute("SELECT coalesce(max(no), 0) FROM journal").fetchone()[0])
        except sqlite3.OperationalError:  # not there yet, or being recovered
            rows = self._last.rows
        return rows

    def progress(self) -> Progress:
        """Return how far it is."""
        try:
            with reading(self._folder.context("checkout")) as db:
                answers = dict(db.execute("SELECT answer, count(*) FROM orders GROUP BY answer"))
            with reading(self._folder.shop / "saga.db") as db:
                sagas = db.execute(
                    "SELECT name = 'FulfilOrder', status, count(*) FROM sagas_overview GROUP BY 1, 2"
                )
                statuses = {(bool(of_order), status): count for of_order, status, count in sagas}
                (high_ms,) = db.execute("SELECT high_ms FROM store").fetchone()
            with reading(self._folder.context("notification")) as db:
                (told,) = db.execute("SELECT count(*) FROM letters WHERE about NOT LIKE 'card %'").fetchone()
        except sqlite3.OperationalError:
            return self._last
        refused = answers.get("sold-out", 0)
        of_orders = sum(count for (of_order, _), count in statuses.items() if of_order)
        go_on = statuses.get((True, "RUNNING"), 0) + statuses.get((True, "COMPENSATING"), 0)
        under_way = go_on - statuses.get((False, "PARKED"), 0)  # an order waits as long as whom it has called
        self._last = Progress(
            placed=sum(answers.values()),
            refused=refused,
            under_way=under_way,
            settled=refused + of_orders - under_way,
            told=told,
            rows=self.rows(),
            shop_time=datetime.fromtimestamp(high_ms / 1000, UTC),
        )
        return self._last

    def everybody_has_heard(self) -> bool:
        """Return whether no event is under way any more, as far as can be seen from what it would change."""
        try:
            with reading(self._folder.context("inventory")) as db:
                stock = dict(db.execute("SELECT product_id, on_hand FROM stock"))
                (expected,) = db.execute(
                    "SELECT count(*) FROM reservations WHERE state NOT IN ('gone', 'released')"
                ).fetchone()
            with reading(self._folder.context("checkout")) as db:
                copy = dict(db.execute("SELECT product_id, on_hand FROM shelf"))
        except sqlite3.OperationalError:
            return False
        last = self._last
        return not expected and stock == copy and last.told == last.placed - last.refused
