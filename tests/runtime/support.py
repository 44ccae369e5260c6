"""A small business for the tests of the runtime: a desk that keeps books, gateways that call out, sagas.

What a participant does with a key is written in a `Script`, before it happens: nothing, raise, block.
Effects are counted in the desk's own table, which is what a test believes.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    OpenTask,
    Outcome,
    Retry,
    Runtime,
    Saga,
    SagaParked,
    step,
    wait,
)
from saga.verification import verify_store

DEADLINE = 20.0
"""Seconds that a test waits for something that should come at once; reached only when it never comes."""

ONCE = Retry(attempts=1)
AT_ONCE = Retry(attempts=3, first=timedelta(milliseconds=1), factor=1, jitter=0)


# --- messages ---


@dataclass(frozen=True, slots=True)
class Job:
    key: str
    size: int = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Book(Command[Receipt]):
    key: str


@dataclass(frozen=True, slots=True)
class Unbook(Command[None]):
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class File(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Phone(Command[Receipt]):
    key: str


@dataclass(frozen=True, slots=True)
class CallOff(Command[None]):
    key: str
    known: bool


@dataclass(frozen=True, slots=True)
class Ping(Command[str]):
    key: str


@dataclass(frozen=True, slots=True)
class Booked(Event):
    key: Key[str]


@dataclass(frozen=True, slots=True)
class Confirmed(Event):
    key: Key[str]
    text: str = ""


# --- what participants do ---


class Script:
    """What happens when something is done for a key; by default nothing in particular.

    `script.on("book", "a", action)`: the action is an exception to raise, or a function without arguments to
    call, whose result counts unless it is None. Several are used up one after the other, the last one stays.
    """

    def __init__(self) -> None:
        self._actions: dict[tuple[str, str], list[Any]] = {}
        self._lock = threading.Condition()
        self.calls: dict[tuple[str, str], int] = defaultdict(int)
        self.order: list[tuple[str, str]] = []
        """What was called, in order: also what was taken back."""

    def on(self, what: str, key: str, *actions: Any) -> None:
        with self._lock:
            self._actions[what, key] = list(actions)

    def play(self, what: str, key: str, result: Any = None) -> Any:
        with self._lock:
            self.calls[what, key] += 1
            self.order.append((what, key))
            self._lock.notify_all()
            actions = self._actions.get((what, key)) or [None]
            action = actions.pop(0) if len(actions) > 1 else actions[0]
        if isinstance(action, BaseException):
            raise action
        played = action() if callable(action) else action
        return result if played is None else played

    def wait_for(self, what: str, key: str, times: int, timeout: float = DEADLINE) -> bool:
        """Wait until it was called so often; False when that takes too long."""
        with self._lock:
            return self._lock.wait_for(lambda: self.calls[what, key] >= times, timeout)


class Gate:
    """Somebody waits in it until it is opened; the test sees who came."""

    def __init__(self) -> None:
        self._entered, self._open = threading.Semaphore(0), threading.Event()

    def __call__(self) -> None:
        self._entered.release()
        assert self._open.wait(DEADLINE), "nobody opened the gate"

    def wait_for_somebody(self) -> None:
        assert self._entered.acquire(timeout=DEADLINE), "nobody came to the gate"

    def open(self) -> None:
        self._open.set()


books = Migrations("desk")


@books()
def entries(db: Database) -> None:
    db.execute("CREATE TABLE entries (what TEXT NOT NULL, key TEXT NOT NULL)")


class Desk(Context):
    """Books, files and takes back, and writes each down."""

    migrations = books

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()

    def enter(self, what: str, key: str) -> None:
        self.db.execute("INSERT INTO entries VALUES (?, ?)", [what, key])

    @Book.handler
    def book(self, command: Book) -> Receipt:
        self.enter("book", command.key)
        self.publish(Booked(command.key))
        return self.script.play("book", command.key, Receipt(command.key, 7))

    @Unbook.handler
    def unbook(self, command: Unbook) -> None:
        self.enter("unbook", command.key)
        return self.script.play("unbook", command.key)

    @File.handler
    def file(self, command: File) -> None:
        self.enter("file", command.key)
        return self.script.play("file", command.key)


logs = Migrations("log")


@logs()
def pages(db: Database) -> None:
    db.execute("CREATE TABLE heard (key TEXT NOT NULL)")


class Journalist(Context):
    """Writes down everything that was booked."""

    migrations = logs

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()

    @Booked.listener
    def hear(self, event: Booked) -> None:
        self.db.execute("INSERT INTO heard VALUES (?)", [event.key])
        self.script.play("hear", event.key)


class Telephone(Gateway):
    """Calls out, several at a time."""

    concurrency = 3

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()

    @Phone.handler
    def phone(self, command: Phone) -> Receipt:
        return self.script.play("phone", command.key, Receipt(command.key, 1))

    @CallOff.handler
    def call_off(self, command: CallOff) -> None:
        return self.script.play(f"call off {'known' if command.known else 'unknown'}", command.key)


class Landline(Telephone):
    """Calls out, one after the other."""

    concurrency = 1


class Wire(Gateway):
    """Calls out from an event loop."""

    concurrency = 3

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()

    @Phone.handler
    async def phone(self, command: Phone) -> Receipt:
        played = self.script.play("phone", command.key, Receipt(command.key, 1))
        return await played if hasattr(played, "__await__") else played

    @CallOff.handler
    async def call_off(self, command: CallOff) -> None:
        self.script.play(f"call off {'known' if command.known else 'unknown'}", command.key)


# --- sagas ---


class Keep(Saga[Job]):
    """Book, then file."""

    @step(retry=AT_ONCE)
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    @step(retry=AT_ONCE)
    def filing(self) -> File:
        return File(self.input.key)

    flow = (booking, filing)


class Arrange(Saga[Job]):
    """Book, phone, wait for the confirmation."""

    @step(retry=AT_ONCE)
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    @step(retry=AT_ONCE, timeout=timedelta(days=15))
    def phoning(self) -> Phone:
        return Phone(self.input.key)

    @phoning.compensation
    def calling_off(self, receipt: Receipt | None) -> CallOff:
        return CallOff(self.input.key, receipt is not None)

    @wait(Confirmed, within=timedelta(hours=12))
    def confirmed(self) -> str:
        return self.input.key

    flow = (booking, phoning, confirmed)


class Ring(Saga[Job]):
    """Phone, and nothing else."""

    @step(retry=AT_ONCE, timeout=timedelta(days=15))
    def phoning(self) -> Phone:
        return Phone(self.input.key)

    @phoning.compensation
    def calling_off(self, receipt: Receipt | None) -> CallOff:
        return CallOff(self.input.key, receipt is not None)

    flow = (phoning,)


class Await(Saga[Job]):
    """Wait for the confirmation, without end."""

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    flow = (confirmed,)


# --- looking ---


def rows(store: Path, context: str, statement: str) -> list[tuple[Any, ...]]:
    """Read a context's own file, beside the running runtime."""
    with closing(sqlite3.connect(f"{(store / f'{context}.db').as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def entered(store: Path, key: str) -> list[str]:
    """Return what the desk has done for this key, in order."""
    return [
        what
        for what, whose in rows(store, "desk", "SELECT what, key FROM entries ORDER BY rowid")
        if whose == key
    ]


def heard(store: Path, count: int) -> list[str]:
    """Return what the journalist has heard, in order, as soon as it is so much."""
    until = time.monotonic() + DEADLINE
    while True:
        keys = [key for (key,) in rows(store, "journalist", "SELECT key FROM heard ORDER BY rowid")]
        if len(keys) >= count or time.monotonic() > until:
            return keys


def wait_until_it_happened(runtime: Runtime, id: str, what: str) -> None:
    """Wait until a record of this kind is in the journal of a saga."""
    until = time.monotonic() + DEADLINE
    while what not in [entry.what for entry in runtime.history(id)]:
        assert time.monotonic() < until, f"no {what} in {texts(runtime, id)}"


def texts(runtime: Runtime, id: str) -> list[str]:
    """Return the history of a saga, a line for each thing that happened."""
    return [entry.text for entry in runtime.history(id)]


@contextmanager
def together(call: Callable[..., Any], *arguments: Any, **named: Any) -> Iterator[Any]:
    """Run a call that blocks in a thread of its own; yields its future."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call, *arguments, **named)


def completed(outcome: Outcome) -> bool:
    """Return whether a saga got through."""
    return outcome.completed


def code_of(outcome: Outcome) -> str:
    """Return the code of the refusal that a saga ended with, "" when it completed."""
    return "" if outcome.refusal is None else outcome.refusal.code


def statuses(runtime: Runtime) -> dict[str, str]:
    """Return the status of every saga, by id."""
    return {row.id: row.status for row in runtime.list(limit=10_000)}


def until_status(runtime: Runtime, saga_id: str, status: str) -> None:
    """Wait until a saga has this status."""
    until = time.monotonic() + DEADLINE
    while statuses(runtime).get(saga_id) != status:
        assert time.monotonic() < until, f"{saga_id} never was {status}: {statuses(runtime)}"


def parked(runtime: Runtime, id: str) -> SagaParked:
    """Wait until a saga is parked; return what whoever waits for it is told."""
    with pytest.raises(SagaParked) as caught:
        runtime.handle(id).wait(DEADLINE)
    return caught.value


def until_open(runtime: Runtime, count: int = 1) -> list[OpenTask]:
    """Wait until so many tasks are open, and return them."""
    until = time.monotonic() + DEADLINE
    while len(tasks := runtime.tasks(limit=10_000)) < count:
        assert time.monotonic() < until, f"not {count} tasks but {tasks}"
    return tasks


def sound(store: Path) -> None:
    """Fail when what is stored contradicts itself."""
    assert [str(finding) for finding in verify_store(store)] == []
