"""An actor that dies of a bug of ours is restarted, with nothing lost; too often, and it is down, alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saga import CommandFailed, Runtime, SagaParked, Start, StoreFailed

from .conftest import Failpoint, OpenRuntime
from .support import DEADLINE, Book, Desk, File, Job, Journalist, Keep, Landline, Ring, Script, entered, heard

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
