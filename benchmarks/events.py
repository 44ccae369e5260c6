"""100,000 events to five subscribers, one of them away for half the time: how long until everybody has heard all.

The publishers: three contexts whose handlers publish, a context that publishes in answer to events, and threads of the
application. Each numbers its events, and each subscriber writes down every event that it hears, so that afterwards can
be checked that it heard each exactly once, and those of one publisher in order. What is not so is an error.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from benchmarks.figures import Figure, Size
from benchmarks.measure import fresh_directory
from benchmarks.processes import answer_of, log_to_stderr, module, peak_mb
from benchmarks.progress import say
from saga import Command, Context, Event, Key, Runtime

__all__ = ["FIGURES", "measure"]

FIGURES = ("events.seconds", "events.delivered", "events.memory")
SIZES: dict[Size, int] = {"tiny": 2_000, "quick": 10_000, "full": 100_000}
"""Events."""

AT_ONCE = 40
"""Events that one handler or listener publishes."""

THREADS = 4
"""Of the application, each a publisher of its own."""

PATIENCE_S = 300.0
"""Seconds that are waited for the last event; reached only when it never comes."""


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """What the subscribers listen to: the events of a publisher are numbered from 0."""

    publisher: Key[str]
    number: int


@dataclass(frozen=True, slots=True)
class Called(Event):
    """What the echo answers, with `AT_ONCE` events."""

    first: int


# --- publishers ---


@dataclass(frozen=True, slots=True)
class Write(Command[int]):
    """Publish `AT_ONCE` events, numbered from `first`."""

    first: int


@dataclass(frozen=True, slots=True)
class Print(Command[int]):
    """The same for another context."""

    first: int


@dataclass(frozen=True, slots=True)
class Draw(Command[int]):
    """The same for another context."""

    first: int


class _Publisher(Context):
    def publish_from(self, first: int) -> int:
        for number in range(first, first + AT_ONCE):
            self.publish(Noted(type(self).__name__, number))
        return AT_ONCE


class Writer(_Publisher):
    """Publishes in a handler."""

    @Write.handler
    def write(self, command: Write) -> int:
        return self.publish_from(command.first)


class Printer(_Publisher):
    """Publishes in a handler."""

    @Print.handler
    def print(self, command: Print) -> int:
        return self.publish_from(command.first)


class Drawer(_Publisher):
    """Publishes in a handler."""

    @Draw.handler
    def draw(self, command: Draw) -> int:
        return self.publish_from(command.first)


class Echo(_Publisher):
    """Publishes in a listener."""

    @Called.listener
    def answer(self, event: Called) -> None:
        self.publish_from(event.first)


# --- subscribers ---

notes = Migrations("notes")


@notes()
def heard(db: Database) -> None:
    db.execute(
        "CREATE TABLE heard (no INTEGER PRIMARY KEY, publisher TEXT NOT NULL, number INTEGER NOT NULL)"
    )


class _Subscriber(Context):
    migrations = notes

    @Noted.listener
    def hear(self, event: Noted) -> None:
        self.db.execute(
            "INSERT INTO heard (publisher, number) VALUES (?, ?)", (event.publisher, event.number)
        )


class Anna(_Subscriber):
    """Is always there."""


class Bert(_Subscriber):
    """Is always there."""


class Carl(_Subscriber):
    """Is always there."""


class Dora(_Subscriber):
    """Is always there."""


class Emil(_Subscriber):
    """Is away for the first half."""


PUBLISHERS = [Writer, Printer, Drawer, Echo]
STAYING = [Anna, Bert, Carl, Dora]


# --- the run ---


class Delivered(NamedTuple):
    """What came of a run."""

    events: int
    deliveries: int
    seconds: float
    peak_mb: float
    """Memory of this process, at its highest."""


class _Share(NamedTuple):
    """How many events each of the publishers has, in all."""

    of_context: int
    of_echo: int
    of_thread: int

    @classmethod
    def of(cls, events: int) -> _Share:
        """Divide them: 78 of a hundred to contexts, 20 to the echo, 2 to threads, which wait for a commit each time."""
        steps = 2 * AT_ONCE  # of each half
        of_context = events * 26 // 100 // steps * steps
        of_echo = events // 5 // steps * steps
        of_thread = (events - 3 * of_context - of_echo) // THREADS // 2 * 2
        return cls(of_context, of_echo, of_thread)

    @property
    def all(self) -> int:
        return 3 * self.of_context + self.of_echo + THREADS * self.of_thread

    def expected(self) -> dict[str, int]:
        """Return publisher → how many events."""
        contexts = dict.fromkeys((cls.__name__ for cls in (Writer, Printer, Drawer)), self.of_context)
        threads = dict.fromkeys((f"thread {number}" for number in range(THREADS)), self.of_thread)
        return {**contexts, Echo.__name__: self.of_echo, **threads}


def measure(size: Size) -> list[Figure]:
    say("events")  # in a process of its own, whose memory is then its own as well
    found = Delivered(*answer_of(module("events", SIZES[size])))
    note = f"{found.events:,} events to five subscribers"
    return [
        Figure("events.seconds", [found.seconds], "s", "lower", note=note),
        Figure("events.delivered", [found.deliveries / found.seconds], "deliveries/s", "higher"),
        Figure("events.memory", [found.peak_mb], "MB", "lower", note="of the whole process at its highest"),
    ]


def deliver(events: int) -> Delivered:
    """Publish about so many events in two lives of a runtime, the first without Emil; return when all have heard all.

    Raises RuntimeError when somebody has not heard each event exactly once, or a publisher's in another order.
    """
    share = _Share.of(events)
    with fresh_directory() as directory:
        with Runtime(directory, contexts=[*PUBLISHERS, *STAYING, Emil]):
            pass  # all are known now
        began = time.perf_counter()
        with Runtime(directory, contexts=[*PUBLISHERS, *STAYING]) as runtime:
            _publish(runtime, share, 0)
            _wait_until_heard(directory, STAYING, share.all // 2)
        with Runtime(directory, contexts=[*PUBLISHERS, *STAYING, Emil]) as runtime:
            _publish(runtime, share, 1)
            _wait_until_heard(directory, [*STAYING, Emil], share.all)
        seconds = time.perf_counter() - began
        for subscriber in (*STAYING, Emil):
            _check(directory, subscriber, share)
    return Delivered(share.all, (len(STAYING) + 1) * share.all, seconds, peak_mb())


def _publish(runtime: Runtime, share: _Share, half: int) -> None:
    """Let everybody publish one half of his share, each in a thread of its own."""

    def numbers(count: int, step: int) -> range:
        return range(half * count // 2, (half + 1) * count // 2, step)

    def commands(command: Callable[[int], Command[int]]) -> None:
        for first in numbers(share.of_context, AT_ONCE):
            runtime.send(command(first))

    def calls() -> None:
        for first in numbers(share.of_echo, AT_ONCE):
            runtime.publish(Called(first))

    def thread(name: str) -> None:
        for number in numbers(share.of_thread, 1):
            runtime.publish(Noted(name, number))

    with ThreadPoolExecutor(4 + THREADS) as pool:
        futures = [pool.submit(commands, command) for command in (Write, Print, Draw)]
        futures.append(pool.submit(calls))
        futures += [pool.submit(thread, f"thread {number}") for number in range(THREADS)]
    for future in futures:
        future.result()


def _file(directory: Path, subscriber: type[Context]) -> sqlite3.Connection:
    path = (directory / f"{subscriber.__name__.lower()}.db").absolute()
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def _wait_until_heard(directory: Path, subscribers: Sequence[type[Context]], count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    for subscriber in subscribers:
        with closing(_file(directory, subscriber)) as connection:
            while (connection.execute("SELECT max(no) FROM heard").fetchone()[0] or 0) < count:
                if time.monotonic() > until:
                    raise RuntimeError(f"{subscriber.__name__} has not heard all after {PATIENCE_S:g} s")
                time.sleep(0.01)


def _check(directory: Path, subscriber: type[Context], share: _Share) -> None:
    """Raise RuntimeError unless each event was heard exactly once, and those of each publisher in order."""
    came: dict[str, int] = dict.fromkeys(share.expected(), 0)
    with closing(_file(directory, subscriber)) as connection:
        for publisher, number in connection.execute("SELECT publisher, number FROM heard ORDER BY no"):
            if number != came[publisher]:
                wrong = f"event {number} of {publisher} where {came[publisher]} is due"
                raise RuntimeError(f"{subscriber.__name__} has heard {wrong}")
            came[publisher] += 1
    if came != share.expected():
        raise RuntimeError(f"{subscriber.__name__} has heard {came} instead of {share.expected()}")


if __name__ == "__main__":
    log_to_stderr()
    print(json.dumps(deliver(int(sys.argv[1]))))
