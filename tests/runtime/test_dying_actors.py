"""An actor that dies of a bug of ours is restarted, with nothing lost; too often, and it is down, alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from saga import CommandFailed, Runtime, SagaParked, Start, StoreFailed
from saga.actors.gateway import _Failed

from .conftest import Failpoint, OpenRuntime
from .inside import crew_of
from .support import (
    DEADLINE,
    Book,
    Desk,
    File,
    Gate,
    Job,
    Journalist,
    Keep,
    Landline,
    Phone,
    Ring,
    Script,
    Telephone,
    Wire,
    entered,
    heard,
    together,
)

BUG = ZeroDivisionError("a bug of ours")


@pytest.mark.parametrize("seam", ["context.before-commit", "context.after-commit", "context.after-answer"])
def test_a_context_that_dies_has_every_effect_once(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint, seam: str
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    failpoint.on("desk", seam, BUG, None, BUG)
    handles = runtime.start_many(Start(Keep, Job(n), n) for n in "abcde")
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert [entered(store, n) for n in "abcde"] == [["book", "file"]] * 5
    assert failpoint.hits["desk", seam]


def test_events_of_a_context_that_dies_before_it_can_tell_are_not_lost(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    """They are in its outbox, and later events must not pass them."""
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    runtime.start(Keep, Job("a")).wait(DEADLINE)
    failpoint.on("desk", "context.after-commit", BUG)
    runtime.start(Keep, Job("b")).wait(DEADLINE)
    assert failpoint.hits
    runtime.start(Keep, Job("c")).wait(DEADLINE)
    assert heard(store, 3) == ["a", "b", "c"]


def test_an_event_that_nobody_follows_is_not_lost_either(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    failpoint.on("desk", "context.after-commit", BUG)
    runtime.send(Book("a"), id="a")
    assert heard(store, 1) == ["a"]


def test_a_command_that_the_application_sent_is_answered_by_the_successor(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    runtime = open_runtime(Desk)
    for seam in ("context.before-commit", "context.after-commit"):
        failpoint.on("desk", seam, BUG)
        assert runtime.send(Book(seam), timeout=DEADLINE).number == 7
        assert entered(store, seam) == ["book"]


def test_a_listener_that_dies_hears_every_event_once(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    failpoint.on("journalist", "context.before-commit", None, BUG, None, BUG)
    failpoint.on("journalist", "context.after-commit", BUG)
    for n in "abcdef":
        runtime.start(Keep, Job(n)).wait(DEADLINE)
    assert heard(store, 6) == list("abcdef")


def test_a_gateway_that_dies_is_asked_again(
    open_runtime: OpenRuntime, script: Script, failpoint: Failpoint
) -> None:
    runtime = open_runtime(lambda: Landline(script), sagas=[Ring])
    failpoint.on("landline", "gateway.after-answer", BUG, None, BUG)
    handles = runtime.start_many(Start(Ring, Job(n)) for n in "abc")
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert failpoint.hits["landline", "gateway.after-answer"]


def test_a_context_that_dies_too_often_is_down_and_the_others_go_on(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    runtime = open_runtime(Desk, Landline, sagas=[Keep, Ring])
    failpoint.on("desk", "context.before-commit", *[BUG] * 6)
    handle = runtime.start(Keep, Job("a"), id="a")
    with pytest.raises(SagaParked, match="desk is down: ZeroDivisionError"):
        handle.wait(DEADLINE)
    with pytest.raises(SagaParked, match="desk is down"):
        runtime.start(Keep, Job("b"), id="b").wait(DEADLINE)
    assert runtime.start(Ring, Job("c")).wait(DEADLINE).completed
    with pytest.raises(CommandFailed, match="down"):
        runtime.send(File("a"), timeout=DEADLINE)
    runtime.close()
    with Runtime(store, contexts=[Desk, Landline], sagas=[Keep, Ring]) as after:
        assert after.handle("a").wait(DEADLINE).completed
        assert after.handle("b").wait(DEADLINE).completed


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_a_context_that_cannot_be_made_again_is_down(
    open_runtime: OpenRuntime, failpoint: Failpoint, error: BaseException
) -> None:
    made: list[Desk] = []

    def make() -> Desk:
        if made:
            raise error
        made.append(Desk())
        return made[0]

    runtime = open_runtime(make, Landline, sagas=[Keep, Ring])
    failpoint.on("desk", "context.before-commit", BUG)
    with pytest.raises(SagaParked, match=f"desk is down: {type(error).__name__}"):
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    assert runtime.start(Ring, Job("c")).wait(DEADLINE).completed


class Asked(Exception):
    """Whoever asks for its class gets another error."""

    @property
    def __class__(self) -> Any:
        raise SystemExit


@pytest.mark.parametrize("kind", [Desk, Landline])
@pytest.mark.parametrize("again", ["another class", "an error that cannot be asked for its class"])
def test_a_participant_that_is_not_made_as_before_is_down(
    open_runtime: OpenRuntime, failpoint: Failpoint, kind: type, again: str
) -> None:
    made: list[Any] = []

    def make() -> Any:
        if made and again != "another class":
            raise Asked
        made.append(kind() if not made else kind)
        return made[-1]

    name, saga = kind.__name__.lower(), Keep if kind is Desk else Ring
    runtime = open_runtime(make, Journalist, sagas=[saga])
    failpoint.on(name, "context.before-commit" if kind is Desk else "gateway.after-answer", BUG)
    with pytest.raises(SagaParked, match=f"{name} is down"):
        all(runtime.start(saga, Job("a"), id=f"{n}").wait(DEADLINE) for n in range(3))


def test_what_a_factory_raises_is_raised_as_it_is(store: Path) -> None:
    def make() -> Desk:
        raise ZeroDivisionError("no desk today")

    with pytest.raises(ZeroDivisionError, match="no desk today"):
        Runtime(store, contexts=[make])


def test_a_context_that_dies_while_it_is_recovered_from_is_restarted(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    failpoint.on("desk", "context.after-answer", BUG)  # right after it has told what it had stored
    runtime = open_runtime(Desk, sagas=[Keep])
    assert failpoint.hits
    assert runtime.start(Keep, Job("b"), id="b").wait(DEADLINE).completed


def test_a_context_that_is_down_at_once_does_not_keep_the_runtime_from_opening(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    with Runtime(store, contexts=[Desk, Landline], sagas=[Keep, Ring]) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    failpoint.on("desk", "context.after-answer", *[BUG] * 6)
    runtime = open_runtime(Desk, Landline, sagas=[Keep, Ring])
    with pytest.raises(SagaParked, match="desk is down"):  # what it had still done before it died counts
        all(runtime.start(Keep, Job("b"), id=f"b-{n}").wait(DEADLINE).completed for n in range(100))
    assert runtime.start(Ring, Job("c")).wait(DEADLINE).completed


@pytest.mark.parametrize(
    "seam", ["coordinator.before-commit", "coordinator.after-commit", "coordinator.after-dispatch"]
)
def test_a_coordinator_that_dies_ends_the_runtime_not_the_process(
    store: Path, failpoint: Failpoint, seam: str
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        handle = runtime.start(Keep, Job("a"), id="a")
        handle.wait(DEADLINE)
        failpoint.on("coordinator", seam, BUG)
        with pytest.raises(StoreFailed, match="ZeroDivisionError"):
            all(runtime.start(Keep, Job("b"), id=f"b-{n}").wait(DEADLINE) for n in range(100))
        with pytest.raises(StoreFailed):
            runtime.list()
        assert handle.wait(DEADLINE).completed  # what is known stays known
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        assert all(runtime.handle(row.id).wait(DEADLINE).completed for row in runtime.list())


def test_a_call_in_another_thread_that_dies_of_a_bug_takes_its_gateway_with_it(
    open_runtime: OpenRuntime, failpoint: Failpoint
) -> None:
    """What it has not told is asked again."""
    for gateway, thread in ((Telephone, "telephone-1"), (Wire, "wire-loop")):
        runtime = open_runtime(gateway, sagas=[Ring])
        failpoint.on(thread, "gateway.after-answer", BUG)
        assert runtime.start(Ring, Job("a")).wait(DEADLINE).completed  # the first thread makes the first call
        assert failpoint.hits[thread, "gateway.after-answer"] == 1
        handles = runtime.start_many(Start(Ring, Job(n)) for n in "bcd")
        assert all(handle.wait(DEADLINE).completed for handle in handles)
        runtime.close()


def test_calls_that_wait_for_a_thread_when_their_gateway_dies_are_made_by_the_next_one(
    open_runtime: OpenRuntime, script: Script
) -> None:
    gate = Gate()
    for key in "abc":
        script.on("phone", key, gate)
    runtime = open_runtime(lambda: Telephone(script), sagas=[Ring])
    handles = runtime.start_many(Start(Ring, Job(key)) for key in "abcdef")
    for _ in "abc":
        gate.wait_for_somebody()
    crew = crew_of(runtime)
    with together(runtime.send, Phone("x"), timeout=DEADLINE) as sent:
        crew.mailboxes["telephone"].post(_Failed(BUG))
        assert script.wait_for("phone", "d", 1)  # by the next one: all threads of this one are busy
        gate.open()
        assert sent.result(DEADLINE).key == "x"
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert [script.calls["phone", key] for key in "defx"] == [1, 1, 1, 1]


@pytest.mark.parametrize("seam", ["recovery.replayed", "recovery.timers-fired"])
def test_a_coordinator_that_dies_in_its_recovery_fails_the_opening(
    store: Path, failpoint: Failpoint, seam: str
) -> None:
    failpoint.on("coordinator", seam, BUG)
    with pytest.raises(StoreFailed, match="the coordinator has failed: ZeroDivisionError"):
        Runtime(store, contexts=[Desk], sagas=[Keep]).open()
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        assert runtime.start(Keep, Job("a")).wait(DEADLINE).completed


def test_a_context_that_goes_down_during_the_recovery_holds_up_nobody(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    with Runtime(store, contexts=[Desk, Landline], sagas=[Keep, Ring]) as runtime:
        runtime.start(Keep, Job("a")).wait(DEADLINE)
    failpoint.on("desk", "context.recalled", *[BUG] * 6)
    runtime = open_runtime(Desk, Landline, sagas=[Keep, Ring])
    assert runtime.start(Ring, Job("b")).wait(DEADLINE).completed
    with pytest.raises(SagaParked, match="desk is down"):
        runtime.start(Keep, Job("c")).wait(DEADLINE)


def test_a_coordinator_that_dies_while_it_closes_has_not_closed_in_order(
    open_runtime: OpenRuntime, store: Path, failpoint: Failpoint
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    failpoint.on("coordinator", "closing.settled", BUG)
    assert not runtime.close()
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as after:
        assert after.handle("a").wait(DEADLINE).completed


def test_a_context_that_dies_while_it_closes_has_its_effects_once(
    open_runtime: OpenRuntime, store: Path, script: Script, failpoint: Failpoint
) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    failpoint.on("desk", "context.after-commit", BUG)
    crew, until = crew_of(runtime), time.monotonic() + DEADLINE
    with together(runtime.close) as closing:
        while "desk" not in crew._closes:  # it has been told
            assert time.monotonic() < until
        gate.open()
        closing.result(DEADLINE)
    assert failpoint.hits
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as after:
        assert after.handle("a").wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed elsewhere")
def test_a_context_that_dies_while_it_is_opened_leaves_no_database_open(
    store: Path, failpoint: Failpoint
) -> None:
    failpoint.on("desk", "context.positions-known", BUG)
    with pytest.raises(ZeroDivisionError) as caught:
        Runtime(store, contexts=[Desk]).open()
    links = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    databases = [str(store / name) for name in ("desk.db", "desk.db-wal", "saga.db", "saga.db-wal")]
    assert [link for link in links if link in databases] == [], caught  # which has the actor in its frames


def test_the_first_failure_is_the_one_that_is_told(open_runtime: OpenRuntime) -> None:
    """As when the files of two contexts fail at the same time."""
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    crew = crew_of(runtime)
    for file in ("desk.db", "journalist.db"):
        crew.fail(StoreFailed(file, "no write came through"))
    with pytest.raises(StoreFailed, match=r"desk\.db"):
        runtime.start(Keep, Job("a"))
