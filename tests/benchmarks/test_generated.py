"""A generated store is a store: whole, and it goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.dormant import PATTERN, Alarm, Nap, SleepLong
from benchmarks.generated import Copy, copy_saga, new_ids
from benchmarks.measure import KINDS
from benchmarks.sagas import FulfilOrder, order
from saga import Runtime
from saga.verification import verify_store


def test_copies_of_a_saga_that_ended_are_as_whole_as_it_is(tmp_path: Path) -> None:
    kind = KINDS["gateways"]
    with Runtime(tmp_path, contexts=kind.participants, sagas=[FulfilOrder]) as runtime:
        runtime.start(FulfilOrder, order(0), id="a-pattern").wait(10)

    assert copy_saga(tmp_path, "a-pattern", lambda: new_ids(100), "test") == 400

    assert [*verify_store(tmp_path)] == []
    with Runtime(tmp_path, contexts=kind.participants, sagas=[FulfilOrder]) as runtime:
        assert len(runtime.list(status="COMPLETED", limit=1_000)) == 101
        assert runtime.start(FulfilOrder, order(1)).wait(10).completed


def test_copies_that_sleep_wake_when_they_are_due(tmp_path: Path) -> None:
    alarm = Alarm(2)
    with Runtime(tmp_path, contexts=[lambda: alarm], sagas=[SleepLong]) as runtime:
        runtime.start(SleepLong, Nap("x"), id=PATTERN)
    now = time.time_ns() // 1_000_000
    due = [now, now + 1, now + 3_600_000]

    copy_saga(tmp_path, PATTERN, lambda: (Copy(f"due-{ms}", ms) for ms in due), "test")

    assert [*verify_store(tmp_path)] == []
    with Runtime(tmp_path, contexts=[lambda: alarm], sagas=[SleepLong]) as runtime:
        assert [runtime.handle(f"due-{ms}").wait(10).completed for ms in due[:2]] == [True, True]
        assert runtime.find(f"due-{due[2]}").status == "RUNNING"


def test_only_what_is_there_is_copied(tmp_path: Path) -> None:
    with Runtime(tmp_path, contexts=[lambda: Alarm(1)], sagas=[SleepLong]):
        pass

    with pytest.raises(RuntimeError, match="there is no saga 'nobody'"):
        copy_saga(tmp_path, "nobody", lambda: new_ids(1), "test")
