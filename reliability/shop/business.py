"""The business: contexts with a row for every effect, a gateway, and the sagas.

What happens to an order is in its id: `refused-1` is refused when it is shipped, the charge of `slow-1` takes longer
than the saga waits, `forgotten-1` is never fetched, the customer of `clumsy-1` stumbles at first.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Rejected,
    Retry,
    Saga,
    answer,
    call,
    parallel,
    step,
    task,
    wait,
)

__all__ = ["CONTEXTS", "CONTEXT_NAMES", "MONEY", "PIECES", "SAGAS", "UNDONE_BY", "Cards", "Order", "say"]

PIECES, MONEY = 10_000, 1_000_000
"""What is there at the beginning: pieces on the shelf, cents in the customers' account."""

UNDONE_BY = {"reserve": "release", "pay": "refund"}

SOON = Retry(attempts=4, first=timedelta(milliseconds=1), factor=1, jitter=0)


def say(*words: str) -> None:
    """Tell the world outside, on the standard output, in one write, which not even a kill takes back."""
    os.write(1, f"{' '.join(words)}\n".encode())


# --- messages ---


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer wants, and for how much."""

    id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Reserve(Command[str]):
    """Put one piece aside; answered with its place."""

    order: str


@dataclass(frozen=True, slots=True)
class Release(Command[None]):
    """Put it back."""

    order: str


@dataclass(frozen=True, slots=True)
class Ship(Command[None]):
    """Send it out."""

    order: str


@dataclass(frozen=True, slots=True)
class Pay(Command[int]):
    """Move money into the till; answered with how much."""

    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    """Move it back."""

    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class Charge(Command[str]):
    """Charge the card; answered with the key of the charge."""

    order: str


@dataclass(frozen=True, slots=True)
class Void(Command[None]):
    """Call the charge off, known or not."""

    order: str
    charge: str | None


@dataclass(frozen=True, slots=True)
class Reserved(Event):
    """A piece was put aside."""

    order: Key[str]


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    """A customer has come for it."""

    order: Key[str]
    by: str


@dataclass(frozen=True, slots=True)
class Praised(Event):
    """Somebody has praised the shop."""

    order: Key[str]


# --- contexts ---


def _migrations(name: str, *statements: str) -> Migrations:
    migrations = Migrations(name)

    def make(db: Database) -> None:
        for statement in (*statements, "CREATE TABLE effects (saga TEXT NOT NULL, what TEXT NOT NULL)"):
            db.execute(statement)

    migrations(name=f"make {name}")(make)
    return migrations


class Stock(Context):
    """Reserves and ships one piece for each order."""

    migrations = _migrations(
        "stock",
        "CREATE TABLE shelf (place TEXT PRIMARY KEY, pieces INTEGER NOT NULL)",
        f"INSERT INTO shelf VALUES ('free', {PIECES}), ('reserved', 0), ('shipped', 0)",
    )

    def _move(self, order: str, what: str, here: str, there: str) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?)", [order, what])
        self.db.execute("UPDATE shelf SET pieces = pieces - 1 WHERE place = ?", [here])
        self.db.execute("UPDATE shelf SET pieces = pieces + 1 WHERE place = ?", [there])

    @Reserve.handler
    def reserve(self, command: Reserve) -> str:
        self._move(command.order, "reserve", "free", "reserved")
        self.publish(Reserved(command.order))
        return f"place of {command.order}"

    @Release.handler
    def release(self, command: Release) -> None:
        self._move(command.order, "release", "reserved", "free")

    @Ship.handler
    def ship(self, command: Ship) -> None:
        self._move(command.order, "ship", "reserved", "shipped")
        if "refused" in command.order:
            raise Rejected("nobody is there", code="nobody")


class Bank(Context):
    """Moves money between the customers and the till."""

    migrations = _migrations(
        "bank",
        "CREATE TABLE accounts (owner TEXT PRIMARY KEY, cents INTEGER NOT NULL)",
        f"INSERT INTO accounts VALUES ('customers', {MONEY}), ('till', 0)",
    )

    def _move(self, order: str, what: str, cents: int) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?)", [order, what])
        self.db.execute("UPDATE accounts SET cents = cents - ? WHERE owner = 'customers'", [cents])
        self.db.execute("UPDATE accounts SET cents = cents + ? WHERE owner = 'till'", [cents])

    @Pay.handler
    def pay(self, command: Pay) -> int:
        self._move(command.order, "pay", command.cents)
        return command.cents

    @Refund.handler
    def refund(self, command: Refund) -> None:
        self._move(command.order, "refund", -command.cents)


class Customers(Context):
    """Hear that their goods are ready, and fetch them, unless they forget; the clumsy ones at the third attempt."""

    migrations = _migrations("customers")

    def __init__(self) -> None:
        self.stumbled: dict[str, int] = {}

    @Reserved.listener
    def fetch(self, event: Reserved) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'told')", [event.order])
        if "clumsy" in event.order and self.stumbled.get(event.order, 0) < 2:
            self.stumbled[event.order] = self.stumbled.get(event.order, 0) + 1
            raise ValueError("stumbled on the way")
        if "forgotten" not in event.order:
            self.publish(Fetched(event.order, f"the customer of {event.order}"))

    @Praised.listener
    def blush(self, event: Praised) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'praised')", [event.order])


class Cards(Gateway):
    """Calls the card processor outside, three calls at a time; every call is said aloud."""

    concurrency = 3
    released = threading.Event()
    """Slow ones need not wait any more."""

    @Charge.handler
    def charge(self, command: Charge) -> str:
        if "slow" in command.order:
            self.released.wait()
        say("called", "charge", self.key, command.order)
        return self.key

    @Void.handler
    def void(self, command: Void) -> None:
        say("called", "void", self.key, command.order)


# --- sagas ---


class Fulfil(Saga[Order]):
    """Reserve, pay, charge, ship; with a way back from each."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.id)

    @step()
    def pay(self) -> Pay:
        return Pay(self.input.id, self.input.cents)

    @pay.compensation
    def refund(self) -> Refund:
        return Refund(self.input.id, self.pay)

    @step(retry=SOON)
    def charge(self) -> Charge:
        return Charge(self.input.id)

    @charge.compensation
    def void(self, charge: str | None) -> Void:
        return Void(self.input.id, charge)

    @step()
    def ship(self) -> Ship:
        return Ship(self.input.id)

    @answer
    def place(self) -> str:
        return self.reserve

    flow = (reserve, parallel(pay, charge), ship, place)


class Hurry(Saga[Order]):
    """Reserve and charge, in an hour."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.id)

    @step(retry=SOON, timeout=timedelta(hours=1))
    def charge(self) -> Charge:
        return Charge(self.input.id)

    @charge.compensation
    def void(self, charge: str | None) -> Void:
        return Void(self.input.id, charge)

    @step()
    def ship(self) -> Ship:
        return Ship(self.input.id)

    flow = (reserve, charge, ship)


class Collect(Saga[Order]):
    """Reserve, wait until the customer comes, at most a day, then let him pay and take it."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.id)

    @wait(Fetched, within=timedelta(days=1))
    def fetched(self) -> str:
        return self.input.id

    @step()
    def pay(self) -> Pay:
        return Pay(self.input.id, self.input.cents)

    @pay.compensation
    def refund(self) -> Refund:
        return Refund(self.input.id, self.pay)

    @step()
    def ship(self) -> Ship:
        return Ship(self.input.id)

    flow = (reserve, fetched, pay, ship)


class Parcel(Saga[Order]):
    """Pay, let another saga fetch it, and ship."""

    @step()
    def pay(self) -> Pay:
        return Pay(f"{self.input.id}-fee", 1)

    @pay.compensation
    def refund(self) -> Refund:
        return Refund(f"{self.input.id}-fee", 1)

    @call(Fulfil, answer=str)
    def fulfilled(self) -> Order:
        return self.input

    flow = (pay, fulfilled)


class Ask(Saga[Order]):
    """Reserve, and ship if a person says so."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.id)

    @task(answer=bool)
    def approve(self) -> Order:
        return self.input

    @step()
    def ship(self) -> Ship:
        return Ship(self.input.id)

    flow = (reserve, approve, ship)


class Nightly(Saga[Order]):
    """Reserve and ship under its own id; it is started again and again."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.id)

    @step()
    def ship(self) -> Ship:
        return Ship(self.id)

    flow = (reserve, ship)


CONTEXTS: list[Any] = [Stock, Bank, Customers, Cards]
CONTEXT_NAMES = ("stock", "bank", "customers")
"""Those with a file, in the order in which events travel."""

SAGAS: list[type[Saga[Any]]] = [Fulfil, Hurry, Collect, Parcel, Ask, Nightly]
