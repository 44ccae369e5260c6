"""The threads beside the actors: what raises in one of them is told, and the thread goes on."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import pykka
import pytest
from structlog.testing import capture_logs

from saga import SystemClock, VirtualClock
from saga.actors import timekeeper as timekeeping
from saga.actors.mailbox import WAKE, Mailbox
from saga.actors.pool import Pool
from saga.actors.supervisor import LOOK, SupervisorActor
from saga.actors.timekeeper import RUN, Timekeeper, TimekeeperActor
from saga.actors.worker import Close, Crash, Open, Worker
from saga.coordination.guard import Watch, describe, words_of

from .support import DEADLINE


class Clerk(Worker):
    """Cannot be closed."""

    def open(self) -> str:
        return "opened"

    def work(self, messages: list[Any]) -> None:
        pass

    def close(self) -> None:
        raise OSError("the disk is gone")

    def abandon(self) -> None:
        pass


def hired() -> pykka.ActorRef[Clerk]:
    ref = Clerk.start("clerk", Mailbox(), lambda crash: None)
    opened: Future[str] = Future()
    ref.tell(Open(opened))
    assert opened.result(DEADLINE) == "opened"
    return ref


def test_who_closes_an_actor_hears_that_it_could_not_be_closed() -> None:
    ref = hired()
    closed: Future[None] = Future()
    ref.tell(Close(closed))
    with pytest.raises(OSError, match="the disk is gone"):
        closed.result(DEADLINE)
    assert ref.actor_stopped.wait(DEADLINE)


def test_a_message_that_an_actor_does_not_know_is_left_alone() -> None:
    ref = hired()
    ref.tell("what is that?")
    assert ref.is_alive()
    closed: Future[None] = Future()
    ref.tell(Close(closed))
    with pytest.raises(OSError, match="the disk is gone"):
        closed.result(DEADLINE)


def test_a_mailbox_whose_actor_has_died_keeps_what_is_posted() -> None:
    ref = hired()
    mailbox = Mailbox()
    mailbox.attach(ref)
    ref.stop()
    mailbox.post("a")
    mailbox.post("b")
    assert mailbox.empty() == ["a", "b"]
    assert WAKE not in mailbox.empty()


def test_a_call_that_raises_is_told_and_its_thread_makes_the_next_one() -> None:
    failed: list[BaseException] = []
    done = threading.Event()

    def carry_out(message: Any) -> None:
        if message == "bad":
            raise SystemExit("bad")
        done.set()

    pool = Pool(1, "pool", lambda: None, carry_out, lambda: None, failed.append)
    pool.submit("bad")
    pool.submit("good")
    assert done.wait(DEADLINE)
    assert pool.close(wait=True) == []
    assert [str(error) for error in failed] == ["bad"]


def test_a_closed_pool_gives_back_what_nobody_has_begun_with() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def carry_out(message: Any) -> None:
        begun.set()
        go_on.wait(DEADLINE)

    pool = Pool(1, "pool", lambda: None, carry_out, lambda: None, lambda error: None)
    for message in ("first", "second", "third"):
        pool.submit(message)
    assert begun.wait(DEADLINE)
    assert pool.close(wait=False) == ["second", "third"]
    go_on.set()


class Moments:
    """What the timekeeper does every second; raises at first."""

    def __init__(self) -> None:
        self.count = 0
        self.again = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        if self.count == 1:
            raise LookupError("the first time")
        self.again.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeping, "LONGEST_WAIT_S", 0.001)


@pytest.mark.usefixtures("quick")
def test_a_timekeeper_that_fails_goes_on() -> None:
    keeper, moments = Timekeeper(SystemClock()), Moments()
    keeper.every_second = moments
    ref = TimekeeperActor.start(keeper)
    with capture_logs() as logs:
        ref.tell(RUN)
        assert moments.again.wait(DEADLINE)
        keeper.stop()
        assert ref.actor_stopped.wait(DEADLINE)
    assert "timekeeper_failed" in [entry["event"] for entry in logs]


@pytest.mark.usefixtures("quick")
def test_a_jump_of_the_clock_of_the_system_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Timekeeper(SystemClock())
    rounds = iter(range(20))

    def every_second() -> None:
        if next(rounds, None) is None:
            keeper.stop()

    ahead = iter([0.0, 0.0, 0.0])

    class Clock:
        """Jumps an hour ahead after three looks."""

        @staticmethod
        def monotonic() -> float:
            return monotonic()

        @staticmethod
        def time() -> float:
            return monotonic() + next(ahead, 3600.0)

    monotonic = timekeeping.time.monotonic
    monkeypatch.setattr(timekeeping, "time", Clock)
    keeper.every_second = every_second
    with capture_logs() as logs:
        keeper.run()
    jumps = [entry["seconds"] for entry in logs if entry["event"] == "clock_jump"]
    assert [round(seconds) for seconds in jumps] == [3600]


def test_what_is_due_on_a_clock_that_stands_still_waits_for_its_time() -> None:
    clock = VirtualClock()
    keeper, mailbox = Timekeeper(clock), Mailbox()
    keeper.wake_at("somebody", clock.now_ms() + 1_000, mailbox, "now")
    keeper.wake_at("somebody", clock.now_ms() + 1_000, mailbox, "the same")
    keeper._post_due()
    assert len(mailbox) == 0
    keeper.wake_at("somebody", None, mailbox, "never mind")
    keeper.wake_at("somebody else", clock.now_ms(), mailbox, "now")
    keeper._post_due()
    assert mailbox.empty() == ["now"]


class Restarts:
    """What a supervisor has done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failed = threading.Event()

    def restart(self, name: str) -> None:
        if name == "stubborn":
            raise RuntimeError("cannot be started")
        self.done.append(name)

    def fail(self, error: BaseException) -> None:
        self.failed.set()


def test_a_supervisor_outlives_what_it_supervises(monkeypatch: pytest.MonkeyPatch) -> None:
    """What raises in it is told. Crashes that are long past do not count."""
    monkeypatch.setattr("saga.actors.supervisor.RESTARTS_WITHIN_S", 0.0)
    restarts, watch = Restarts(), Watch()
    ref = SupervisorActor.start(
        watch,
        "alarm",
        restarts.restart,
        lambda name, why: restarts.done.append(f"{name} down"),
        restarts.fail,
    )
    with capture_logs() as logs:
        ref.tell("what is that?")
        ref.tell(LOOK)
        ref.tell(Crash("stubborn", ValueError("bad")))
        for _ in range(3):
            ref.tell(Crash("clerk", ValueError("bad")))
        ref.tell(Crash("coordinator", ValueError("bad")))
        assert restarts.failed.wait(DEADLINE)
    ref.stop()
    assert "supervisor_failed" in [entry["event"] for entry in logs]


class Hostile(Exception):
    """Its text cannot be read."""

    def __str__(self) -> str:
        raise SystemExit("no text")


class HostileTrace(Exception):
    """Neither can where it came from."""

    @property
    def __traceback__(self) -> Any:
        raise SystemExit("no trace")


def test_an_error_that_resists_being_described_is_described_by_its_name() -> None:
    assert "Hostile" in describe(Hostile(), trace=False)
    assert words_of(Hostile()) == describe(Hostile(), trace=False)
    assert describe(HostileTrace("x"), trace=True).endswith("HostileTrace: x")
    with pytest.raises(Hostile) as caught:
        raise Hostile
    assert "Hostile" in describe(caught.value)
