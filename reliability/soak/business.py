"""The business of the soak: every kind of saga at the same time, with books that can be checked.

What happens to an order is drawn from its id, so that it is the same in every life of the process. Every effect is a
row of its context, under the id of the saga that it was done for; the card processor outside has a log of its calls.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

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
    each,
    items,
    parallel,
    publish,
    step,
    wait,
)

__all__ = ["CONTEXTS", "KINDS", "MONEY", "PIECES", "SAGAS", "Announced", "Order", "drawn", "processor"]

PIECES, MONEY = 10_000_000, 10_000_000
"""What is there at the beginning: pieces in stock, cents of the customers."""

CENTS = 7
SOON = Retry(attempts=8, first=timedelta(seconds=1), factor=1, jitter=0.5)
"""On a clock that runs sixty times as fast."""


def drawn(id: str, what: str, percent: int) -> bool:
    """Whether something happens to this order, in so many of a hundred cases."""
    return crc32(f"{what} {id}".encode()) % 100 < percent


# --- messages ---


@dataclass(frozen=True, slots=True)
class Order:
    """The input of every saga."""

    id: str


@dataclass(frozen=True, slots=True)
class Reserve(Command[None]):
    """Take a piece from the shelf."""

    saga: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class Release(Command[None]):
    """Put it back."""

    saga: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class Ship(Command[None]):
    """Send it away."""

    saga: str
    order: str


@dataclass(frozen=True, slots=True)
class Pay(Command[int]):
    """Take the customer's money."""

    saga: str


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    """Give it back."""

    saga: str


@dataclass(frozen=True, slots=True)
class Collect(Command[int]):
    """The same, answered by a saga of the bank."""

    saga: str


@dataclass(frozen=True, slots=True)
class Charge(Command[str]):
    """Charge a card, outside."""

    saga: str
    order: str


@dataclass(frozen=True, slots=True)
class Void(Command[None]):
    """Call that off, known or not."""

    saga: str


@dataclass(frozen=True, slots=True)
class Wire(Command[str]):
    """The same by another processor, in an event loop."""

    saga: str
    order: str


@dataclass(frozen=True, slots=True)
class Thank(Command[None]):
    """Write a letter."""

    saga: str


@dataclass(frozen=True, slots=True)
class Reserved(Event):
    """Goods lie there for somebody."""

    saga: Key[str]
    order: str


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    """Somebody has come for them."""

    saga: Key[str]


@dataclass(frozen=True, slots=True)
class Shipped(Event):
    """An order has left."""

    saga: Key[str]


@dataclass(frozen=True, slots=True)
class Announced(Event):
    """Published by the application."""

    id: Key[str]


# --- contexts ---


def _migrations(name: str, *statements: str) -> Migrations:
    migrations = Migrations(name)

    def make(db: Database) -> None:
        for statement in statements:
            db.execute(statement)

    migrations(name=f"make {name}")(make)
    return migrations


_EFFECTS = "CREATE TABLE effects (saga TEXT NOT NULL, what TEXT NOT NULL)"


class Stock(Context):
    """Keeps the shelf."""

    migrations = _migrations(
        "stock",
        _EFFECTS,
        "CREATE TABLE shelf (place TEXT PRIMARY KEY, pieces INTEGER NOT NULL)",
        f"INSERT INTO shelf VALUES ('free', {PIECES}), ('reserved', 0), ('shipped', 0)",
    )

    def _move(self, saga: str, what: str, here: str, there: str) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?)", [saga, what])
        self.db.execute("UPDATE shelf SET pieces = pieces - 1 WHERE place = ?", [here])
        self.db.execute("UPDATE shelf SET pieces = pieces + 1 WHERE place = ?", [there])

    @Reserve.handler
    def reserve(self, command: Reserve) -> None:
        self._move(command.saga, f"reserve{command.item}", "free", "reserved")
        if not command.item:
            self.publish(Reserved(command.saga, command.saga))

    @Release.handler
    def release(self, command: Release) -> None:
        self._move(command.saga, f"release{command.item}", "reserved", "free")

    @Ship.handler
    def ship(self, command: Ship) -> None:
        self._move(command.saga, "ship", "reserved", "shipped")
        self.publish(Shipped(command.saga))
        if drawn(command.order, "refused", 20):
            raise Rejected("nobody is there", code="nobody")


class Bank(Context):
    """Keeps the accounts."""

    migrations = _migrations(
        "bank",
        _EFFECTS,
        "CREATE TABLE accounts (owner TEXT PRIMARY KEY, cents INTEGER NOT NULL)",
        f"INSERT INTO accounts VALUES ('customers', {MONEY}), ('till', 0)",
    )

    def _move(self, saga: str, what: str, cents: int) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?)", [saga, what])
        self.db.execute("UPDATE accounts SET cents = cents - ? WHERE owner = 'customers'", [cents])
        self.db.execute("UPDATE accounts SET cents = cents + ? WHERE owner = 'till'", [cents])

    @Pay.handler
    def pay(self, command: Pay) -> int:
        self._move(command.saga, "pay", CENTS)
        return CENTS

    @Refund.handler
    def refund(self, command: Refund) -> None:
        self._move(command.saga, "refund", -CENTS)


class Customers(Context):
    """Hear that their goods are there, and mostly come."""

    migrations = _migrations("customers", _EFFECTS)

    @Reserved.listener
    def fetch(self, event: Reserved) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'told')", [event.saga])
        if not drawn(event.order, "forgotten", 15):
            self.publish(Fetched(event.saga))


class Post(Context):
    """Hears of all that leaves, and of what is announced."""

    migrations = _migrations("post", _EFFECTS)

    @Shipped.listener
    def note(self, event: Shipped) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'shipped')", [event.saga])

    @Announced.listener
    def read(self, event: Announced) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'announced')", [event.id])

    @Thank.handler
    def thank(self, command: Thank) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, 'thank')", [command.saga])


# --- outside ---


class Processor:
    """The card processor: knows every call by its key, and outlives us."""

    path = Path()

    def note(self, *words: str) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{' '.join(words)}\n".encode())
        os.close(file)


processor = Processor()


class Cards(Gateway):
    """Charges cards, several at a time; sometimes slowly, sometimes the answer is lost."""

    concurrency = 6

    @Charge.handler
    def charge(self, command: Charge) -> str:
        if drawn(command.order, "slow", 5):
            time.sleep(0.8)
        processor.note("charge", self.key, command.saga)
        if drawn(f"{command.order} {time.monotonic_ns()}", "lost", 10):
            raise ConnectionError("charged, but the answer is lost")
        return self.key

    @Void.handler
    def void(self, command: Void) -> None:
        processor.note("void", self.key, command.saga)


class Wires(Gateway):
    """The same in an event loop."""

    concurrency = 20

    @Wire.handler
    async def wire(self, command: Wire) -> str:
        await asyncio.sleep(0.8 if drawn(command.order, "slow", 5) else 0.002)
        processor.note("charge", self.key, command.saga)
        return self.key


# --- sagas ---


class Fulfil(Saga[Order]):
    """Reserve, pay, charge, ship; with a way back from each."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.id)

    @step()
    def pay(self) -> Pay:
        return Pay(self.id)

    @pay.compensation
    def refund(self) -> Refund:
        return Refund(self.id)

    @step(retry=SOON)
    def charge(self) -> Charge:
        return Charge(self.id, self.input.id)

    @charge.compensation
    def void(self, charge: str | None) -> Void:
        return Void(self.id)

    @step()
    def ship(self) -> Ship:
        return Ship(self.id, self.input.id)

    @answer
    def done(self) -> str:
        return self.charge

    flow = (reserve, pay, charge, ship, done)


class Hurry(Saga[Order]):
    """Has a time limit on the charge, which is half a second."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.id)

    @step(retry=SOON, timeout=timedelta(seconds=30))
    def charge(self) -> Wire:
        return Wire(self.id, self.input.id)

    @charge.compensation
    def void(self, charge: str | None) -> Void:
        return Void(self.id)

    @step()
    def ship(self) -> Ship:
        return Ship(self.id, self.input.id)

    flow = (reserve, charge, ship)


class Await(Saga[Order]):
    """Reserve, wait until the customer comes, let him pay, ship."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.id)

    @wait(Fetched, within=timedelta(minutes=3))
    def fetched(self) -> str:
        return self.id

    @step()
    def collect(self) -> Collect:
        return Collect(self.id)

    @collect.compensation
    def refund(self) -> Refund:
        return Refund(self.id)

    @step()
    def ship(self) -> Ship:
        return Ship(self.id, self.input.id)

    flow = (reserve, fetched, collect, ship)


class Together(Saga[Order]):
    """Reserve, pay and charge at the same time."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.id)

    @step()
    def pay(self) -> Pay:
        return Pay(self.id)

    @pay.compensation
    def refund(self) -> Refund:
        return Refund(self.id)

    @step(retry=SOON)
    def charge(self) -> Charge:
        return Charge(self.id, self.input.id)

    @charge.compensation
    def void(self, charge: str | None) -> Void:
        return Void(self.id)

    @step()
    def ship(self) -> Ship:
        return Ship(self.id, self.input.id)

    flow = (parallel(reserve, pay, charge), ship)


class Whole(Saga[Order]):
    """Has a part of it done by another saga."""

    @call(Fulfil, answer=str)
    def part(self) -> Order:
        return Order(self.input.id)

    @step()
    def thank(self) -> Thank:
        return Thank(self.id)

    flow = (part, thank)


class Several(Saga[Order]):
    """The same for three things, two at a time; then shipped in one."""

    @items
    def things(self) -> list[str]:
        return ["-a", "-b", "-c"]

    @step()
    def reserve(self, item: str) -> Reserve:
        return Reserve(self.id, item)

    @reserve.compensation
    def release(self, item: str) -> Release:
        return Release(self.id, item)

    @step()
    def ship(self) -> Ship:
        return Ship(self.id, self.input.id)

    @publish
    def announce(self) -> Announced:
        return Announced(self.id)

    flow = (each(things, reserve, concurrency=2), ship, announce)


class Collecting(Saga[Collect], context=Bank):
    """The bank answers a command with a saga of its own."""

    @step()
    def pay(self) -> Pay:
        return Pay(self.input.saga)

    @pay.compensation
    def refund(self) -> Refund:
        return Refund(self.input.saga)

    @answer
    def cents(self) -> int:
        return self.pay

    flow = (pay, cents)


class Thanks(Saga[Shipped], started_by_event=True):
    """Is started by each shipment."""

    @step()
    def thank(self) -> Thank:
        return Thank(self.input.saga + "/thanks")

    flow = thank


CONTEXTS: list[Any] = [Stock, Bank, Customers, Post, Cards, Wires]
KINDS: list[type[Saga[Order]]] = [Fulfil, Hurry, Await, Together, Whole, Several]
"""What the application starts."""
SAGAS: list[Any] = [*KINDS, Collecting, Thanks]
