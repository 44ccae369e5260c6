"""What the author's code says of itself is not believed, and its forks do not live on in ours."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import structlog

from saga import (
    Overloaded,
    Rejected,
    Runtime,
    Saga,
    SagaParked,
    Start,
    UsageError,
    VirtualClock,
    answer,
)
from saga.coordination.guard import describe, readable, refusal_of

from .conftest import OpenRuntime
from .inside import coordinator_of
from .support import (
    DEADLINE,
    Booked,
    Desk,
    Gate,
    Job,
    Journalist,
    Keep,
    Landline,
    Receipt,
    Ring,
    Script,
    Telephone,
    Wire,
    code_of,
    heard,
    rows,
    texts,
    together,
)


class Asked(Exception):
    """Its class cannot be asked for."""

    @property
    def __class__(self) -> Any:
        raise SystemExit


class Wordless(Rejected):
    @property
    def reason(self) -> Any:
        raise SystemExit

    @reason.setter
    def reason(self, reason: str) -> None:
        pass


def spoilt(**words: object) -> Rejected:
    refusal = Rejected("no", code="no")
    for name, word in words.items():
        setattr(refusal, name, word)
    return refusal


REFUSALS = [Wordless("no", code="no"), spoilt(code=7), spoilt(reason=None), spoilt(code="failed")]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_without_its_words_is_none(refusal: Rejected) -> None:
    assert refusal_of(refusal) is None


def test_the_words_of_a_refusal_are_plain_text() -> None:
    class Code(StrEnum):
        NO = "no"

    reason, code = refusal_of(Rejected("a\ud800", code=Code.NO)) or ("", "")
    assert (reason, code, type(code)) == ("a\\ud800", "no", str)


def test_what_utf_8_does_not_have_is_written_out() -> None:
    assert readable("a\udcffb") == "a\\udcffb"
    assert "somewhere-\\udcff" in describe(OSError(2, "No such file", "somewhere-\udcff"))


ERRORS: dict[str, Callable[[], BaseException]] = {
    "its class": Asked,
    "its code": lambda: spoilt(code=7),
    "its reason": lambda: Wordless("no", code="no"),
    "its text": lambda: ValueError("\ud800"),
}


@pytest.mark.parametrize("lie", ERRORS)
@pytest.mark.parametrize("kind", [Desk, Landline, Telephone, Wire])
def test_an_error_that_lies_about_itself_costs_its_own_attempt(
    open_runtime: OpenRuntime, script: Script, kind: type, lie: str
) -> None:
    def fail() -> None:
        raise ERRORS[lie]()

    what, saga = ("book", Keep) if kind is Desk else ("phone", Ring)
    script.on(what, "a", fail)
    runtime = open_runtime(lambda: kind(script), sagas=[saga])
    assert code_of(runtime.start(saga, Job("a"), id="a").wait(DEADLINE)) == "failed"
    assert runtime.start(saga, Job("b"), id="b").wait(DEADLINE).completed


class Count(Saga[Job]):
    @answer
    def number(self) -> int:
        if self.input.key == "a":
            raise ValueError("\ud800")
        return 1

    flow = number


def test_an_error_whose_text_is_no_utf_8_parks_its_own_saga_not_those_started_with_it(
    open_runtime: OpenRuntime,
) -> None:
    runtime = open_runtime(sagas=[Count])
    one, other = runtime.start_many(Start(Count, Job(key), key) for key in "ab")
    with pytest.raises(SagaParked, match=r"ValueError: \\ud800"):
        one.wait(DEADLINE)
    assert other.wait(DEADLINE).answer == 1


# --- from inside ---


@pytest.mark.parametrize("kind", [Desk, Telephone])
def test_a_handler_cannot_close_the_runtime(open_runtime: OpenRuntime, script: Script, kind: type) -> None:
    what, saga = ("book", Keep) if kind is Desk else ("phone", Ring)
    runtime = open_runtime(lambda: kind(script), sagas=[saga])
    script.on(what, "a", runtime.close, Receipt("a", 1))
    assert runtime.start(saga, Job("a"), id="a").wait(DEADLINE).completed
    assert any("UsageError: close was called in the thread of" in text for text in texts(runtime, "a"))


def test_a_handler_that_stops_its_loop_stops_no_other(open_runtime: OpenRuntime, script: Script) -> None:
    script.on("phone", "a", lambda: asyncio.get_running_loop().stop())
    runtime = open_runtime(lambda: Wire(script), sagas=[Ring])
    assert runtime.start(Ring, Job("a")).wait(DEADLINE).completed
    assert runtime.start(Ring, Job("b")).wait(DEADLINE).completed


@pytest.mark.parametrize("swallowed", [False, True], ids=["told", "swallowed"])
def test_an_event_whose_transaction_is_lost_does_not_hold_up_those_behind_it(
    open_runtime: OpenRuntime, store: Path, swallowed: bool
) -> None:
    class Losing(Journalist):
        @Booked.listener
        def hear(self, event: Booked) -> None:
            self.db.execute("CREATE TABLE IF NOT EXISTS once (n INTEGER PRIMARY KEY)")
            if event.key == "a":
                with suppress(sqlite3.Error if swallowed else ()):
                    self.db.execute("INSERT OR ROLLBACK INTO once VALUES (1), (1)")
                return
            self.db.execute("INSERT INTO heard VALUES (?)", [event.key])

    Losing.__name__ = "Journalist"
    clock = VirtualClock()
    runtime = open_runtime(Losing, clock=clock)
    for key in "abc":
        runtime.publish(Booked(key))
    assert heard(store, 2) == ["b", "c"]
    clock.advance(timedelta(seconds=1))  # it is tried again, and fails again
    until = time.monotonic() + DEADLINE
    while rows(store, "journalist", "SELECT attempt FROM _saga_retries") != [(2,)]:
        assert time.monotonic() < until
    runtime.publish(Booked("d"))
    assert heard(store, 3) == ["b", "c", "d"]


# --- forks ---


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", [Desk, Landline, Telephone, Wire])
def test_a_fork_that_comes_back_from_a_handler_ends(
    open_runtime: OpenRuntime, script: Script, kind: type, capfd: pytest.CaptureFixture[str]
) -> None:
    what, saga = ("book", Keep) if kind is Desk else ("phone", Ring)
    ended: list[int] = []

    def fork() -> None:
        pid = os.fork()
        if pid:
            ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    script.on(what, "a", fork)
    runtime = open_runtime(lambda: kind(script), sagas=[saga])
    assert runtime.start(saga, Job("a")).wait(DEADLINE).completed
    assert ended == [70]
    assert "a fork came back from" in capfd.readouterr().err


# --- what the application configures ---


class _Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise MemoryError


class HasNoName(BaseException, metaclass=_Nameless):
    """Whoever asks for the name of its class gets another error."""


class Failing(VirtualClock):
    """A clock that fails whenever it is told to."""

    fails: BaseException | None = None

    def now_ms(self) -> int:
        if self.fails:
            raise self.fails
        return super().now_ms()

    def seconds_until(self, due_ms: int) -> float | None:
        if self.fails:
            raise ZeroDivisionError
        return super().seconds_until(due_ms)


@pytest.mark.parametrize("error", [SystemExit("no time"), HasNoName()], ids=["exits", "nameless"])
def test_a_clock_that_fails_stands_still(open_runtime: OpenRuntime, error: BaseException) -> None:
    clock = Failing()
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    clock.fails = error
    assert runtime.start(Keep, Job("a"), id="a").wait(DEADLINE).completed
    clock.fails = None
    clock.advance(timedelta(days=1))
    runtime.start(Keep, Job("b"), id="b").wait(DEADLINE)
    first, second = runtime.find("a"), runtime.find("b")
    assert second.started_ms - first.started_ms >= 86_400_000


@pytest.mark.parametrize("now", [None, 1.5, -1, "now"])
def test_a_clock_that_tells_no_time_is_refused_at_once_and_the_store_is_free(store: Path, now: Any) -> None:
    class Odd(VirtualClock):
        def now_ms(self) -> Any:
            return now

    with pytest.raises(UsageError, match="the clock says it is"):
        Runtime(store, contexts=[Desk], clock=Odd()).open()
    Runtime(store, contexts=[Desk]).open().close()


def test_a_store_is_free_when_the_clock_cannot_be_listened_to(store: Path) -> None:
    class Deaf(VirtualClock):
        def on_move(self, callback: Callable[[], None]) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Runtime(store, contexts=[Desk], clock=Deaf()).open()
    Runtime(store, contexts=[Desk]).open().close()


def test_a_log_that_fails_keeps_nobody_from_being_restarted(
    open_runtime: OpenRuntime, failpoint: Any
) -> None:
    def broken(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    before = structlog.get_config()
    structlog.configure(processors=[broken])
    try:
        runtime = open_runtime(Desk, sagas=[Keep])
        failpoint.on("desk", "context.before-commit", ZeroDivisionError("a bug of ours"))
        assert runtime.start(Keep, Job("a")).wait(DEADLINE).completed
        assert failpoint.hits
    finally:
        structlog.configure(**before)


# --- overload ---


def test_starts_that_were_refused_leave_nothing_behind(open_runtime: OpenRuntime, script: Script) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep], max_active=1)
    runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    refused = threading.Semaphore(0)

    def ask() -> None:
        for n in range(200):
            with pytest.raises(Overloaded):
                runtime.start(Keep, Job(f"{n}"), timeout=0.0)
            refused.release()

    with together(ask) as one, together(ask) as other, together(ask) as third:
        for asking in (one, other, third):
            asking.result(DEADLINE)
    assert len(coordinator_of(runtime)._intake._waiting) <= 300
    assert len(runtime._line._outstanding) == 0
    gate.open()
    assert runtime.handle("a").wait(DEADLINE).completed
