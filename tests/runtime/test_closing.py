"""A close ends what is running, begins nothing new, and waits only so long."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from saga import Runtime, RuntimeClosed, Start, Status, StoreInUse, seams
from saga.coordination.requests import Query, Tick
from saga.store import StoreReader

from .conftest import OpenRuntime
from .inside import crew_of
from .support import (
    DEADLINE,
    Await,
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
    entered,
    heard,
    together,
)


def test_a_runtime_that_is_closed_says_so(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    handle = runtime.start(Keep, Job("a"))
    outcome = handle.wait(DEADLINE)
    assert runtime.close()
    assert runtime.close()
    for call in (
        lambda: runtime.start(Keep, Job("b")),
        lambda: runtime.handle("a"),
        runtime.list,
        lambda: runtime.history("a"),
        lambda: runtime.cancel("a"),
        lambda: asyncio.run(runtime.start_async(Keep, Job("b"))),
    ):
        with pytest.raises(RuntimeClosed):
            call()
    assert handle.wait(0) == outcome  # what is known stays known


def test_a_runtime_that_was_never_opened_says_so(store: Path) -> None:
    runtime = Runtime(store, contexts=[Desk], sagas=[Keep])
    with pytest.raises(RuntimeClosed):
        runtime.start(Keep, Job("a"))
    assert runtime.close()


def test_whoever_waits_when_it_closes_is_told(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(sagas=[Await])
    handle = runtime.start(Await, Job("a"), id="a")
    with together(handle.wait, DEADLINE) as waiting, together(handle.wait, DEADLINE) as also:
        runtime.close()
        for waiter in (waiting, also):
            assert isinstance(waiter.exception(DEADLINE), RuntimeClosed)
    with pytest.raises(RuntimeClosed):
        handle.wait(0)


def test_a_handler_that_is_running_ends_and_what_it_did_counts(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    with together(runtime.close) as closing:
        gate.open()
        assert closing.result(DEADLINE)
    assert entered(store, "a") == ["book"]
    with StoreReader.open(store) as reader:
        assert len(reader.journal(1)) == 2  # started, booked


@pytest.mark.parametrize("kind", [Desk, Landline, Telephone, Wire])
def test_what_has_not_begun_does_not_begin_any_more(
    open_runtime: OpenRuntime, store: Path, script: Script, kind: type
) -> None:
    saga, what = (Keep, "book") if kind is Desk else (Ring, "phone")
    gates = [Gate() for _ in range(3)]
    for n, gate in enumerate(gates):
        script.on(what, f"slow-{n}", gate if kind is not Wire else as_coroutine(gate))
    runtime = open_runtime(lambda: kind(script), sagas=[Keep, Ring])
    runtime.start_many(Start(saga, Job(f"slow-{n}"), f"slow-{n}") for n in range(3))
    gates[0].wait_for_somebody()
    runtime.start_many(Start(saga, Job(str(n)), str(n)) for n in range(50))
    with together(runtime.close) as closing:
        while not runtime._crew.closed:  # type: ignore[union-attr]
            pass
        for gate in gates:
            gate.open()
        assert closing.result(DEADLINE)
    assert sum(script.calls[what, str(n)] for n in range(50)) == 0
    after = open_runtime(lambda: kind(script), sagas=[Keep, Ring])
    assert all(after.handle(str(n)).wait(DEADLINE).completed for n in range(50))
    assert {script.calls[what, str(n)] for n in range(50)} == {1}


def as_coroutine(gate: Gate) -> object:
    async def wait() -> Receipt:
        await asyncio.to_thread(gate)
        return Receipt("", 1)

    return wait


def test_a_close_does_not_wait_for_a_handler_that_hangs(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    """The store stays locked: when the handler returns after all it still writes into its context's file."""
    gate = Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    began = time.monotonic()
    assert not runtime.close(timeout=0.4)
    assert time.monotonic() - began < 2
    with pytest.raises(StoreInUse):
        Runtime(store, contexts=[Desk], sagas=[Keep]).open()
    with StoreReader.open(store) as reader:
        assert reader.store().clean  # all that had arrived is journaled
    gate.open()
    after = open_soon(store)
    try:
        assert after.handle("a").wait(DEADLINE).completed
    finally:
        after.close()
    assert entered(store, "a") == ["book", "file"]


def open_soon(store: Path) -> Runtime:
    """Open the store as soon as the handler that hangs in the one before has returned."""
    until = time.monotonic() + DEADLINE
    while True:
        try:
            return Runtime(store, contexts=[Desk], sagas=[Keep]).open()
        except StoreInUse:
            assert time.monotonic() < until


@pytest.mark.parametrize("kind", [Landline, Telephone, Wire])
def test_a_close_does_not_wait_for_a_call_that_hangs(
    open_runtime: OpenRuntime, script: Script, kind: type
) -> None:
    gate = Gate()
    script.on("phone", "a", gate if kind is not Wire else as_coroutine(gate))
    runtime = open_runtime(lambda: kind(script), sagas=[Ring])
    runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    assert not runtime.close(timeout=0.2)
    script.on("phone", "a", None)
    after = open_runtime(
        lambda: kind(script), sagas=[Ring]
    )  # a gateway has no file: it may be opened at once
    assert after.handle("a").wait(DEADLINE).status is Status.COMPLETED
    gate.open()
    until = time.monotonic() + DEADLINE
    while any(actor.actor_class.__name__ == "GatewayActor" for actor in gateways(after)):
        assert time.monotonic() < until


def gateways(runtime: Runtime) -> list[object]:
    """Return the actors of gateways that do not belong to this runtime."""
    import pykka

    crew = crew_of(runtime)
    return [
        actor
        for actor in pykka.ActorRegistry.get_all()
        if actor.actor_class.__name__ == "GatewayActor" and actor not in crew._workers.values()
    ]


HANGING = """
import sys, threading
from pathlib import Path
from saga import Runtime
from tests.runtime.support import *

for kind in (Desk, Landline, Telephone, Wire):
    script, gate, forever = Script(), threading.Event(), threading.Event()
    def hang():
        gate.set()
        forever.wait()
    script.on("book", "a", hang)
    script.on("phone", "a", hang)
    runtime = Runtime(Path(sys.argv[1]) / kind.__name__, contexts=[lambda: kind(script)], sagas=[Keep, Ring]).open()
    runtime.start(Keep if kind is Desk else Ring, Job("a"), id="a")
    gate.wait()
    assert not runtime.close(timeout=0.1)
print("over")
"""


def test_a_process_ends_although_handlers_hang(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent.parent
    run = subprocess.run(
        [sys.executable, "-c", HANGING, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (run.returncode, run.stdout[-5:]) == (0, "over\n"), run.stderr


def test_a_command_that_was_not_answered_when_it_closes_is_told(
    open_runtime: OpenRuntime, script: Script
) -> None:
    gate = Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(lambda: Landline(script))
    with together(runtime.send, Phone("a")) as first, together(runtime.send, Phone("b")) as second:
        gate.wait_for_somebody()
        with together(runtime.close) as closing:
            while not runtime._crew.closed:  # type: ignore[union-attr]
                pass
            gate.open()
            assert closing.result(DEADLINE)
        assert first.result(DEADLINE) == Receipt("a", 1)
        assert isinstance(second.exception(DEADLINE), RuntimeClosed)


def test_all_that_had_arrived_is_taken_before_the_coordinator_closes(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when that is more than it takes at once."""
    gate = Gate()

    def hook(seam: str) -> None:
        if seam == "coordinator.after-dispatch" and threading.current_thread().name == "saga-coordinator":
            monkeypatch.setattr(seams, "hook", None)
            gate()

    runtime = open_runtime(Desk, sagas=[Keep])
    crew = crew_of(runtime)
    replies: list[Future[Any]] = [Future() for _ in range(3_000)]
    monkeypatch.setattr(seams, "hook", hook)
    crew.inbox.post(Tick())
    gate.wait_for_somebody()
    crew.inbox.post_many([Query(lambda connection: 7, reply) for reply in replies])
    with together(runtime.close, DEADLINE) as closing:
        until = time.monotonic() + DEADLINE
        while "coordinator" not in crew._closes:  # it has been told
            assert time.monotonic() < until
        gate.open()
        assert closing.result(DEADLINE)
    assert [reply.result(0) for reply in replies] == [7] * 3_000


def test_a_store_stays_locked_until_the_last_handler_that_hangs_has_returned(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    gates = {"file": Gate(), "hear": Gate()}
    for what, gate in gates.items():
        script.on(what, "a", gate)
    runtime = open_runtime(lambda: Desk(script), lambda: Journalist(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    for gate in gates.values():
        gate.wait_for_somebody()
    assert not runtime.close(timeout=0.2)
    gates["hear"].open()
    assert heard(store, 1) == ["a"]
    with pytest.raises(StoreInUse):
        Runtime(store, contexts=[Desk], sagas=[Keep]).open()
    gates["file"].open()
    after = open_soon(store)
    try:
        assert after.handle("a").wait(DEADLINE).completed
    finally:
        after.close()


@pytest.mark.parametrize("kind", [Telephone, Wire])
def test_what_the_application_has_sent_and_nobody_has_begun_is_not_begun(
    open_runtime: OpenRuntime, script: Script, kind: type
) -> None:
    gate = Gate()
    for key in "abc":
        script.on("phone", key, gate if kind is Telephone else as_coroutine(gate))
    runtime = open_runtime(lambda: kind(script))
    crew, until = crew_of(runtime), time.monotonic() + DEADLINE
    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(runtime.send, Phone(key), timeout=DEADLINE) for key in "abc"]
        for _ in begun:
            gate.wait_for_somebody()
        waiting = pool.submit(runtime.send, Phone("d"), timeout=DEADLINE)
        while len(runtime._line._outstanding) < 4 or len(crew.mailboxes[kind.__name__.lower()]):
            assert time.monotonic() < until
        with together(runtime.close) as closing:
            while not crew.closed:
                assert time.monotonic() < until
            gate.open()
            closing.result(DEADLINE)
        assert isinstance(waiting.exception(DEADLINE), RuntimeClosed)
    assert script.calls["phone", "d"] == 0
