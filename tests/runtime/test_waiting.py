"""Waiting for sagas: from threads and from asyncio, and many at once."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from saga import (
    Rejected,
    Runtime,
    SagaParked,
    Start,
    Status,
    UnknownSaga,
    WaitTimeout,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Await,
    Book,
    Confirmed,
    Desk,
    Gate,
    Job,
    Keep,
    Phone,
    Receipt,
    Ring,
    Script,
    Telephone,
    together,
)


def test_a_wait_ends_when_its_time_is_up_and_the_saga_goes_on(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.start(Await, Job("a"), id="a")
    with pytest.raises(WaitTimeout, match="saga 'a'"):
        handle.wait(0.01)
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed


def test_a_wait_for_a_saga_that_is_not_there_says_so(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.handle("a")
    for _ in range(2):
        with pytest.raises(UnknownSaga):
            handle.wait(DEADLINE)
    runtime.start(Await, Job("a"), id="a")
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed  # now it is


def test_a_refusal_is_an_outcome(open_runtime: OpenRuntime, script: Script) -> None:
    script.on("file", "a", Rejected("the drawer is full", code="full"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    outcome = runtime.start(Keep, Job("a")).wait(DEADLINE)
    assert outcome.status is Status.COMPENSATED
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.reason) == ("full", "the drawer is full")


def test_a_saga_that_needs_a_person_is_told_to_everybody_who_waits(
    open_runtime: OpenRuntime, script: Script
) -> None:
    gate = Gate()
    script.on("unbook", "a", Rejected("never", code="never"), None)
    script.on("file", "a", lambda: gate() or Rejected("full", code="full"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    handle = runtime.start(Keep, Job("a"), id="a")
    with together(handle.wait, DEADLINE) as one, together(runtime.handle("a").wait, DEADLINE) as other:
        gate.open()
        for waiter in (one, other):
            assert isinstance(waiter.exception(DEADLINE), SagaParked)
    with pytest.raises(SagaParked, match="never"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    assert handle.wait(DEADLINE).status is Status.COMPENSATED


def test_many_threads_wait_for_one_saga(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.start(Await, Job("a"), id="a")
    ended: list[Status] = []
    threads = [threading.Thread(target=lambda: ended.append(handle.wait(DEADLINE).status)) for _ in range(50)]
    for thread in threads:
        thread.start()
    runtime.publish(Confirmed("a"))
    for thread in threads:
        thread.join(DEADLINE)
    assert ended == [Status.COMPLETED] * 50


def test_a_handle_tells_of_a_saga_that_ended_in_an_earlier_life(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        before = runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    runtime = open_runtime(Desk, sagas=[Keep])
    assert runtime.handle("a").wait(DEADLINE) == before


# --- asyncio ---


def test_everything_has_its_form_in_asyncio(store: Path) -> None:
    async def main() -> None:
        async with Runtime(store, contexts=[Desk, Telephone], sagas=[Keep, Await, Ring]) as runtime:
            handle = await runtime.start_async(Keep, Job("a"), id="a")
            assert (await handle).completed
            many = await runtime.start_many_async([Start(Await, Job(n), n) for n in "bc"])
            assert await runtime.publish_async(Confirmed("b"))
            assert await runtime.publish_async(Confirmed("c"))
            assert [(await handle).completed for handle in many] == [True, True]
            assert await runtime.send_async(Book("d")) == Receipt("d", 7)
            assert await runtime.send_async(Phone("e")) == Receipt("e", 1)
            with pytest.raises(UnknownSaga):
                await runtime.handle("nobody")

    asyncio.run(main())


def test_thousands_are_awaited_and_the_loop_goes_on(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await], max_active=10_000)

    async def tick(gaps: list[float]) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async def main() -> None:
        gaps: list[float] = []
        ticker = asyncio.create_task(tick(gaps))
        handles = await runtime.start_many_async([Start(Await, Job(str(n))) for n in range(2_000)])
        waiting = asyncio.gather(*handles)
        for n in range(0, 2_000, 10):
            await asyncio.gather(*(runtime.publish_async(Confirmed(str(n + m))) for m in range(10)))
        outcomes = await waiting
        ticker.cancel()
        assert all(outcome.completed for outcome in outcomes)
        assert len(gaps) > 200
        assert sorted(gaps)[len(gaps) // 2] < 0.01, "the loop stood still"

    asyncio.run(main())


def test_an_await_may_be_given_up(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.start(Await, Job("a"), id="a")

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await handle
        task = asyncio.create_task(until_the_end())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def until_the_end() -> None:
        await handle

    asyncio.run(main())
    assert handle._completion._waiters == []
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed


def test_an_end_that_comes_after_the_loop_is_closed_harms_nobody(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.start(Await, Job("a"), id="a")
    loop = asyncio.new_event_loop()
    task = loop.create_task(_wait_for(handle))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed
    task._log_destroy_pending = False  # type: ignore[attr-defined]


async def _wait_for(handle: object) -> None:
    await handle  # type: ignore[misc]


def test_a_call_that_is_cancelled_in_asyncio_is_carried_out_all_the_same(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])

    async def main() -> None:
        starting = asyncio.create_task(runtime.start_async(Keep, Job("a"), id="a"))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(main())
    assert runtime.start(Keep, Job("b"), id="b").wait(DEADLINE).completed
    assert runtime.handle("a").wait(DEADLINE).completed
