"""Gateways: so many calls at a time, at least once each with one key, and an outcome that may stay unknown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from saga import (
    Context,
    DefinitionError,
    Gateway,
    Rejected,
    Runtime,
    Saga,
    Start,
    Status,
    VirtualClock,
    step,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    CallOff,
    Desk,
    Gate,
    Job,
    Landline,
    Phone,
    Receipt,
    Ring,
    Script,
    Telephone,
    Wire,
    texts,
    wait_until_it_happened,
)

KINDS = pytest.mark.parametrize("kind", [Landline, Telephone, Wire])


def blocking(kind: type, gate: Gate) -> Callable[[], Any]:
    """Return what keeps a call of this kind of gateway waiting in a gate."""

    async def wait() -> Receipt:
        await asyncio.to_thread(gate)
        return Receipt("", 1)

    return wait if kind is Wire else gate


class Meter:
    """How many calls there were at the same time, at most."""

    def __init__(self, expected: int) -> None:
        self.most = self.now = 0
        self._lock = threading.Lock()
        self._full = threading.Event()
        self._expected = expected

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == self._expected:
                self._full.set()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1

    def __call__(self) -> None:
        with self:
            assert self._full.wait(DEADLINE), "there were never so many calls"

    async def wait(self) -> Receipt:
        with self:
            await asyncio.to_thread(self._full.wait, DEADLINE)
        return Receipt("", 1)


@pytest.mark.parametrize(("kind", "expected"), [(Landline, 1), (Telephone, 3), (Wire, 3)])
def test_so_many_calls_are_made_at_a_time(
    open_runtime: OpenRuntime, script: Script, kind: type, expected: int
) -> None:
    meter = Meter(expected)
    for n in range(20):
        script.on("phone", str(n), meter.wait if kind is Wire else meter)
    runtime = open_runtime(lambda: kind(script), sagas=[Ring])
    handles = runtime.start_many(Start(Ring, Job(str(n))) for n in range(20))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert meter.most == expected


@KINDS
def test_all_attempts_of_a_command_have_one_key_and_other_commands_have_others(
    open_runtime: OpenRuntime, script: Script, kind: type
) -> None:
    keys: list[tuple[str, str]] = []

    class Noting(kind):  # type: ignore[misc, valid-type]
        if kind is Wire:

            @Phone.handler
            async def phone(self, command: Phone) -> Receipt:
                keys.append((command.key, self.key))
                return script.play("phone", command.key, Receipt(command.key, 1))  # type: ignore[no-any-return]

        else:

            @Phone.handler
            def phone(self, command: Phone) -> Receipt:
                keys.append((command.key, self.key))
                return script.play("phone", command.key, Receipt(command.key, 1))  # type: ignore[no-any-return]

    script.on("phone", "a", OSError("engaged"), OSError("engaged"), None)
    runtime = open_runtime(lambda: Noting(script), sagas=[Ring])
    for id in ("a", "b"):
        assert runtime.start(Ring, Job(id), id=id).wait(DEADLINE).completed
    assert keys == [("a", "a:phoning.1")] * 3 + [("b", "b:phoning.1")]


@KINDS
def test_a_refusal_says_that_nothing_was_done(open_runtime: OpenRuntime, script: Script, kind: type) -> None:
    script.on("phone", "a", Rejected("wrong number", code="wrong"))
    runtime = open_runtime(lambda: kind(script), sagas=[Ring])
    outcome = runtime.start(Ring, Job("a")).wait(DEADLINE)
    assert outcome.status is Status.COMPENSATED
    assert outcome.refusal is not None
    assert outcome.refusal.code == "wrong"
    assert script.order == [("phone", "a")]


@KINDS
def test_what_ends_in_an_exception_may_have_been_done_and_is_undone(
    open_runtime: OpenRuntime, script: Script, kind: type
) -> None:
    script.on("phone", "a", TimeoutError("read timeout"))
    runtime = open_runtime(lambda: kind(script), sagas=[Ring])
    assert runtime.start(Ring, Job("a"), id="a").wait(DEADLINE).status is Status.COMPENSATED
    assert script.order == [("phone", "a")] * 3 + [("call off unknown", "a")]
    assert any("it may have been done all the same" in text for text in texts(runtime, "a"))


@KINDS
def test_an_inquiry_about_a_running_call_waits_for_its_end(
    open_runtime: OpenRuntime, script: Script, kind: type
) -> None:
    clock, gate = VirtualClock(), Gate()
    script.on("phone", "a", blocking(kind, gate))
    runtime = open_runtime(lambda: kind(script), sagas=[Ring], clock=clock)
    handle = runtime.start(Ring, Job("a"), id="a")
    gate.wait_for_somebody()
    clock.advance(timedelta(days=16))
    wait_until_it_happened(runtime, "a", "resolving")
    assert script.order == [("phone", "a")]
    gate.open()
    outcome = handle.wait(DEADLINE)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "timeout"
    assert script.order == [("phone", "a"), ("call off known", "a")]  # it was done, if late


@KINDS
def test_a_call_that_had_not_begun_is_dropped_and_leaves_nothing_to_undo(
    open_runtime: OpenRuntime, script: Script, kind: type
) -> None:
    clock, gates = VirtualClock(), [Gate() for _ in range(3)]
    busy = gates if kind is not Landline else gates[:1]
    for n, gate in enumerate(busy):
        script.on("phone", f"slow {n}", blocking(kind, gate))
    runtime = open_runtime(lambda: kind(script), sagas=[Ring], clock=clock)
    slow = runtime.start_many(Start(Ring, Job(f"slow {n}")) for n in range(len(busy)))
    for gate in busy:
        gate.wait_for_somebody()
    queued = runtime.start_many(Start(Ring, Job(f"queued {n}"), f"queued {n}") for n in range(5))
    for handle in queued:
        wait_until_it_happened(runtime, handle.id, "command-sent")
    clock.advance(timedelta(days=16))
    for handle in queued:
        wait_until_it_happened(runtime, handle.id, "resolving")
    for gate in busy:
        gate.open()
    assert {handle.wait(DEADLINE).status for handle in [*slow, *queued]} == {Status.COMPENSATED}
    assert not [key for _, key in script.order if key.startswith("queued")]


def test_an_answer_does_not_wait_for_the_end_of_the_next_call(
    open_runtime: OpenRuntime, script: Script
) -> None:
    first, second = Gate(), Gate()
    script.on("phone", "a", first)
    script.on("phone", "c", second)
    runtime = open_runtime(lambda: Landline(script), sagas=[Ring])
    runtime.start(Ring, Job("a"))
    first.wait_for_somebody()
    quick = runtime.start(Ring, Job("b"))
    runtime.start(Ring, Job("c"))
    first.open()
    second.wait_for_somebody()
    assert quick.wait(DEADLINE).completed
    second.open()


def test_def_and_async_def_may_stand_beside_each_other(open_runtime: OpenRuntime, script: Script) -> None:
    class Both(Gateway):
        @Phone.handler
        async def phone(self, command: Phone) -> Receipt:
            await asyncio.sleep(0)
            return Receipt(command.key, 1)

        @CallOff.handler
        def call_off(self, command: CallOff) -> None:
            script.play("call off", command.key)

    runtime = open_runtime(Both, sagas=[Ring])
    handles = runtime.start_many(Start(Ring, Job(str(n)), str(n)) for n in range(20))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert runtime.send(CallOff("a", True)) is None


# --- a gateway of a context ---


class Phonebook(Gateway, context=Desk):
    """Looks up in the desk's own file what is not in the command."""

    concurrency = 2

    @Phone.handler
    def phone(self, command: Phone) -> Receipt:
        found = self.db.execute("SELECT count(*) FROM entries WHERE key = ?", [command.key])
        return Receipt(command.key, found.fetchone()[0])


def test_a_gateway_reads_the_file_of_its_context(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Phonebook)
    for _ in range(3):
        runtime.send(Book("a"))
    assert runtime.send(Phone("a")) == Receipt("a", 3)


def test_a_gateway_cannot_write_there(open_runtime: OpenRuntime, store: Path) -> None:
    class Vandal(Gateway, context=Desk):
        @Phone.handler
        def phone(self, command: Phone) -> Receipt:
            self.db.execute("DELETE FROM entries")
            return Receipt(command.key, 0)

    runtime = open_runtime(Desk, Vandal)
    runtime.send(Book("a"))
    with pytest.raises(Exception, match="readonly"):
        runtime.send(Phone("a"))


def test_a_gateway_without_a_context_has_no_database(open_runtime: OpenRuntime) -> None:
    class Lonely(Gateway):
        @Phone.handler
        def phone(self, command: Phone) -> Receipt:
            return Receipt(command.key, self.db.execute("SELECT 1").fetchone()[0])

    runtime = open_runtime(Lonely)
    with pytest.raises(Exception, match="has no context"):
        runtime.send(Phone("a"))


def test_an_outcome_that_may_stay_unknown_needs_a_compensation_that_knows() -> None:
    class Careless(Saga[Job]):
        @step()
        def phoning(self) -> Phone:
            return Phone(self.input.key)

        @phoning.compensation
        def calling_off(self) -> CallOff:
            return CallOff(self.input.key, True)

        flow = (phoning,)

    with pytest.raises(DefinitionError, match="may stay unknown"):
        Runtime(":memory:", contexts=[Telephone], sagas=[Careless])


def test_two_participants_do_not_handle_one_command_or_have_one_name() -> None:
    class Other(Context):
        @Book.handler
        def book(self, command: Book) -> Receipt:
            return Receipt(command.key, 1)

    with pytest.raises(DefinitionError, match="handles Book"):
        Runtime(":memory:", contexts=[Desk, Other])
    with pytest.raises(DefinitionError, match="second participant 'desk'"):
        Runtime(":memory:", contexts=[Desk, Desk])
