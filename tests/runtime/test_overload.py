"""Too much at once: `start` waits for room, then says so, and nothing was stored."""

from __future__ import annotations

import asyncio

import pytest

from saga import Overloaded, Runtime, Start, UnknownSaga

from .conftest import OpenRuntime
from .support import DEADLINE, Desk, Gate, Job, Keep, Script, together


@pytest.fixture
def gate(script: Script) -> Gate:
    """`a` stays at work until it is opened."""
    gate = Gate()
    script.on("book", "a", gate)
    return gate


@pytest.fixture
def full(open_runtime: OpenRuntime, script: Script, gate: Gate) -> Runtime:
    """A runtime which has room for one, and has one."""
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep], max_active=1)
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    return runtime


def test_a_start_beyond_the_limit_is_refused_after_its_timeout(full: Runtime, gate: Gate) -> None:
    with pytest.raises(Overloaded):
        full.start(Keep, Job("b"), id="b", timeout=0.05)
    gate.open()
    assert full.handle("a").wait(DEADLINE).completed
    with pytest.raises(UnknownSaga):
        full.handle("b").wait(DEADLINE)


def test_a_start_beyond_the_limit_waits_for_room(full: Runtime, gate: Gate) -> None:
    """Nothing else happens when room comes: whoever waits must be thought of."""
    with together(full.start, Keep, Job("b"), id="b", timeout=DEADLINE) as started:
        assert not started.done()
        gate.open()
        assert started.result().wait(DEADLINE).completed


def test_all_who_wait_for_room_get_it(full: Runtime, gate: Gate) -> None:
    with (
        together(full.start, Keep, Job("b"), id="b", timeout=DEADLINE) as one,
        together(full.start_many, [Start(Keep, Job(n), n) for n in "cde"], timeout=DEADLINE) as several,
    ):
        gate.open()
        assert one.result().wait(DEADLINE).completed
        assert all(handle.wait(DEADLINE).completed for handle in several.result())


def test_in_asyncio_a_start_beyond_the_limit_waits_without_blocking(full: Runtime, gate: Gate) -> None:
    async def main() -> None:
        with pytest.raises(Overloaded):
            await full.start_async(Keep, Job("b"), id="b", timeout=0.05)
        waiting = asyncio.create_task(full.start_async(Keep, Job("c"), id="c", timeout=DEADLINE))
        await asyncio.sleep(0)
        gate.open()
        handle = await waiting
        assert (await handle).completed

    asyncio.run(main())


def test_what_is_begun_is_finished_before_more_is_begun(
    open_runtime: OpenRuntime, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While answers come to plenty of sagas a start waits for some batches, and for no longer."""
    monkeypatch.setattr("saga.coordination.intake.PLENTY", 1)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    with together(runtime.start_many, [Start(Keep, Job(f"{n}"), f"{n}") for n in range(200)]) as many:
        handles = many.result(DEADLINE)
    for n in range(20):
        handles.append(runtime.start(Keep, Job(f"late-{n}"), id=f"late-{n}", timeout=DEADLINE))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
