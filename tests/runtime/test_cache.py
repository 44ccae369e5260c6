"""Sagas are in memory only while something happens to them; a small cache changes nothing but the speed."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from saga import Rejected, Runtime, SagaParked, Start, Status, VirtualClock

from .conftest import Failpoint, OpenRuntime
from .inside import coordinator_of
from .support import (
    DEADLINE,
    Await,
    Confirmed,
    Desk,
    Gate,
    Job,
    Keep,
    Landline,
    Ring,
    Script,
    entered,
    rows,
    wait_until_it_happened,
)


def cached(runtime: Runtime) -> int:
    return len(coordinator_of(runtime).ledger.cache)


def test_more_sagas_are_active_than_the_cache_holds(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], cache=4)
    handles = runtime.start_many(Start(Keep, Job(str(n)), str(n)) for n in range(300))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert {times for (times,) in rows(store, "desk", "SELECT count(*) FROM entries GROUP BY what, key")} == {
        1
    }
    runtime.start(Keep, Job("last")).wait(DEADLINE)
    assert cached(runtime) <= 4


def test_a_saga_that_waits_is_loaded_when_its_event_comes(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await], cache=2)
    handles = runtime.start_many(Start(Await, Job(str(n))) for n in range(50))
    for n in range(50):
        runtime.publish(Confirmed(str(n)))
    assert all(handle.wait(DEADLINE).completed for handle in handles)


def test_a_saga_that_is_not_in_memory_gets_its_command_again_when_its_gateway_has_died(
    open_runtime: OpenRuntime, script: Script, failpoint: Failpoint
) -> None:
    gate = Gate()
    script.on("phone", "0", gate)
    runtime = open_runtime(lambda: Landline(script), Desk, sagas=[Ring, Keep], cache=2)
    handles = runtime.start_many(Start(Ring, Job(str(n))) for n in range(20))
    gate.wait_for_somebody()
    for n in range(10):
        runtime.start(Keep, Job(f"other {n}")).wait(DEADLINE)
    failpoint.on("landline", "gateway.after-answer", ZeroDivisionError("a bug of ours"))
    gate.open()
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert failpoint.hits


def test_a_command_that_never_left_was_not_done_whether_its_saga_is_in_memory_or_not(
    open_runtime: OpenRuntime, script: Script
) -> None:
    """Out of time while it waited for credit: there is nothing to be undone."""
    clock, gate = VirtualClock(), Gate()
    script.on("phone", "0", gate)
    runtime = open_runtime(lambda: Landline(script), Desk, sagas=[Ring, Keep], cache=2, clock=clock)
    handles = runtime.start_many(Start(Ring, Job(str(n))) for n in range(100))
    gate.wait_for_somebody()
    clock.advance(timedelta(days=16))
    for handle in handles:
        wait_until_it_happened(runtime, handle.id, "resolving")
    gate.open()
    outcomes = [handle.wait(DEADLINE) for handle in handles]
    assert {outcome.status for outcome in outcomes} == {Status.COMPENSATED}
    called_off = [key for what, key in script.order if what.startswith("call off")]
    assert called_off == ["0"], "the one call that was made is called off, and no other"


def test_more_sagas_are_in_flight_at_a_kill_than_the_cache_holds_and_each_goes_on_once(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    gate = Gate()
    script.on("phone", "0", gate)
    runtime = open_runtime(lambda: Landline(script), sagas=[Ring])
    runtime.start_many(Start(Ring, Job(str(n)), f"ring-{n}") for n in range(500))
    gate.wait_for_somebody()
    copy = shutil.copytree(store, store.with_name("copy"))  # as a kill would leave it
    gate.open()

    again = Script()
    runtime = open_runtime(lambda: Landline(again), sagas=[Ring], at=copy, cache=10)

    assert all(runtime.handle(f"ring-{n}").wait(DEADLINE).completed for n in range(500))
    assert again.calls == {("phone", str(n)): 1 for n in range(500)}


def test_sagas_that_wait_for_a_person_take_no_room(open_runtime: OpenRuntime, script: Script) -> None:
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep], max_active=1)
    for key in ("a", "b"):
        script.on("file", key, Rejected("full", code="full"))
        script.on("unbook", key, Rejected("stays", code="stays"))
        with pytest.raises(SagaParked):
            runtime.start(Keep, Job(key), id=key, timeout=DEADLINE).wait(DEADLINE)
    assert runtime.start(Keep, Job("c"), timeout=DEADLINE).wait(DEADLINE).completed


def test_nor_do_they_after_a_restart(open_runtime: OpenRuntime, store: Path, script: Script) -> None:
    script.on("file", "a", Rejected("full", code="full"))
    script.on("unbook", "a", Rejected("stays", code="stays"))
    with (
        Runtime(store, contexts=[lambda: Desk(script)], sagas=[Keep]) as runtime,
        pytest.raises(SagaParked),
    ):
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep], max_active=1)
    assert runtime.start(Keep, Job("c"), timeout=DEADLINE).wait(DEADLINE).completed
    assert entered(store, "a") == ["book"]


def test_many_commands_that_were_under_way_at_a_kill_are_asked_about_some_at_a_time(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.coordination.recovery.COMMANDS_AT_ONCE", 3)
    gate = Gate()
    script.on("book", "0", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start_many(Start(Keep, Job(str(n)), f"keep-{n}") for n in range(10))
    gate.wait_for_somebody()
    copy = shutil.copytree(store, store.with_name("copy"))  # as a kill would leave it
    gate.open()
    runtime = open_runtime(Desk, sagas=[Keep], at=copy)
    assert all(runtime.handle(f"keep-{n}").wait(DEADLINE).completed for n in range(10))
    assert [entered(copy, str(n)) for n in range(10)] == [["book", "file"]] * 10
