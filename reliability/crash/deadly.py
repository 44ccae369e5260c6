"""A process in which something ends it, each time it is carried out: a handler, a listener, a function of a saga.

What is about a key that begins with `deadly` kills the process, as long as it is told to (`Job.deadly`); what is
about one that begins with `slow` waits for that to happen, for a moment. All else is done at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reliability.crash.job import LONGEST_S
from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Rejected,
    Runtime,
    Saga,
    SagaParked,
    Start,
    call,
    choice,
    condition,
    step,
)

MOMENT_S = 0.3


@dataclass(frozen=True)
class Job:
    """What a worker is to do."""

    store: str
    scenario: str
    begin: bool = False
    """Start the sagas; else bring to an end what is there."""
    deadly: bool = True
    hangs: bool = False
    """It does not kill, it hangs: the supervisor ends the process."""
    retry: bool = False
    """First of all retry what is parked or set aside."""


@dataclass(frozen=True, slots=True)
class Order:
    key: str


@dataclass(frozen=True, slots=True)
class Keep(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Return(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Refuse(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Call(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class CallOften(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class CallAsync(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Tell(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Kept(Event):
    key: Key[str]


@dataclass(frozen=True, slots=True)
class Told(Event):
    key: Key[str]


class Death:
    """Decides what happens to whom."""

    def __init__(self) -> None:
        self.armed = self.hangs = False
        self.waiting = threading.Event()

    def meet(self, key: str) -> None:
        """Be killed, or wait for that, or neither."""
        if not self.armed:
            return
        if key.startswith("slow"):
            self.waiting.set()
            time.sleep(2 * MOMENT_S)
        if key.startswith("deadly"):
            self.waiting.wait(MOMENT_S)  # so that it does not die alone, if there is somebody else
            if self.hangs:
                time.sleep(LONGEST_S)
            os.kill(os.getpid(), signal.SIGKILL)


death = Death()
tables = Migrations("stock")


@tables()
def things(db: Database) -> None:
    db.execute("CREATE TABLE things (key TEXT NOT NULL)")


class Stock(Context):
    """Keeps things, and takes them back."""

    migrations = tables

    @Keep.handler
    def keep(self, command: Keep) -> None:
        self.db.execute("INSERT INTO things VALUES (?)", [command.key])
        self.publish(Kept(command.key))
        death.meet(command.key)

    @Tell.handler
    def tell(self, command: Tell) -> None:
        self.publish(Told(command.key))

    @Return.handler
    def take_back(self, command: Return) -> None:
        death.meet(command.key)
        self.db.execute("DELETE FROM things WHERE key = ?", [f"kept-{command.key}"])

    @Refuse.handler
    def refuse(self, command: Refuse) -> None:
        raise Rejected("as always", code="always")


listened = Migrations("friends")


@listened()
def heard(db: Database) -> None:
    db.execute("CREATE TABLE heard (key TEXT NOT NULL)")


class Friends(Context):
    """Hear of everything that is kept."""

    migrations = listened

    @Kept.listener
    def hear(self, event: Kept) -> None:
        self.db.execute("INSERT INTO heard VALUES (?)", [event.key])
        death.meet(event.key.removeprefix("listened-"))


class Phone(Gateway):
    @Call.handler
    def call(self, command: Call) -> None:
        death.meet(command.key)


class Office(Gateway):
    concurrency = 3

    @CallOften.handler
    def call(self, command: CallOften) -> None:
        death.meet(command.key)


class Wire(Gateway):
    concurrency = 3

    @CallAsync.handler
    async def call(self, command: CallAsync) -> None:
        await asyncio.to_thread(death.meet, command.key)


DAY = timedelta(days=1)


class InContext(Saga[Order]):
    @step(timeout=DAY)
    def keeping(self) -> Keep:
        return Keep(self.input.key)

    flow = (keeping,)


class InUndo(Saga[Order]):
    @step()
    def keeping(self) -> Keep:
        return Keep(f"kept-{self.input.key}")

    @keeping.compensation
    def returning(self) -> Return:
        return Return(self.input.key)

    @step()
    def refusing(self) -> Refuse:
        return Refuse(self.input.key)

    flow = (keeping, refusing)


class InGateway(Saga[Order]):
    @step()
    def calling(self) -> Call:
        return Call(self.input.key)

    flow = (calling,)


class InPool(Saga[Order]):
    @step()
    def calling(self) -> CallOften:
        return CallOften(self.input.key)

    flow = (calling,)


class InLoop(Saga[Order]):
    @step()
    def calling(self) -> CallAsync:
        return CallAsync(self.input.key)

    flow = (calling,)


class InListener(Saga[Order]):
    @step()
    def keeping(self) -> Keep:
        return Keep(f"listened-{self.input.key}")

    flow = (keeping,)


class InFunction(Saga[Order]):
    @step()
    def keeping(self) -> Keep:
        return Keep(f"kept-{self.input.key}")

    @condition
    def is_bad(self) -> bool:
        death.meet(self.input.key)
        return False

    @step()
    def calling(self) -> Call:
        return Call(f"called-{self.input.key}")

    flow = (keeping, choice((is_bad, calling)))


class BegunByEvent(Saga[Told], started_by_event=True):
    @step()
    def calling(self) -> Call:
        death.meet(self.input.key)
        return Call(f"called-{self.input.key}")

    flow = (calling,)


class InFirstByEvent(Saga[Order]):
    @step()
    def telling(self) -> Tell:
        return Tell(self.input.key)

    flow = (telling,)


class BegunByCall(Saga[Order]):
    @step()
    def calling(self) -> Call:
        death.meet(self.input.key)
        return Call(f"called-{self.input.key}")

    flow = (calling,)


class InFirstByCall(Saga[Order]):
    @step()
    def keeping(self) -> Keep:
        return Keep(f"kept-{self.input.key}")

    @call(BegunByCall)
    def running(self) -> Order:
        return self.input

    flow = (keeping, running)


SAGAS = {
    each.__name__: each
    for each in (
        InContext,
        InUndo,
        InGateway,
        InPool,
        InLoop,
        InListener,
        InFunction,
        InFirstByEvent,
        InFirstByCall,
    )
}
BEGUN: dict[str, type[Saga[Any]]] = {"InFirstByEvent": BegunByEvent, "InFirstByCall": BegunByCall}
"""Scenario → the sagas that its sagas begin."""
KEYS = ("deadly", "quick-1", "slow", "quick-2")


def tell(line: str) -> None:
    """Print a line that not even a kill at the next instruction takes back."""
    os.write(1, f"{line}\n".encode())


def main(job: Job) -> None:
    """Do the job: wait until everything is over or needs a person, and tell how."""
    death.armed, death.hangs = job.deadly, job.hangs
    with Runtime(
        job.store,
        contexts=[Stock, Friends, Phone, Office, Wire],
        sagas=[*SAGAS.values(), *BEGUN.values()],
        hang_limit=4 * timedelta(seconds=MOMENT_S),
        on_hang="exit",
    ) as runtime:
        if job.begin:
            runtime.start_many(Start(SAGAS[job.scenario], Order(key), key) for key in KEYS)
        if job.retry:
            runtime.retry_deliveries(Friends)
            for row in runtime.list(status="PARKED"):
                runtime.retry(row.id)
        begun = BEGUN.get(job.scenario)
        for key in KEYS if begun is None else until_begun(runtime, begun):
            try:
                outcome = runtime.handle(key).wait(LONGEST_S)
            except SagaParked as parked:
                tell(f"parked {key} {parked}")
            else:
                tell(f"ended {key} {outcome.status.value}")
        until_heard(runtime, job)


def until_begun(runtime: Runtime, saga: type[Saga[Any]]) -> list[str]:
    """Wait until as many of these sagas have begun as there are keys; return their ids, the oldest first."""
    until = time.monotonic() + LONGEST_S
    while len(rows := runtime.list(saga=saga)) < len(KEYS):
        assert time.monotonic() < until, f"only {len(rows)} have begun"
        time.sleep(0.01)
    return [row.id for row in reversed(rows)]


def until_heard(runtime: Runtime, job: Job) -> None:
    """Wait until every event was heard or set aside."""
    until = time.monotonic() + LONGEST_S
    with (
        closing(sqlite3.connect(f"file:{job.store}/saga.db?mode=ro", uri=True)) as log,
        closing(sqlite3.connect(f"file:{job.store}/friends.db?mode=ro", uri=True)) as friends,
    ):
        while True:
            ((last,),) = log.execute("SELECT coalesce(max(no), 0) FROM events WHERE type = 'Kept/1'")
            ((taken,),) = friends.execute("SELECT coalesce(max(position), 0) FROM _saga_positions")
            ((left,),) = friends.execute("SELECT count(*) FROM _saga_retries WHERE due_ms IS NOT NULL")
            if taken >= last and not left:
                return
            assert time.monotonic() < until, f"it has {taken} of {last}, {left} are to be tried again"
