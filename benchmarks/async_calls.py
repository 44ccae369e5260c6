"""An async gateway that makes calls of 100 ms, up to 2,000 at a time: calls per second, and what each costs.

2,000 at a time would be 20,000 a second if they cost nothing. What they cost is the processor's time of one call: all
threads share one interpreter, so its reciprocal is the limit.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import Figure, Size
from benchmarks.measure import KINDS, check_outcomes, fresh_directory, run_all, starts
from benchmarks.progress import say
from benchmarks.sagas import (
    FulfilOrder,
    GoodsReserved,
    PaymentTaken,
    RefundPayment,
    ReleaseGoods,
    ReserveGoods,
    ShipGoods,
    TakePayment,
    order,
)
from saga import Gateway, Runtime

__all__ = ["FIGURES", "measure"]

FIGURES = ("gateway.async_calls", "gateway.async_cpu_us", "gateway.async_cores")
SIZES: dict[Size, tuple[int, int]] = {"tiny": (30, 1), "quick": (1_000, 1), "full": (20_000, 3)}
"""Sagas of three calls each, repeats."""

CALL_S = 0.1


class Remote(Gateway):
    """The other side of the network."""

    concurrency = 2_000

    @ReserveGoods.handler
    async def reserve(self, command: ReserveGoods) -> GoodsReserved:
        await asyncio.sleep(CALL_S)
        return GoodsReserved(f"r-{command.order_id}")

    @TakePayment.handler
    async def take(self, command: TakePayment) -> PaymentTaken:
        await asyncio.sleep(CALL_S)
        return PaymentTaken(f"p-{command.order_id}")

    @ShipGoods.handler
    async def ship(self, command: ShipGoods) -> None:
        await asyncio.sleep(CALL_S)

    @ReleaseGoods.handler
    async def release(self, command: ReleaseGoods) -> None: ...

    @RefundPayment.handler
    async def refund(self, command: RefundPayment) -> None: ...


def measure(size: Size) -> list[Figure]:
    sagas, repeats = SIZES[size]
    calls, cpu_us, cores = [], [], []
    for number in range(repeats):
        say(f"async calls {number + 1}/{repeats}")
        seconds, cpu_s = _run(sagas)
        calls.append(3 * sagas / seconds)
        cpu_us.append(cpu_s / (3 * sagas) * 1e6)
        cores.append(cpu_s / seconds)
    note = f"{CALL_S * 1000:g} ms a call, {Remote.concurrency:,} at a time"
    return [
        Figure("gateway.async_calls", calls, "calls/s", "higher", note=note),
        Figure(
            "gateway.async_cpu_us",
            cpu_us,
            "µs",
            "lower",
            note="the processor's time of one call, all included",
        ),
        Figure(
            "gateway.async_cores",
            cores,
            "cores",
            "lower",
            note="busy meanwhile; 1 is the interpreter's limit",
        ),
    ]


def _run(sagas: int) -> tuple[float, float]:
    """Return how long it took, and the processor's time, in seconds."""
    kind = KINDS["gateways"]
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=[Remote], sagas=[FulfilOrder]) as runtime,
    ):
        runtime.start(FulfilOrder, order(-1)).wait(10)
        waiting = starts(kind, sagas)
        began, cpu_began = time.perf_counter(), time.process_time()
        completed = run_all(runtime, waiting)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
    check_outcomes(kind, sagas, completed)
    return seconds, cpu_s
