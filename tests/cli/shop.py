"""A small shop whose orders end, or stop, in every way there is; run as a program it keeps a store busy.

python shop.py DIRECTORY fill     makes one order of each kind, prints a line, and waits for the end of its input
python shop.py DIRECTORY busy     starts orders until it is killed, and prints a line from time to time
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import count
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
    Runtime,
    Saga,
    SagaParked,
    Start,
    answer,
    choice,
    condition,
    scope,
    sleep,
    step,
    wait,
)


@dataclass(frozen=True, slots=True)
class Order:
    order_id: str
    kind: str
    amount: Decimal = Decimal("19.90")


@dataclass(frozen=True, slots=True)
class Reserved:
    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReserveGoods(Command[Reserved]):
    order_id: str


@dataclass(frozen=True, slots=True)
class ReleaseGoods(Command[None]):
    reservation_id: str


@dataclass(frozen=True, slots=True)
class Paid:
    payment_id: str


@dataclass(frozen=True, slots=True)
class TakePayment(Command[Paid]):
    order_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    payment_id: str


@dataclass(frozen=True, slots=True)
class ShipGoods(Command[None]):
    order_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class SendMail(Command[None]):
    order_id: str


@dataclass(frozen=True, slots=True)
class SendLetter(Command[None]):
    order_id: str


@dataclass(frozen=True, slots=True)
class PaymentReceived(Event):
    order_id: Key[str]


@dataclass(frozen=True, slots=True)
class GoodsFetched(Event):
    order_id: Key[str]
    by: str


class Inventory(Context):
    migrations = Migrations("inventory")

    @ReserveGoods.handler
    def reserve(self, command: ReserveGoods) -> Reserved:
        self.db.table("goods").insert({"order_id": command.order_id})
        return Reserved(f"r-{command.order_id}")

    @ReleaseGoods.handler
    def release(self, command: ReleaseGoods) -> None:
        self.db.table("goods").delete_where("order_id = ?", [command.reservation_id[2:]])


@Inventory.migrations()
def make_goods(db: Database) -> None:
    db.table("goods").create({"order_id": str})


class Payment(Context):
    @TakePayment.handler
    def take(self, command: TakePayment) -> Paid | Rejected:
        if command.amount > 1000:
            return Rejected("the card is not good for that", code="card-refused")
        self.publish(PaymentReceived(command.order_id))
        return Paid(f"p-{command.order_id}")

    @RefundPayment.handler
    def refund(self, command: RefundPayment) -> None:
        if "stuck" in command.payment_id:
            raise Rejected("the account was closed", code="no-account")


class Shipment(Context):
    @ShipGoods.handler
    def ship(self, command: ShipGoods) -> None:
        if command.kind in ("refused", "stuck"):
            raise Rejected("no lorry goes there", code="no-lorry")
        if command.kind == "broken":
            raise RuntimeError("the lorry is broken")


class Notification(Context):
    @PaymentReceived.listener
    def thank(self, event: PaymentReceived) -> None:
        if event.order_id == "o-refused":
            raise LookupError("no address")


class Post(Gateway):
    @SendMail.handler
    def send(self, command: SendMail) -> None:
        raise ConnectionError("the post office is closed")


class FulfilOrder(Saga[Order]):
    """Reserve, be paid, wait for what is to be waited for, ship."""

    @step()
    def reserve_goods(self) -> ReserveGoods:
        return ReserveGoods(self.input.order_id)

    @reserve_goods.compensation
    def release_goods(self) -> ReleaseGoods:
        return ReleaseGoods(self.reserve_goods.reservation_id)

    @step(timeout=timedelta(days=15))
    def take_payment(self) -> TakePayment:
        return TakePayment(self.input.order_id, self.input.amount)

    @take_payment.compensation
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(self.take_payment.payment_id)

    @condition
    def is_fetched(self) -> bool:
        return self.input.kind == "fetched"

    @wait(GoodsFetched, within=timedelta(hours=12))
    def goods_fetched(self) -> str:
        return self.input.order_id

    @condition
    def is_slow(self) -> bool:
        return self.input.kind == "slow"

    @sleep
    def rest(self) -> timedelta:
        return timedelta(days=3)

    @condition
    def is_mailed(self) -> bool:
        return self.input.kind == "mailed"

    @step(retry=Retry(attempts=5, first=timedelta(minutes=10), max=timedelta(minutes=10), jitter=0))
    def send_mail(self) -> SendMail:
        return SendMail(self.input.order_id)

    @condition
    def is_lettered(self) -> bool:
        return self.input.kind == "lettered"

    @step()
    def send_letter(self) -> SendLetter:
        return SendLetter(self.input.order_id)

    @step(pivot=True, retry=Retry(attempts=1))
    def ship_goods(self) -> ShipGoods:
        if self.input.kind == "mistaken":
            raise ZeroDivisionError("a mistake of the author,\x1b[31m and \u202e of their terminal")
        return ShipGoods(self.input.order_id, self.input.kind)

    @answer
    def shipped(self) -> str:
        return f"shipped {self.input.order_id}"

    flow = (
        reserve_goods,
        take_payment,
        scope(
            choice(
                (is_fetched, goods_fetched),
                (is_slow, rest),
                (is_mailed, send_mail),
                (is_lettered, send_letter),
            ),
            timeout=timedelta(days=30),
        ),
        ship_goods,
        shipped,
    )


CONTEXTS = [Inventory, Payment, Shipment, Notification, Post]

KINDS = (
    "plain",
    "refused",  # compensated
    "broken",  # compensated, for a technical reason
    "dear",  # refused by payment
    "fetched",  # waits for an event
    "slow",  # sleeps
    "mailed",  # waits for the next attempt
    "lettered",  # parked: no handler
    "mistaken",  # parked: the author's function raised
    "stuck",  # parked: a compensation was refused
    "paused",  # suspended
)


BUSY_KINDS = ("plain", "refused", "dear", "fetched")


def order(kind: str, order_id: str) -> Order:
    return Order(order_id, "fetched" if kind == "paused" else kind, Decimal(5000 if kind == "dear" else 20))


def make(directory: str, **options: Any) -> Runtime:
    return Runtime(directory, contexts=CONTEXTS, sagas=[FulfilOrder], **options)


COMES_TO_REST = {
    "fetched": "wait-begun",
    "paused": "wait-begun",
    "slow": "sleep-begun",
    "mailed": "attempt-failed",
}
"""Kind of order → the record after which it does not move any more by itself; the others end, or are parked."""


def fill(runtime: Runtime) -> None:
    """Start an order of each kind, and wait until it does not move any more."""
    for number, kind in enumerate(KINDS):
        tags = {"region": "north" if number % 2 else "south"}
        order_id = f"o-{kind}"
        handle = runtime.start(FulfilOrder, order(kind, order_id), id=order_id, tags=tags)
        if kind in COMES_TO_REST:
            wait_for(partial(_has, runtime, order_id, COMES_TO_REST[kind]))
        else:
            with suppress(SagaParked):
                handle.wait(20)
    runtime.suspend("o-paused", "the customer wants to think about it")


def _has(runtime: Runtime, saga_id: str, what: str) -> bool:
    return any(entry.what == what for entry in runtime.history(saga_id))


def wait_for(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait until something is so that nobody tells about."""
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not become so in time"
        time.sleep(0.005)


def keep_busy(runtime: Runtime) -> None:
    """Start orders for ever; print a line when the first have ended."""
    for number in count():
        ids = [(kind, f"{kind}-{number}-{each}") for kind in BUSY_KINDS for each in range(10)]
        starts = [Start(FulfilOrder, order(kind, id), id=id) for kind, id in ids]
        handles = runtime.start_many(starts)
        runtime.publish(GoodsFetched(f"fetched-{number}-{number % 10}", "somebody"))
        if number % 5 == 0:
            for handle in handles:
                if "fetched" not in handle.id:
                    handle.wait(30)
            print("round", number, flush=True)


def main(directory: str, what: str) -> None:
    with make(directory) as runtime:
        if what == "busy":
            keep_busy(runtime)
        else:
            fill(runtime)
            print("filled", flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
