"""A backup is of one moment, is taken while sagas run, and stops nobody."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from saga import CopyFailed, DataLossDetected, Runtime, RuntimeClosed, Start
from saga.store import Finding, StoreFiles, answer, answer_to, ask, copying
from saga.store.asking import Answered, Asked

from .conftest import Failpoint, OpenRuntime
from .inside import crew_of
from .support import (
    DEADLINE,
    Arrange,
    Book,
    Desk,
    Gate,
    Job,
    Journalist,
    Keep,
    Script,
    Telephone,
    entered,
    heard,
    sound,
    statuses,
    together,
    until_status,
)

BUG = ZeroDivisionError("a bug of ours")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def test_everything_that_was_acknowledged_is_in_it_and_goes_on_from_there(
    open_runtime: OpenRuntime, target: Path
) -> None:
    runtime = open_runtime(Desk, Journalist, Telephone, sagas=[Arrange, Keep])
    handles = runtime.start_many(Start(Keep, Job(str(n)), str(n)) for n in range(100))
    runtime.start(Arrange, Job("waits"), id="waits")
    copied = runtime.backup(target)
    assert copied.files == ("saga.db", "desk.db", "journalist.db")
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    sound(target)
    runtime.close()
    restored = open_runtime(Desk, Journalist, Telephone, sagas=[Arrange, Keep], at=target)
    assert all(restored.handle(str(n)).wait(DEADLINE).completed for n in range(100))
    assert all(entered(target, str(n)) == ["book", "file"] for n in range(100))
    assert sorted(heard(target, 101)) == sorted([*map(str, range(100)), "waits"])


def test_what_a_context_is_sent_after_the_moment_is_not_in_it(
    open_runtime: OpenRuntime, store: Path, target: Path
) -> None:
    """Although it has long handled it when the copy is made: else it would know of commits that the copy lacks."""
    script, gate = Script(), Gate()
    script.on("book", "before", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    before = runtime.start(Keep, Job("before"), id="before")
    gate.wait_for_somebody()
    with together(runtime.backup, target) as backup:
        until_snapshot(runtime)
        after = runtime.start(Keep, Job("after"), id="after")
        gate.open()
        assert before.wait(DEADLINE).completed
        assert after.wait(DEADLINE).completed
        backup.result(DEADLINE)
    assert entered(store, "after") == ["book", "file"]
    assert entered(target, "before") == ["book"]
    assert entered(target, "after") == []
    sound(target)
    runtime.close()
    restored = open_runtime(Desk, sagas=[Keep], at=target)
    assert restored.handle("before").wait(DEADLINE).completed
    assert list(statuses(restored)) == ["before"]


def until_snapshot(runtime: Runtime) -> None:
    """Wait until the coordinator has put its marks: what it is asked for now is behind them."""
    crew = crew_of(runtime)
    while not any(type(message).__name__ == "Mark" for message in list(crew.mailboxes["desk"]._messages)):
        pass


def test_a_context_that_is_busy_for_too_long_costs_the_backup_and_nothing_else(
    open_runtime: OpenRuntime, target: Path
) -> None:
    script, gate = Script(), Gate()
    script.on("book", "slow", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    slow = runtime.start(Keep, Job("slow"))
    gate.wait_for_somebody()
    with pytest.raises(CopyFailed, match=r"desk is busy with what began before, for more than 0\.2 s"):
        runtime.backup(target, timeout=0.2)
    assert not os.path.exists(f"{target}.partial")
    gate.open()
    assert slow.wait(DEADLINE).completed
    runtime.backup(target)
    sound(target)


def test_contexts_that_are_not_here_are_copied_too(
    open_runtime: OpenRuntime, store: Path, target: Path
) -> None:
    with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("a")).wait(DEADLINE)
    runtime = open_runtime(Desk, sagas=[Keep])
    assert "journalist.db" in runtime.backup(target).files
    sound(target)


def test_a_context_that_is_down_is_copied_as_it_is(
    open_runtime: OpenRuntime, target: Path, failpoint: Failpoint
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    failpoint.on("desk", "context.before-commit", *[BUG] * 50)
    runtime.start(Keep, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert "desk.db" in runtime.backup(target).files
    sound(target)


def test_a_context_that_goes_down_before_it_is_marked_is_copied_as_it_is(
    open_runtime: OpenRuntime, target: Path, script: Script, failpoint: Failpoint
) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    failpoint.on("desk", "context.before-commit", *[BUG] * 6)
    crew, until = crew_of(runtime), time.monotonic() + DEADLINE
    with together(runtime.backup, target) as backup:
        while not len(crew.mailboxes["desk"]):  # the mark is there
            assert time.monotonic() < until
        gate.open()
        assert "desk.db" in backup.result(DEADLINE).files
    with Runtime(target, contexts=[Desk], sagas=[Keep]) as after:
        assert after.handle("a").wait(DEADLINE).completed
    assert entered(target, "a") == ["book", "file"]


@pytest.mark.parametrize("seam", ["context.after-answer", "context.after-commit"])
def test_a_context_that_dies_beside_its_snapshot_is_copied_all_the_same(
    open_runtime: OpenRuntime, target: Path, failpoint: Failpoint, seam: str
) -> None:
    script, gate = Script(), Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    handle = runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    with together(runtime.backup, target) as backup:
        until_snapshot(runtime)
        failpoint.on("desk", seam, BUG, BUG)
        gate.open()
        backup.result(DEADLINE)
    assert handle.wait(DEADLINE).completed
    sound(target)


def test_snapshots_that_are_of_no_one_moment_are_taken_again(
    open_runtime: OpenRuntime, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    check, answers = copying.check_links, [[Finding("error", "desk.db", "is an old copy")]]
    monkeypatch.setattr(
        copying, "check_links", lambda reader: answers.pop() if answers else list(check(reader))
    )
    runtime.backup(target)
    assert not answers
    sound(target)


def test_a_runtime_that_is_closed_meanwhile_leaves_no_backup(open_runtime: OpenRuntime, target: Path) -> None:
    script, gate = Script(), Gate()
    script.on("book", "slow", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("slow"))
    gate.wait_for_somebody()
    with together(runtime.backup, target) as backup:
        until_snapshot(runtime)
        with together(runtime.close) as closing:
            while not runtime._crew.closed:  # type: ignore[union-attr]
                pass
            gate.open()
            assert closing.result(DEADLINE)
        with pytest.raises(RuntimeClosed):
            backup.result(DEADLINE)
    assert not target.exists()
    assert not os.path.exists(f"{target}.partial")


def test_one_in_memory_is_refused(open_runtime: OpenRuntime, target: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], at=":memory:")
    with pytest.raises(CopyFailed, match="a store in memory cannot be copied"):
        runtime.backup(target)


def test_asyncio_has_it_too(store: Path, target: Path) -> None:
    async def back_up() -> None:
        async with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
            await runtime.backup_async(target)

    asyncio.run(back_up())
    sound(target)


def test_a_context_whose_file_alone_was_put_back_is_refused_also_when_only_sends_were_lost(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path
) -> None:
    """Nobody but the context knows of what was sent to it directly; at the end the coordinator hears of it."""
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        runtime.send(Book("a"))
    shutil.copy(store / "desk.db", tmp_path)
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        for n in range(10):
            runtime.send(Book(str(n)))
    shutil.copy(tmp_path / "desk.db", store)
    with pytest.raises(DataLossDetected, match=r"desk\.db: is an old copy"):
        open_runtime(Desk, sagas=[Keep])


# --- asked for from outside -------------------------------------------------------------------------


def asked(store: Path, what: Asked) -> Answered:
    files = StoreFiles.at(store)
    ask(files, what)
    while (answered := answer_to(files, what)) is None:
        pass
    return answered


def test_it_can_be_asked_for_from_outside(open_runtime: OpenRuntime, store: Path, target: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a")).wait(DEADLINE)
    assert asked(store, Asked("1", directory=str(target))).facts["files"] == ["saga.db", "desk.db"]
    sound(target)
    assert "not empty" in asked(store, Asked("2", directory=str(target))).error
    assert "nothing that this version" in asked(store, Asked("3")).error


def test_what_was_asked_of_an_earlier_run_is_not_carried_out(
    open_runtime: OpenRuntime, store: Path, target: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep]):
        pass
    ask(StoreFiles.at(store), Asked("1", directory=str(target)))
    answer(StoreFiles.at(store), Asked("0"), Answered())
    open_runtime(Desk, sagas=[Keep])
    assert not [name for name in os.listdir(store) if name.startswith(("runtime.request", "runtime.answer"))]
