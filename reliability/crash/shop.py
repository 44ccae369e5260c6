"""A shop whose books can be checked to the cent: contexts, a gateway, and the sagas that the crash tests run.

What happens to an order is in its id: `refused-1` is refused when it is shipped, `shaky-1` is charged with
two broken answers before the good one, the charge of `slow-1` waits for a sign, `forgotten-1` is never
fetched, the customer of `clumsy-1` stumbles at first. Every effect leaves a row in its context's own table; the
processor outside has a log of its calls.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import Command, Context, Event, Gateway, Key, Rejected, Retry, Saga, parallel, step, wait

PIECES, MONEY = 1_000, 100_000
"""What is there at the beginning: pieces in stock, cents in the customers' account."""

SOON = Retry(attempts=4, first=timedelta(milliseconds=1), factor=1, jitter=0)


# --- messages ---


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    cents: int


@dataclass(frozen=True, slots=True)
class Reserve(Command[None]):
    order: str


@dataclass(frozen=True, slots=True)
class Release(Command[None]):
    order: str


@dataclass(frozen=True, slots=True)
class Ship(Command[None]):
    order: str


@dataclass(frozen=True, slots=True)
class TakeBack(Command[None]):
    """Of what was shipped although it was called off: it was under way already."""

    order: str


@dataclass(frozen=True, slots=True)
class Pay(Command[int]):
    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    order: str
    cents: int


@dataclass(frozen=True, slots=True)
class Charge(Command[str]):
    order: str


@dataclass(frozen=True, slots=True)
class Void(Command[None]):
    order: str
    charge: str | None


@dataclass(frozen=True, slots=True)
class Reserved(Event):
    order: Key[str]


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    order: Key[str]


# --- contexts ---


def _migrations(name: str, *statements: str) -> Migrations:
    migrations = Migrations(name)

    def make(db: Database) -> None:
        for statement in statements:
            db.execute(statement)

    migrations(name=f"make {name}")(make)
    return migrations


class Stock(Context):
    """Reserves and ships one piece for each order."""

    migrations = _migrations(
        "stock",
        "CREATE TABLE shelf (place TEXT PRIMARY KEY, pieces INTEGER NOT NULL)",
        f"INSERT INTO shelf VALUES ('free', {PIECES}), ('reserved', 0), ('shipped', 0)",
        "CREATE TABLE effects (saga TEXT NOT NULL, what TEXT NOT NULL)",
    )

    def _move(self, order: str, what: str, here: str, there: str) -> None:
        self.db.execute("INSERT INTO effects VALUES (?, ?)", [order, what])
        self.db.execute("UPDATE shelf SET pieces = pieces - 1 WHERE place = ?", [here])
        self.db.execute("UPDATE shelf SET pieces = pieces + 1 WHERE place = ?", [there])

    @Reserve.handler
    def reserve(self, command: Reserve) -> None:
        self._move(command.order, "reserve", "free", "reserved")
        self.publish(Reserved(command.order))

    @Release.handler
    def release(self, command: Release) -> None:
        self._move(command.order, "release", "reserved", "free")

    @Ship.handler
    def ship(self, command: Ship) -> None:
        self._move(command.order, "ship", "reserved", "shipped")
        if command.order.startswith("refused"):
            raise Rejected("nobody is there", code="nobody")

    @TakeBack.handler
    def take_back(self, command: TakeBack) -> None:
        self._move(command.order, "take back", "shipped", "reserved")


class Bank(Context):
    """Moves money between the customers and the till."""

    migrations = _migrations(
        "bank",
        "CREATE TABLE accounts (owner TEXT PRIMARY KEY, cents INTEGER NOT NULL)",
        f"INSERT INTO accounts VALUES ('customers', {MONEY}), ('till', 0)",
        "CREATE TABLE effects (saga TEXT NOT NULL, what TEXT NOT NULL)",
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
    """Hear that their goods are ready, and fetch them, unless they forget; the clumsy ones at the second attempt."""

    migrations = _migrations("customers", "CREATE TABLE told (saga TEXT NOT NULL)")
    stumbled: set[str] = set()
    """Who has failed in this life of the process."""

    @Reserved.listener
    def fetch(self, event: Reserved) -> None:
        self.db.execute("INSERT INTO told VALUES (?)", [event.order])
        if event.order.startswith("clumsy") and event.order not in self.stumbled:
            self.stumbled.add(event.order)
            raise ValueError("stumbled on the way")
        if not event.order.startswith("forgotten"):
            self.publish(Fetched(event.order))


# --- the world outside ---


class Processor:
    """The card processor: knows every call by its key, and outlives us."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, *words: str) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{' '.join(words)}\n".encode())
        os.close(file)

    def lines(self) -> list[list[str]]:
        return (
            [line.split(" ") for line in self._path.read_text().splitlines()] if self._path.exists() else []
        )


class Cards(Gateway):
    """Calls the card processor, three calls at a time."""

    concurrency = 3
    processor: Processor
    released = threading.Event()
    """Slow ones need not wait any more."""

    @Charge.handler
    def charge(self, command: Charge) -> str:
        if command.order.startswith("slow"):
            self.released.wait()
        before = sum(line[:2] == ["charge", self.key] for line in self.processor.lines())
        self.processor.note("charge", self.key, command.order)
        if command.order.startswith("shaky") and before < 2:
            raise ConnectionError("charged, but the answer is lost")
        return self.key

    @Void.handler
    def void(self, command: Void) -> None:
        self.processor.note("void", self.key, command.order)


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

    @ship.compensation
    def take_back(self) -> TakeBack:
        return TakeBack(self.input.id)

    flow = (reserve, pay, charge, ship)


class Hurry(Saga[Order]):
    """The same with a time limit on the charge."""

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


class Hasty(Saga[Order]):
    """Reserve within an hour, and ship within another one."""

    @step(timeout=timedelta(hours=1))
    def reserve(self) -> Reserve:
        return Reserve(self.input.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.id)

    @step(timeout=timedelta(hours=1))
    def ship(self) -> Ship:
        return Ship(self.input.id)

    @ship.compensation
    def take_back(self) -> TakeBack:
        return TakeBack(self.input.id)

    flow = (reserve, ship)


class Together(Saga[Order]):
    """Reserve, pay and charge at the same time."""

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

    flow = (parallel(reserve, pay, charge), ship)


class Collect(Saga[Order]):
    """Reserve, wait until the customer comes, then let him pay and take it."""

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

    @ship.compensation
    def take_back(self) -> TakeBack:
        return TakeBack(self.input.id)

    flow = (reserve, fetched, pay, ship)


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


class Tomorrow(Saga[Order], deadline=timedelta(hours=1)):
    """Reserve, then wait for what does not come, until the deadline, which counts from when it begins."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.id)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.id)

    @wait(Fetched)
    def fetched(self) -> str:
        return f"nobody fetches {self.input.id}"

    flow = (reserve, fetched)


CONTEXTS: list[type[Context] | type[Gateway]] = [Stock, Bank, Customers, Cards]
SAGAS = [Fulfil, Hurry, Hasty, Together, Collect, Nightly, Tomorrow]
