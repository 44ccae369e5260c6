"""Time: timers fire once, never early, in due order; days pass in milliseconds; a scaled clock goes on."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saga import (
    Runtime,
    Saga,
    ScaledClock,
    Start,
    Status,
    SystemClock,
    UsageError,
    VirtualClock,
    WaitTimeout,
    sleep,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Arrange,
    Confirmed,
    Desk,
    File,
    Gate,
    Job,
    Ring,
    Script,
    Telephone,
    rows,
    wait_until_it_happened,
)


class Doze(Saga[Job]):
    """Sleep so many hours, then file."""

    @sleep
    def nap(self) -> timedelta:
        return timedelta(hours=self.input.size)

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = (nap, filing)


class Until(Saga[Job]):
    @sleep
    def nap(self) -> datetime:
        return datetime(2026, 6, 1, tzinfo=UTC)

    flow = nap


class Patience(Saga[Job]):
    @wait(Confirmed, within=timedelta(hours=12))
    def confirmed(self) -> str:
        return self.input.key

    flow = confirmed


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))


def test_fifteen_days_pass_in_no_time(open_runtime: OpenRuntime, script: Script, clock: VirtualClock) -> None:
    gate = Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(Desk, lambda: Telephone(script), sagas=[Arrange], clock=clock)
    handle = runtime.start(Arrange, Job("a"), id="a")
    gate.wait_for_somebody()
    began = time.monotonic()
    clock.advance(timedelta(days=15))
    wait_until_it_happened(runtime, "a", "resolving")
    gate.open()
    assert handle.wait(DEADLINE).status is Status.COMPENSATED
    assert time.monotonic() - began < 2


def test_a_timer_does_not_fire_early(open_runtime: OpenRuntime, clock: VirtualClock) -> None:
    runtime = open_runtime(Desk, sagas=[Doze], clock=clock)
    handle = runtime.start(Doze, Job("a", 5), id="a")
    for _ in range(4):
        clock.advance(timedelta(hours=1))
    clock.advance(timedelta(minutes=59, seconds=59, milliseconds=999))
    with pytest.raises(WaitTimeout):
        handle.wait(0.05)
    clock.advance(timedelta(milliseconds=1))
    assert handle.wait(DEADLINE).completed
    woke = next(entry for entry in runtime.history("a") if entry.what == "woke")
    assert woke.at == datetime(2026, 1, 1, 5, tzinfo=UTC)


def test_a_point_in_time_may_be_slept_until(open_runtime: OpenRuntime, clock: VirtualClock) -> None:
    runtime = open_runtime(sagas=[Until], clock=clock)
    handle = runtime.start(Until, Job("a"))
    clock.advance(datetime(2026, 6, 1, tzinfo=UTC) - datetime(2026, 1, 1, tzinfo=UTC))
    assert handle.wait(DEADLINE).completed
    assert runtime.start(Until, Job("b")).wait(DEADLINE).completed  # it is past


def test_a_wait_expires(open_runtime: OpenRuntime, clock: VirtualClock) -> None:
    runtime = open_runtime(sagas=[Patience], clock=clock)
    handle = runtime.start(Patience, Job("a"))
    clock.advance(timedelta(hours=12))
    outcome = handle.wait(DEADLINE)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "timeout"


def test_what_fell_due_while_nobody_was_there_fires_once_in_due_order(
    open_runtime: OpenRuntime, store: Path, script: Script, clock: VirtualClock
) -> None:
    with Runtime(store, contexts=[lambda: Desk(script)], sagas=[Doze], clock=clock) as runtime:
        runtime.start_many(Start(Doze, Job(str(n), n), str(n)) for n in (3, 1, 4, 2, 5))
    clock.advance(timedelta(hours=4))
    runtime = open_runtime(lambda: Desk(script), sagas=[Doze], clock=clock)
    for n in range(1, 5):
        assert runtime.handle(str(n)).wait(DEADLINE).completed
    with pytest.raises(WaitTimeout):
        runtime.handle("5").wait(0.02)
    in_order = "SELECT s.id FROM journal j JOIN sagas s ON s.no = j.saga_no WHERE j.seq = 2 ORDER BY j.no"
    assert rows(store, "saga", in_order) == [("1",), ("2",), ("3",), ("4",)]
    assert sorted(script.order) == [("file", str(n)) for n in range(1, 5)]


def test_an_event_that_had_arrived_counts_before_the_time_that_is_up(
    open_runtime: OpenRuntime, store: Path, script: Script, clock: VirtualClock
) -> None:
    """It is in the outbox of a context when the process ends; the deadline passes while nobody is there."""
    with Runtime(store, sagas=[Patience], clock=clock) as runtime:
        runtime.start(Patience, Job("a"), id="a")
        runtime.publish(Confirmed("a"))
        assert runtime.handle("a").wait(DEADLINE).completed
        runtime.start(Patience, Job("b"), id="b")
    clock.advance(timedelta(hours=13))
    runtime = open_runtime(sagas=[Patience], clock=clock)
    assert runtime.handle("b").wait(DEADLINE).status is Status.COMPENSATED


def test_a_thousand_timers_fire(open_runtime: OpenRuntime, clock: VirtualClock) -> None:
    runtime = open_runtime(Desk, sagas=[Doze], clock=clock)
    handles = runtime.start_many(Start(Doze, Job(str(n), 1 + n % 7)) for n in range(1_000))
    for _ in range(7):
        clock.advance(timedelta(hours=1))
    assert all(handle.wait(DEADLINE).completed for handle in handles)


def test_time_that_the_store_has_seen_does_not_come_again(open_runtime: OpenRuntime, store: Path) -> None:
    late = VirtualClock(datetime(2027, 1, 1, tzinfo=UTC))
    with Runtime(store, contexts=[Desk], sagas=[Doze], clock=late) as runtime:
        runtime.start(Doze, Job("a", 1), id="a")
    early = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    runtime = open_runtime(Desk, sagas=[Doze], clock=early)
    assert early.now_ms() >= late.now_ms()
    early.advance(timedelta(hours=1))
    assert runtime.handle("a").wait(DEADLINE).completed


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        VirtualClock().advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="factor"):
        ScaledClock(0)


# --- scaled ---


def test_days_pass_in_moments_on_a_scaled_clock(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Doze], clock=ScaledClock(1_000_000))
    began = time.monotonic()
    assert runtime.start(Doze, Job("a", 24)).wait(DEADLINE).completed
    assert time.monotonic() - began < 10


def test_a_scaled_clock_goes_on_after_a_restart(open_runtime: OpenRuntime, store: Path) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    first = ScaledClock(5_000, start)
    with Runtime(store, sagas=[Doze], clock=first):
        before = first.now_ms()
    second = ScaledClock(5_000, datetime(2020, 1, 1, tzinfo=UTC))  # where it began is in the store
    open_runtime(sagas=[Doze], clock=second)
    assert before <= second.now_ms()
    assert abs(second.now_ms() - first.now_ms()) < 60_000  # as late as if it had gone on all the time


def test_a_scaled_clock_goes_on_with_another_factor(open_runtime: OpenRuntime, store: Path) -> None:
    first = ScaledClock(50_000, datetime(2030, 1, 1, tzinfo=UTC))
    with Runtime(store, sagas=[Doze], clock=first):
        pass
    second = ScaledClock(1)
    runtime = open_runtime(sagas=[Doze], clock=second)
    assert second.now_ms() >= datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1000
    runtime.close()
    third = ScaledClock(1)
    open_runtime(sagas=[Doze], clock=third)
    assert abs(third.now_ms() - second.now_ms()) < 1_000


def test_a_store_of_a_scaled_clock_is_not_opened_with_the_clock_of_the_system(store: Path) -> None:
    with Runtime(store, sagas=[Ring], contexts=[Telephone], clock=ScaledClock(10)):
        pass
    with pytest.raises(UsageError, match="scaled clock"):
        Runtime(store, sagas=[Ring], contexts=[Telephone], clock=SystemClock()).open()
