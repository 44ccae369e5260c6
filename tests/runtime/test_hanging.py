"""What hangs is reported, with its stack, and holds up nobody else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from saga import Runtime, Saga, answer

from .conftest import OpenRuntime
from .inside import crew_of
from .support import (
    DEADLINE,
    Booked,
    Desk,
    Gate,
    Job,
    Journalist,
    Keep,
    Landline,
    Phone,
    Receipt,
    Ring,
    Script,
    Telephone,
    Wire,
    together,
)

AT_ONCE = timedelta(microseconds=1)


@pytest.fixture
def said() -> Iterator[list[Any]]:
    """What is logged, as dictionaries."""
    with structlog.testing.capture_logs() as entries:
        yield entries  # type: ignore[misc]


def reports(runtime: Runtime, said: list[Any]) -> list[Any]:
    """Have the supervisor look, which it does each second, and return what it reported."""
    crew = crew_of(runtime)
    crew._look()
    crew._supervisor.proxy().actor_urn.get(timeout=DEADLINE)  # behind the look
    return [entry for entry in said if entry["event"] == "call_hangs"]


async def _until(gate: Gate) -> Receipt:
    await asyncio.to_thread(gate)
    return Receipt("", 1)


@pytest.mark.parametrize("kind", [Landline, Telephone, Wire])
def test_a_call_that_hangs_is_reported_once(
    open_runtime: OpenRuntime, script: Script, said: list[Any], kind: type
) -> None:
    gate = Gate()
    script.on("phone", "a", (lambda: _until(gate)) if kind is Wire else gate)
    runtime = open_runtime(lambda: kind(script), Desk, sagas=[Ring, Keep], hang_limit=AT_ONCE)
    handle = runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    (report,) = reports(runtime, said)
    assert report["participant"] == kind.__name__.lower()
    assert f"{kind.__name__}.phone" in report["call"]
    assert "phone" in report["stack"]
    assert len(reports(runtime, said)) == 1
    assert runtime.start(Keep, Job("b")).wait(DEADLINE).completed
    gate.open()
    assert handle.wait(DEADLINE).completed


def test_a_call_that_keeps_its_loop_from_going_on_is_reported_with_where_it_is(
    open_runtime: OpenRuntime, script: Script, said: list[Any]
) -> None:
    gate = Gate()
    script.on("phone", "a", gate)  # waits in the loop's own thread
    runtime = open_runtime(lambda: Wire(script), sagas=[Ring], hang_limit=AT_ONCE)
    handle = runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    (report,) = reports(runtime, said)
    assert "script.play" in report["stack"]
    gate.open()
    assert handle.wait(DEADLINE).completed


def test_a_handler_of_a_context_that_hangs_is_reported(
    open_runtime: OpenRuntime, script: Script, said: list[Any]
) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), Telephone, sagas=[Keep, Ring], hang_limit=AT_ONCE)
    handle = runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    (report,) = reports(runtime, said)
    assert report["participant"] == "desk"
    assert "script.play" in report["stack"]
    assert runtime.start(Ring, Job("b")).wait(DEADLINE).completed
    gate.open()
    assert handle.wait(DEADLINE).completed


def test_a_listener_that_hangs_is_reported(
    open_runtime: OpenRuntime, script: Script, said: list[Any]
) -> None:
    gate = Gate()
    script.on("hear", "a", gate)
    runtime = open_runtime(lambda: Journalist(script), hang_limit=AT_ONCE)
    runtime.publish(Booked("a"))
    gate.wait_for_somebody()
    (report,) = reports(runtime, said)
    assert "Journalist.hear" in report["call"]
    gate.open()


def test_an_author_s_function_that_holds_up_the_coordinator_is_reported(
    open_runtime: OpenRuntime, said: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.actors.crew.AUTHOR_LIMIT_S", 0.0)
    runtime = open_runtime(sagas=[Slow])
    with pytest.MonkeyPatch.context() as patch:
        gate = Gate()
        patch.setattr(Slow, "gate", gate)
        with together(runtime.start, Slow, Job("a")) as started:
            gate.wait_for_somebody()
            (report,) = reports(runtime, said)
            assert (report["participant"], report["call"]) == ("coordinator", "number")
            assert "in number" in report["stack"]
            gate.open()
            assert started.result(DEADLINE).wait(DEADLINE).answer == 1


class Slow(Saga[Job]):
    gate: Any = None

    @answer
    def number(self) -> int:
        self.gate()
        return 1

    flow = number


def test_a_context_that_was_restarted_is_watched_in_its_new_thread(
    open_runtime: OpenRuntime, script: Script, said: list[Any], failpoint: Any
) -> None:
    gate = Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep], hang_limit=AT_ONCE)
    failpoint.on("desk", "context.before-commit", ZeroDivisionError("a bug of ours"))
    handle = runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    (report,) = reports(runtime, said)
    assert "script.play" in report["stack"]
    gate.open()
    assert handle.wait(DEADLINE).completed


EXITING = """
import sys, threading
from datetime import timedelta
from pathlib import Path
from saga import *
from tests.runtime.support import *
script = Script()
script.on("phone", "a", threading.Event().wait)
with Runtime(Path(sys.argv[1]), contexts=[lambda: Telephone(script)], sagas=[Ring],
             hang_limit=timedelta(milliseconds=10), on_hang="exit") as runtime:
    runtime.start(Ring, Job("a"), id="a").wait()
"""


def test_with_the_policy_exit_the_process_exits_and_the_journal_recovers(
    open_runtime: OpenRuntime, store: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", EXITING, str(store)],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert run.returncode == 70
    assert "telephone hangs in Telephone.phone" in run.stderr
    runtime = open_runtime(Telephone, sagas=[Ring])
    assert runtime.handle("a").wait(DEADLINE).completed


def test_a_phone_that_is_not_answered_does_not_hang_the_application(
    open_runtime: OpenRuntime, script: Script
) -> None:
    gate = Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(lambda: Landline(script))
    with pytest.raises(TimeoutError):
        runtime.send(Phone("a"), timeout=0.01)
    gate.open()
