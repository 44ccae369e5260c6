"""A small program whose sagas stand everywhere that a saga can stand; what the command line is tried on.

python -m reliability.fuzz.shop DIRECTORY      fills a store, prints a line, and keeps it open until its input ends
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Rejected,
    Retry,
    Runtime,
    Saga,
    VirtualClock,
    call,
    choice,
    condition,
    each,
    items,
    parallel,
    sleep,
    step,
    task,
    wait,
)

__all__ = ["IDS", "KINDS", "fill", "make"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered; the kind says how far it comes."""

    order_id: str
    kind: str
    amount: Decimal = Decimal("19.90")


@dataclass(frozen=True, slots=True)
class Reserve(Command[str]):
    """Reserve something."""

    order_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Release(Command[None]):
    """Undo it."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Mail(Command[None]):
    """Tell somebody."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Reserved(Event):
    """Something was reserved."""

    order_id: Key[str]


class Goods(Context):
    """Reserves what there is."""

    @Reserve.handler
    def reserve(self, command: Reserve) -> str:
        if command.kind == "refused":
            raise Rejected("sold out", code="sold-out")
        self.publish(Reserved(command.order_id))
        return f"r-{command.order_id}"

    @Release.handler
    def release(self, command: Release) -> None:
        if "stuck" in command.order_id:
            raise Rejected("it is gone", code="gone")


class Accounts(Context):
    """Listens, and cannot take everything."""

    @Reserved.listener
    def note(self, event: Reserved) -> None:
        if "parked" in event.order_id:
            raise LookupError("no such account")


class Post(Gateway):
    """Does not answer."""

    @Mail.handler
    def mail(self, command: Mail) -> None:
        raise ConnectionError("nobody there")


class Child(Saga[Order]):
    """Is called."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.order_id, self.input.kind)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.order_id)

    flow = reserve


class Shopping(Saga[Order]):
    """Comes to rest in all kinds of places."""

    @step()
    def reserve(self) -> Reserve:
        return Reserve(self.input.order_id, self.input.kind)

    @reserve.compensation
    def release(self) -> Release:
        return Release(self.input.order_id)

    @condition
    def is_waiting(self) -> bool:
        return self.input.kind == "waiting"

    @wait(Reserved, within=timedelta(days=3))
    def another(self) -> str:
        return "another"

    @condition
    def is_task(self) -> bool:
        return self.input.kind == "task"

    @task(answer=bool)
    def approve(self) -> Order:
        return self.input

    @condition
    def is_slow(self) -> bool:
        return self.input.kind == "slow"

    @sleep
    def rest(self) -> timedelta:
        return timedelta(days=2)

    @condition
    def is_parked(self) -> bool:
        return self.input.kind == "parked"

    @step()
    def broken(self) -> Reserve:
        raise ZeroDivisionError("a mistake,\x1b[31m and \u202e of their terminal")

    @condition
    def is_stuck(self) -> bool:
        return self.input.kind in ("stuck", "mailed")

    @step(retry=Retry(attempts=1))
    def mail(self) -> Mail:
        return Mail(self.input.order_id)

    @items
    def lines(self) -> list[str]:
        return ["a", "b"]

    @step()
    def reserve_line(self, line: str) -> Reserve:
        return Reserve(f"{self.input.order_id}-{line}", self.input.kind)

    @call(Child)
    def child(self) -> Order:
        return self.input

    flow = (
        reserve,
        choice(
            (is_waiting, another),
            (is_task, approve),
            (is_slow, rest),
            (is_parked, broken),
            (is_stuck, mail),
            otherwise=parallel(each(lines, reserve_line), child),
        ),
    )


KINDS = ("plain", "refused", "waiting", "task", "slow", "parked", "stuck", "mailed")
IDS = tuple(f"o-{kind}" for kind in KINDS)


def make(directory: str) -> Runtime:
    """Return a runtime whose time stands still."""
    clock = VirtualClock()
    return Runtime(directory, contexts=[Goods, Accounts, Post], sagas=[Shopping, Child], clock=clock)


def fill(runtime: Runtime) -> None:
    """Start one saga of each kind, and wait until none of them moves any more."""
    for kind in KINDS:
        order = Order(f"o-{kind}", kind)
        runtime.start(Shopping, order, id=order.order_id, tags={"kind": kind, "region": "north"})
    runtime.schedule("nightly", Shopping, Order("o-nightly", "plain"), cron="0 3 * * *")
    wait_for(lambda: all(_rests(runtime, kind) for kind in KINDS))
    runtime.suspend("o-slow", "the customer thinks about it")


def _rests(runtime: Runtime, kind: str) -> bool:
    told = [entry.what for entry in runtime.history(f"o-{kind}")]
    match kind:
        case "waiting":
            return "wait-begun" in told
        case "task":
            return "task-opened" in told
        case "slow":
            return "sleep-begun" in told
        case "parked" | "stuck":
            return "parked" in told
        case _:
            return "ended" in told


def wait_for(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Wait until something is so that nobody tells about."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("it did not become so in time")
        time.sleep(0.01)


if __name__ == "__main__":
    with make(sys.argv[1]) as runtime:
        fill(runtime)
        print("filled", flush=True)
        sys.stdin.read()
