"""What is not there parks the sagas that need it, and they go on when it is there again."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from saga import Context, NoHandler, Runtime, Saga, Status, VirtualClock, answer
from saga.times import utc

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Await,
    Book,
    Desk,
    Gate,
    Job,
    Keep,
    Receipt,
    Ring,
    Script,
    Telephone,
    Unbook,
    entered,
    parked,
    texts,
)


def half_a_desk() -> type[Context]:
    """Return a desk that does not file any more."""

    class Desk(Context):
        @Book.handler
        def book(self, command: Book) -> Receipt:
            return Receipt(command.key, 7)

        @Unbook.handler
        def unbook(self, command: Unbook) -> None:
            return None

    return Desk


def test_a_saga_that_needs_an_unknown_handler_is_parked(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep, Ring])
    runtime.start(Ring, Job("a"), id="a")
    assert "no handler for Phone/1" in str(parked(runtime, "a"))
    assert runtime.start(Keep, Job("b"), id="b").wait(DEADLINE).completed


def test_it_goes_on_when_the_handler_is_there(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Ring]) as runtime:
        runtime.start(Ring, Job("a"), id="a")
        parked(runtime, "a")
    runtime = open_runtime(Desk, Telephone, sagas=[Ring])
    assert runtime.handle("a").wait(DEADLINE).completed
    assert any("is there again" in text for text in texts(runtime, "a"))


def test_a_command_that_is_under_way_to_a_handler_that_is_gone_parks_its_saga(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path
) -> None:
    """The context is there, but does not handle the command any more."""
    script, gate = Script(), Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    later = tmp_path / "later"
    shutil.copytree(store, later)  # what a kill would leave
    gate.open()
    with Runtime(later, contexts=[half_a_desk()], sagas=[Keep]) as after:
        assert "no handler for File/1" in str(parked(after, "a"))
        assert "no handler for File/1" in str(parked(after, after.start(Keep, Job("b"), id="b").id))
    with Runtime(later, contexts=[Desk], sagas=[Keep]) as after:
        assert after.handle("a").wait(DEADLINE).completed
        assert after.handle("b").wait(DEADLINE).completed
    assert entered(later, "a") == ["book", "file"]


def test_a_command_under_way_to_a_participant_that_is_gone_parks_its_saga(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path
) -> None:
    script, gate = Script(), Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(lambda: Telephone(script), sagas=[Ring])
    runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    later = tmp_path / "later"
    shutil.copytree(store, later)
    gate.open()
    with Runtime(later, contexts=[Desk], sagas=[Keep, Ring]) as after:
        assert "telephone" in str(parked(after, "a"))
        assert after.start(Keep, Job("b"), id="b").wait(DEADLINE).completed
    with Runtime(later, contexts=[Telephone], sagas=[Ring]) as after:
        assert after.handle("a").wait(DEADLINE).completed


def test_a_saga_whose_class_is_gone_is_parked_when_a_function_is_needed(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path
) -> None:
    script, gate = Script(), Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    later = tmp_path / "later"
    shutil.copytree(store, later)
    gate.open()
    with Runtime(later, contexts=[Desk], sagas=[Await]) as after:
        assert "Keep version 1 is not known" in str(parked(after, "a"))
        assert [row.status for row in after.list()] == [Status.PARKED]
    with Runtime(later, contexts=[Desk], sagas=[Keep]) as after:
        assert after.handle("a").wait(DEADLINE).completed


def test_a_command_that_nobody_handles_cannot_be_sent(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Telephone, sagas=[])
    with pytest.raises(NoHandler):
        runtime.send(Book("a"))


def test_what_is_parked_stays_so_while_nobody_handles_it(open_runtime: OpenRuntime, store: Path) -> None:
    for _ in range(2):
        with Runtime(store, contexts=[Desk], sagas=[Ring]) as runtime:
            runtime.start(Ring, Job("a"), id="a")
            parked(runtime, "a")
            told = texts(runtime, "a")
    assert texts(open_runtime(Desk, sagas=[Ring]), "a") == told


def test_what_is_suspended_goes_on_when_the_handler_is_there_and_it_is_resumed(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Ring]) as runtime:
        runtime.start(Ring, Job("a"), id="a")
        parked(runtime, "a")
        runtime.suspend("a", "let me see")
    runtime = open_runtime(Desk, lambda: Telephone(script), sagas=[Ring, Keep])
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    assert [row.status for row in runtime.list(saga=Ring)] == [Status.SUSPENDED]
    assert not script.calls
    runtime.resume("a")
    assert runtime.handle("a").wait(DEADLINE).completed


def test_an_outcome_that_nobody_can_be_asked_for_parks_its_saga_until_somebody_can(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path
) -> None:
    """Its time ran out while nobody was there, and then its participant is gone."""
    script, gate, clock = Script(), Gate(), VirtualClock()
    script.on("phone", "a", gate)
    runtime = open_runtime(lambda: Telephone(script), sagas=[Ring], clock=clock)
    runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    later = tmp_path / "later"
    shutil.copytree(store, later)
    gate.open()
    later_clock = VirtualClock(utc(clock.now_ms()) + timedelta(days=16))
    with Runtime(later, contexts=[Desk], sagas=[Ring], clock=later_clock) as after:
        assert "telephone" in str(parked(after, "a"))
    with Runtime(later, contexts=[lambda: Telephone(script)], sagas=[Ring], clock=later_clock) as after:
        assert after.handle("a").wait(DEADLINE).status == Status.COMPENSATED
    assert script.calls["call off unknown", "a"] == 1


def test_a_command_to_a_participant_that_is_gone_may_be_skipped(
    open_runtime: OpenRuntime, store: Path, tmp_path: Path
) -> None:
    script, gate = Script(), Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(lambda: Telephone(script), sagas=[Ring])
    runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    later = tmp_path / "later"
    shutil.copytree(store, later)
    gate.open()
    with Runtime(later, contexts=[Desk], sagas=[Ring]) as after:
        parked(after, "a")
        after.mark_done("a", Receipt("a", 1), "called by hand")
        assert after.handle("a").wait(DEADLINE).completed


def test_an_answer_of_a_saga_whose_class_is_gone_is_told_as_it_is_stored(
    open_runtime: OpenRuntime, store: Path
) -> None:
    class Seven(Saga[Job]):
        @answer
        def seven(self) -> int:
            return 7

        flow = seven

    with Runtime(store, sagas=[Seven]) as runtime:
        assert runtime.start(Seven, Job("a"), id="a").wait(DEADLINE).answer == 7
    assert open_runtime(sagas=[]).handle("a").wait(DEADLINE).answer == b"7"
