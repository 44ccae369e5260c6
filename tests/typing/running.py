"""Right uses, checked by mypy and pyright: sagas are started and waited for, from threads and from asyncio."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from payment import CardProcessor, CollectPayment, Payment
from saga import Runtime, SagaConflict, Start, WaitTimeout
from shop import FulfilOrder, Inventory, Notification, OrderPlaced, TakePayment

ORDER = OrderPlaced("42", ("tea",), Decimal(3))


def main() -> str | None:
    with Runtime(
        "shop",
        contexts=[Inventory, Payment, Notification, CardProcessor],
        sagas=[FulfilOrder, CollectPayment],
    ) as runtime:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        try:
            handle = runtime.start(FulfilOrder, ORDER, id="order-42", tags={"region": "north"}, at=at)
        except SagaConflict as conflict:
            return conflict.recorded
        runtime.start(CollectPayment, TakePayment("42", Decimal(3)))
        schedule = runtime.schedule(
            "weekly", FulfilOrder, ORDER, cron="0 3 * * MON", time_zone="Europe/Berlin", missed="skip", overlap="skip"
        )
        if schedule.next_at is None or not runtime.unschedule(schedule.name):
            return schedule.problem
        runtime.start_many([Start(FulfilOrder, ORDER, id=f"order-{number}") for number in range(3)])
        try:
            outcome = handle.wait(timeout=10)
        except WaitTimeout:
            return None
        return outcome.refusal.code if outcome.refusal else outcome.status.value


async def amain() -> str:
    async with Runtime("shop", contexts=[Inventory], sagas=[FulfilOrder]) as runtime:
        handle = await runtime.start_async(FulfilOrder, ORDER, id="order-42")
        return (await handle).id
