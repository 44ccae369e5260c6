"""Trips, made of everything that a flow may contain, and the process in which they are killed.

What happens to a trip is in its id: `good` ones are completed; `refused` ones fail at their last step, when all else is
done; the transfer for `unpaid` ones never comes; `denied` ones are turned down by a person; `insecure` ones are refused
by a saga that they call; `cancelled` ones are cancelled by the driver. Every effect leaves a row in a context's own
table; the post outside has a log of its calls.

The driver decides tasks, transfers money and lets time pass, and does so again after each crash: with the same ids.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reliability.crash.job import LONGEST_S, Job, tell
from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    NotAllowed,
    Rejected,
    Runtime,
    Saga,
    Start,
    Status,
    VirtualClock,
    answer,
    call,
    choice,
    compensate,
    condition,
    each,
    items,
    publish,
    race,
    refuse,
    repeat,
    scope,
    step,
    task,
    wait,
)

IDS = ("good-1", "refused-1", "unpaid-1", "denied-1", "insecure-1", "cancelled-1", "good-2")
ROOMS = 4


# --- messages ---


@dataclass(frozen=True, slots=True)
class Trip:
    id: str


@dataclass(frozen=True, slots=True)
class Do(Command[int]):
    """Answered with how often this was done for this key, which is 1 if it was done for the first time."""

    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Undo(Command[None]):
    what: str
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class TakePayment(Command[str]):
    key: str


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    key: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Charge(Command[int]):
    key: str


@dataclass(frozen=True, slots=True)
class PayBack(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Post(Command[None]):
    key: str


@dataclass(frozen=True, slots=True)
class Planned(Event):
    key: Key[str]


@dataclass(frozen=True, slots=True)
class Transferred(Event):
    key: Key[str]


@dataclass(frozen=True, slots=True)
class Noticed(Event):
    key: Key[str]


# --- participants ---


def _migrations(name: str) -> Migrations:
    migrations = Migrations(name)

    def make(db: Database) -> None:
        db.execute("CREATE TABLE effects (what TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL)")

    migrations(name=f"make {name}")(make)
    return migrations


class Agency(Context):
    """Does what it is told and takes it back, and keeps a list."""

    migrations = _migrations("agency")

    @Do.handler
    def do(self, command: Do) -> int:
        what, key = command.what, command.key
        before: int
        ((before,),) = self.db.execute("SELECT count(*) FROM effects WHERE what = ? AND key = ?", [what, key])
        self.db.execute("INSERT INTO effects VALUES (?, ?, ?)", [what, key, before + 1])
        if (what, key.split("-")[0]) in (("seal", "refused"), ("check", "insecure")):
            raise Rejected(f"no {what} for {key}", code=what)
        return before + 1

    @Undo.handler
    def undo(self, command: Undo) -> None:
        row = [f"un{command.what}", command.key, command.number]
        self.db.execute("INSERT INTO effects VALUES (?, ?, ?)", row)

    @Planned.listener
    def notice(self, event: Planned) -> None:
        self.db.execute("INSERT INTO effects VALUES ('notice', ?, 1)", [event.key])
        self.publish(Noticed(event.key))


class Bank(Context):
    """Charges, and pays back; its commands for others are answered by sagas."""

    migrations = _migrations("bank")

    @Charge.handler
    def charge(self, command: Charge) -> int:
        self.db.execute("INSERT INTO effects VALUES ('charge', ?, 1)", [command.key])
        return 1

    @PayBack.handler
    def pay_back(self, command: PayBack) -> None:
        self.db.execute("INSERT INTO effects VALUES ('uncharge', ?, 1)", [command.key])


class Letters(Gateway):
    """The post outside, which knows every letter by its key, and outlives us."""

    concurrency = 2
    path: Path

    @Post.handler
    async def post(self, command: Post) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{self.key} {command.key}\n".encode())
        os.close(file)


# --- sagas ---


class Check(Saga[Trip]):
    """Called by a called one."""

    @step()
    def checking(self) -> Do:
        return Do("check", self.input.id)

    @checking.compensation
    def unchecking(self) -> Undo:
        return Undo("check", self.input.id, self.checking)

    flow = checking


class Insure(Saga[Trip]):
    """Insures, and calls another saga which may refuse."""

    @step()
    def insuring(self) -> Do:
        return Do("insure", self.input.id)

    @insuring.compensation
    def uninsuring(self) -> Undo:
        return Undo("insure", self.input.id, self.insuring)

    @call(Check)
    def check(self) -> Trip:
        return self.input

    @answer
    def number(self) -> int:
        return self.insuring

    flow = (insuring, check, number)


class Guide(Saga[Trip]):
    """Called for every room of a trip, some at a time."""

    @step()
    def guiding(self) -> Do:
        return Do("guide", self.input.id)

    @guiding.compensation
    def unguiding(self) -> Undo:
        return Undo("guide", self.input.id, self.guiding)

    flow = guiding


class Collect(Saga[TakePayment], context=Bank):
    """Charges, and waits two weeks for the transfer, with a reminder every other day."""

    @step()
    def charging(self) -> Charge:
        return Charge(self.input.key)

    @charging.compensation
    def uncharging(self) -> PayBack:
        return PayBack(self.input.key)

    @step()
    def reminding(self) -> Do:
        return Do("remind", self.input.key)

    @wait(Transferred, within=timedelta(days=14), every=(timedelta(days=2), reminding))
    def transferred(self) -> str:
        return self.input.key

    @answer
    def receipt(self) -> str:
        return f"receipt of {self.input.key}"

    flow = (charging, transferred, receipt)


class Refund(Saga[RefundPayment], context=Bank):
    """A compensation which is a saga."""

    @step()
    def paying_back(self) -> PayBack:
        return PayBack(self.input.key)

    flow = paying_back


class Letter(Saga[Planned], started_by_event=True):
    """Started by what a trip publishes."""

    @step()
    def posting(self) -> Post:
        return Post(self.input.key)

    flow = posting


class Travel(Saga[Trip], deadline=timedelta(days=60)):
    """Everything."""

    @items
    def rooms(self) -> list[str]:
        return [f"{self.input.id}-r{n}" for n in range(ROOMS)]

    @step()
    def booking(self, room: str) -> Do:
        return Do("book", room)

    @booking.compensation
    def unbooking(self, room: str, number: int | None) -> Undo:
        return Undo("book", room, -1 if number is None else number)

    @call(Guide)
    def guide(self, room: str) -> Trip:
        return Trip(room)

    @publish
    def planned(self) -> Planned:
        return Planned(self.input.id)

    @wait(Noticed)
    def noticed(self) -> str:
        return self.input.id

    @call(Insure, answer=int)
    def insure(self) -> Trip:
        return self.input

    @step(timeout=timedelta(days=30))
    def paying(self) -> TakePayment:
        return TakePayment(self.input.id)

    @paying.compensation
    def refunding(self) -> RefundPayment:
        return RefundPayment(self.input.id, self.paying)

    @task(answer=bool, within=timedelta(days=5))
    def approve(self) -> Trip:
        return self.input

    @condition
    def is_denied(self) -> bool:
        return not self.approve

    @wait(Transferred)
    def second_transfer(self) -> str:
        return f"{self.input.id}-again"

    @step()
    def reserving(self) -> Do:
        return Do("reserve", self.input.id)

    @reserving.compensation
    def unreserving(self) -> Undo:
        return Undo("reserve", self.input.id, self.reserving)

    @step()
    def offering(self) -> Do:
        return Do("offer", self.input.id)

    @offering.compensation
    def unoffering(self) -> Undo:
        return Undo("offer", self.input.id, self.offering)

    @condition
    def is_enough(self) -> bool:
        return self.offering >= 2

    @step()
    def sealing(self) -> Do:
        return Do("seal", self.input.id)

    @answer
    def told(self) -> str:
        return f"{list(self.booking)} {self.insure} {self.paying}"

    flow = (
        each(rooms, booking, guide, concurrency=2),
        planned,
        noticed,
        insure,
        paying,
        approve,
        choice((is_denied, refuse("denied", code="denied"))),
        race((second_transfer, ()), after=(timedelta(days=3), ())),
        scope(reserving, compensate()),
        repeat(offering, until=is_enough, at_most=5),
        sealing,
        told,
    )


class Rooms(Saga[Trip]):
    """For each room a step, and a saga that is called."""

    @items
    def rooms(self) -> list[str]:
        return [f"{self.input.id}-r{n}" for n in range(ROOMS)]

    @step()
    def booking(self, room: str) -> Do:
        return Do("book", room)

    @booking.compensation
    def unbooking(self, room: str, number: int | None) -> Undo:
        return Undo("book", room, -1 if number is None else number)

    @call(Guide)
    def guide(self, room: str) -> Trip:
        return Trip(room)

    @step()
    def sealing(self) -> Do:
        return Do("seal", self.input.id)

    flow = (each(rooms, booking, guide, concurrency=2), sealing)


class Insured(Saga[Trip]):
    """A saga that is called, and calls another one."""

    @call(Insure, answer=int)
    def insure(self) -> Trip:
        return self.input

    @step()
    def sealing(self) -> Do:
        return Do("seal", self.input.id)

    flow = (insure, sealing)


class Paid(Saga[Trip]):
    """A command that a saga of the bank answers, when the transfer has come."""

    @step(timeout=timedelta(days=30))
    def paying(self) -> TakePayment:
        return TakePayment(self.input.id)

    @paying.compensation
    def refunding(self) -> RefundPayment:
        return RefundPayment(self.input.id, self.paying)

    @step()
    def sealing(self) -> Do:
        return Do("seal", self.input.id)

    flow = (paying, sealing)


CONTEXTS: list[type[Context] | type[Gateway]] = [Agency, Bank, Letters]
SAGAS = [Travel, Rooms, Insured, Paid, Insure, Guide, Collect, Refund, Letter]

SCENARIOS: dict[str, tuple[type[Saga[Trip]], tuple[str, ...]]] = {
    "journey": (Travel, IDS),
    "each": (Rooms, ("good-1", "refused-1", "good-2")),
    "child": (Insured, ("good-1", "insecure-1", "refused-1")),
    "answers": (Paid, ("good-1", "unpaid-1", "refused-1", "cancelled-1")),
}
"""Name of a scenario, the saga of its trips, and their ids."""


# --- the driver ---


@dataclass
class Driver:
    """Whoever travels, decides and pays."""

    runtime: Runtime
    clock: VirtualClock

    def start(self, scenario: str) -> None:
        """Start all trips, the first by itself."""
        saga, ids = SCENARIOS[scenario]
        first, *others = [Start(saga, Trip(id), id) for id in ids]
        for some in ([first], others):
            for handle in self.runtime.start_many(some):
                tell(f"acked {handle.id}")

    def finish(self) -> None:
        """Do what is to be done until all sagas have ended; let half a day pass when nothing happens."""
        until, before = time.monotonic() + LONGEST_S, None
        while True:
            rows = self.runtime.list(limit=10_000)
            live = {row.id: row.status for row in rows if not Status(row.status).ended}
            if not live:
                return
            assert time.monotonic() < until, live
            self._act(set(live))
            now = [(row.id, row.status) for row in rows]
            if now == before:
                self.clock.advance(timedelta(hours=12))
                time.sleep(0.002)  # of the process that is killed, not of a test
            before = now

    def _act(self, live: set[str]) -> None:
        for each_task in self.runtime.tasks():
            try:
                granted = not each_task.saga_id.startswith("denied")
                self.runtime.complete_task(each_task.saga_id, granted, task="approve", by="driver")
            except NotAllowed:  # it is late, or the trip was cancelled
                continue
            tell(f"decided {each_task.saga_id}")
        for id in IDS:
            if f"{id}:paying.1" in live and not id.startswith(("unpaid", "cancelled")):
                self.runtime.publish(Transferred(id), id=f"transfer of {id}")
            if f"{id}:paying.1" in live and id.startswith("cancelled"):
                self.runtime.cancel(id, "changed my mind")
            if id == "good-2" and id in live:
                self.runtime.publish(Transferred(f"{id}-again"), id=f"second transfer of {id}")


def run(job: Job) -> None:
    """Run a scenario on its store."""
    store, clock = Path(job.store), VirtualClock()
    Letters.path = store.with_name("post.log")
    with Runtime(store, contexts=CONTEXTS, sagas=SAGAS, clock=clock) as runtime:
        driver = Driver(runtime, clock)
        if not job.drain:
            driver.start(job.scenario)
        driver.finish()
