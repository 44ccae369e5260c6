"""What was running at unclean ends: tried alone after two, parked after three alone (docs/adr/0010).

A copy of a store, taken while something is being carried out, is what kill -9 would have left at that moment.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pykka import ActorRegistry
from structlog.testing import capture_logs

from saga import Runtime, SagaParked, Start, VirtualClock
from saga.actors.gateway import _Failed
from saga.coordination import suspects

from .conftest import Failpoint, OpenRuntime
from .inside import crew_of
from .support import (
    DEADLINE,
    Arrange,
    Booked,
    Confirmed,
    Desk,
    File,
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

SAGAS = [Keep, Arrange, Ring]


def ask(store: Path, statement: str, file: str = "saga.db") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{(store / file).as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def suspected(store: Path) -> list[tuple[Any, ...]]:
    """Return participant, number and stops of all suspects."""
    return ask(store, "SELECT participant, no, stops FROM suspects ORDER BY participant, no")


def cut_off(store: Path, runtime: Runtime, running: int = 1) -> Path:
    """Return a store like this one would be found if its process were killed while so many things are being carried
    out (what the application has sent itself does not count).

    What else there was to do is waited for: a listener may still be at work on what led to a call that is blocked, and
    what is written meanwhile would be in one file of the copy, and not in another.
    """
    noting = crew_of(runtime)._watch.running  # None: there is no place for it
    until, copy = time.monotonic() + DEADLINE, store.with_name(f"{store.name}x")

    def at_rest() -> bool:
        return noting is None or len(noting.noted()) == running

    while True:
        assert time.monotonic() < until, (
            f"{noting and noting.noted()}, and not {running} things; or writes without end"
        )
        before, rested = written(store), at_rest()
        shutil.copytree(store, copy)
        if rested and at_rest() and written(store) == before:
            return copy
        shutil.rmtree(copy)


def written(store: Path) -> dict[str, tuple[int, int]]:
    """Return what each file of a store was when it was written to last."""
    stats = {path.name: path.stat() for path in store.iterdir()}
    return {name: (stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}


def until_all_have_stopped() -> None:
    """Wait for the actors that a close has not waited for."""
    until = time.monotonic() + DEADLINE
    while ActorRegistry.get_all():
        assert time.monotonic() < until, "an actor is left"


class Life:
    """One run of a program."""

    def __init__(self, runtime: Runtime, script: Script, gate: Gate) -> None:
        self.runtime, self.script, self.gate = runtime, script, gate

    def first_of(self, *calls: tuple[str, str]) -> tuple[str, str]:
        """Wait until one of these is carried out, and return it."""
        until = time.monotonic() + DEADLINE
        while not (found := [each for each in self.script.order if each in calls]):
            assert time.monotonic() < until, f"none of {calls} is carried out"
        return found[0]


Live = Callable[..., AbstractContextManager[Life]]


@pytest.fixture
def live() -> Live:
    """Run a program in which the given (what, key) are blocked until its gate is opened, at its end at the latest."""

    @contextmanager
    def live(
        store: Path, *blocked: tuple[str, str], contexts: Any = (Desk, Journalist, Telephone), **options: Any
    ) -> Iterator[Life]:
        script, gate = Script(), Gate()
        for what, key in blocked:
            script.on(what, key, gate)
        made = [lambda each=each: each(script) for each in contexts]
        with Runtime(store, contexts=made, sagas=SAGAS, **options) as runtime:
            try:
                yield Life(runtime, script, gate)
            finally:
                gate.open()

    return live


def seen(
    live: Live, store: Path, times: int, *blocked: tuple[str, str], start: Any = (), **options: Any
) -> Path:
    """Return a store that was cut off so often while these were being carried out: all, or one that is on trial."""
    for n in range(times):
        with live(store, *blocked, **options) as life:
            if n == 0 and start:
                life.runtime.start_many(start)
            if n < suspects.TRIED:
                for what, key in blocked:
                    assert life.script.wait_for(what, key, 1)
                store = cut_off(store, life.runtime, len(blocked))
            else:
                life.first_of(*blocked)
                store = cut_off(store, life.runtime)
    return store


# --- counting ---


def test_what_was_running_is_a_suspect_until_it_is_carried_out(store: Path, live: Live) -> None:
    cut = seen(live, store, 1, ("book", "a"), start=[Start(Keep, Job("a"), "a")])
    with live(cut, ("book", "a")) as life:
        assert life.script.wait_for("book", "a", 1)
        assert suspected(cut) == [("desk", 1, 1)]
    with live(cut) as life:
        assert life.runtime.handle("a").wait(DEADLINE).completed
    assert suspected(cut) == []
    assert entered(cut, "a") == ["book", "file"]


def test_any_number_of_closes_makes_no_suspect(store: Path, live: Live) -> None:
    for n in range(4):
        with live(store, ("phone", "a")) as life:
            if n == 0:
                life.runtime.start(Ring, Job("a"), id="a")
            assert life.script.wait_for("phone", "a", 1)
            assert not life.runtime.close(0.1)
            life.gate.open()
            until_all_have_stopped()
        assert suspected(store) == []


@pytest.mark.parametrize(("gateway", "several"), [(Landline, 1), (Telephone, 3), (Wire, 3)])
def test_all_calls_of_a_gateway_that_were_running_are_suspects(
    store: Path, open_runtime: OpenRuntime, script: Script, gateway: type[Any], several: int
) -> None:
    gate = Gate()

    async def later() -> None:
        await asyncio.to_thread(gate)

    for key in "abcd":
        script.on("phone", key, later if gateway is Wire else gate)
    runtime = open_runtime(lambda: gateway(script), Desk, sagas=SAGAS)
    runtime.start_many(Start(Ring, Job(key), key) for key in "abcd")
    for _ in range(several):
        gate.wait_for_somebody()
    cut = cut_off(store, runtime, several)
    gate.open()
    open_runtime(Desk, sagas=SAGAS, at=cut)
    assert suspected(cut) == [(gateway.__name__.lower(), n, 1) for n in range(1, several + 1)]


def test_what_the_application_has_sent_itself_is_no_suspect(store: Path, live: Live) -> None:
    with live(store, ("file", "a")) as life, together(life.runtime.send, File("a"), id="x"):
        assert life.script.wait_for("file", "a", 1)
        cut = cut_off(store, life.runtime, 0)
        life.gate.open()
    with live(cut):
        assert suspected(cut) == []


def test_without_a_place_to_note_it_everything_works_and_nothing_is_suspected(
    store: Path, live: Live
) -> None:
    (store / "runtime.running").mkdir(parents=True)
    with capture_logs() as logs:
        cut = seen(live, store, 1, ("book", "a"), start=[Start(Keep, Job("a"), "a")])
    assert [log["path"] for log in logs if log["event"] == "running_not_noted"] == [
        str(store / "runtime.running")
    ]
    with live(cut) as life:
        assert suspected(cut) == []
        assert life.runtime.handle("a").wait(DEADLINE).completed


def test_a_store_in_memory_suspects_nobody(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], at=":memory:")
    assert runtime.start(Keep, Job("a")).wait(DEADLINE).completed


# --- trials ---


def test_what_was_seen_twice_is_carried_out_while_nothing_else_is(store: Path, live: Live) -> None:
    cut = seen(live, store, 2, ("phone", "a"), start=[Start(Ring, Job("a"), "a")])
    with live(cut, ("phone", "a")) as life:
        runtime, calls = life.runtime, life.script.calls
        assert life.script.wait_for("phone", "a", 1)
        other = runtime.start(Keep, Job("b"), id="b")
        runtime.publish(Booked("c"))
        runtime.publish(Booked("d"))  # when this is done, so is all that follows from the one before
        runtime.send(File("e"))  # comes to the desk behind what was sent there before
        assert calls["book", "b"] == calls["hear", "c"] == 0
        life.gate.open()
        assert other.wait(DEADLINE).completed
        assert runtime.handle("a").wait(DEADLINE).completed
        assert sorted(heard(cut, 3)) == ["b", "c", "d"]
        assert calls["phone", "a"] == 1
    assert suspected(cut) == []


def test_suspects_are_tried_one_after_the_other(store: Path, live: Live) -> None:
    starts = [Start(Keep, Job("a"), "a"), Start(Ring, Job("b"), "b"), Start(Ring, Job("c"), "c")]
    calls = ("book", "a"), ("phone", "b"), ("phone", "c")
    cut = seen(live, store, 2, *calls, start=starts)
    with live(cut, *calls) as life:
        first = life.first_of(*calls)
        life.runtime.publish(Confirmed("x"))
        assert [each for each in life.script.order if each in calls] == [first]
        life.gate.open()
        assert all(life.runtime.handle(id).wait(DEADLINE).completed for id in "abc")
        assert sorted(life.script.order)[:2] == [("book", "a"), ("file", "a")]
    assert suspected(cut) == []


def test_a_trial_that_takes_too_long_does_not_hold_up_the_others_for_ever(
    store: Path, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "MARGIN_S", 0.0)
    starts = [Start(Ring, Job("a"), "a"), Start(Keep, Job("b"), "b")]
    cut = seen(live, store, 2, ("phone", "a"), start=starts)
    with live(cut, ("phone", "a"), hang_limit=timedelta(milliseconds=100), clock=VirtualClock()) as life:
        assert life.script.wait_for("phone", "a", 1)
        assert life.runtime.handle("b").wait(DEADLINE).completed
        assert suspected(cut) == [("telephone", 1, 2)]
        life.gate.open()
        assert life.runtime.handle("a").wait(DEADLINE).completed
    assert suspected(cut) == []


def test_a_handler_that_raises_has_not_ended_the_process(store: Path, live: Live) -> None:
    cut = seen(live, store, 2, ("phone", "a"), start=[Start(Ring, Job("a"), "a")])
    with live(cut) as life:
        life.script.on("phone", "a", OSError("no line"), None)
        assert life.runtime.handle("a").wait(DEADLINE).completed
    assert suspected(cut) == []


def test_a_saga_that_is_cancelled_while_its_command_is_on_trial_is_undone(store: Path, live: Live) -> None:
    cut = seen(live, store, 2, ("phone", "a"), start=[Start(Arrange, Job("a"), "a")])
    with live(cut, ("phone", "a")) as life:
        assert life.script.wait_for("phone", "a", 1)
        life.runtime.cancel("a", "changed my mind")
        life.gate.open()
        assert not life.runtime.handle("a").wait(DEADLINE).completed
        assert life.script.calls["call off known", "a"] == 1
    assert suspected(cut) == []


def test_a_gateway_that_dies_gets_again_what_is_on_trial_and_nothing_else(
    store: Path, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, lose = threading.Event(), suspects.Suspects.lost

    def watched(self: suspects.Suspects, participant: str) -> None:
        lose(self, participant)
        lost.set()

    monkeypatch.setattr(suspects.Suspects, "lost", watched)
    cut = seen(live, store, 2, ("phone", "a"), start=[Start(Ring, Job("a"), "a")])
    with live(cut, ("phone", "a")) as life:
        assert life.script.wait_for("phone", "a", 1)
        other = life.runtime.start(Ring, Job("b"), id="b")
        crew = crew_of(life.runtime)
        crew.mailboxes["telephone"].post(_Failed(ZeroDivisionError("a bug of ours")))
        assert lost.wait(DEADLINE)
        life.runtime.publish(Confirmed("x"))
        assert life.runtime.send(Phone("c"), timeout=DEADLINE) == Receipt("c", 1)
        assert life.script.calls["phone", "b"] == 0
        life.gate.open()
        assert other.wait(DEADLINE).completed
        assert life.runtime.handle("a").wait(DEADLINE).completed
    assert suspected(cut) == []


def test_what_is_on_trial_at_a_participant_that_is_not_there_holds_up_nobody(store: Path, live: Live) -> None:
    starts = [Start(Ring, Job("a"), "a"), Start(Keep, Job("b"), "b")]
    cut = seen(live, store, 2, ("phone", "a"), start=starts)
    with live(cut, contexts=(Desk, Journalist)) as life:
        assert life.runtime.handle("b").wait(DEADLINE).completed
        with pytest.raises(SagaParked, match="telephone"):
            life.runtime.handle("a").wait(DEADLINE)
    with live(cut) as life:
        assert life.runtime.handle("a").wait(DEADLINE).completed


# --- the guilty ---


@pytest.fixture
def parked(store: Path, live: Live) -> Path:
    """A store with a command that was running at three unclean ends."""
    return seen(live, store, 3, ("phone", "a"), start=[Start(Arrange, Job("a"), "a")])


def test_what_was_seen_three_times_is_parked_and_others_go_on(parked: Path, live: Live) -> None:
    with live(parked) as life, pytest.raises(SagaParked, match="at 3 ends of the process"):
        life.runtime.handle("a").wait(DEADLINE)
    assert life.script.calls["phone", "a"] == 0
    assert ask(parked, "SELECT id, path, kind FROM incidents") == [("a", "phoning.1", "poison")]
    assert suspected(parked) == []


def test_a_retry_sends_it_again_with_its_key_and_counts_from_nothing(parked: Path, live: Live) -> None:
    with live(parked, ("phone", "a")) as life:
        life.runtime.retry("a")
        assert life.script.wait_for("phone", "a", 1)
        again = cut_off(parked, life.runtime)
    with live(again) as life:
        assert life.script.wait_for("phone", "a", 1)
        life.runtime.publish(Confirmed("a"))
        assert life.runtime.handle("a").wait(DEADLINE).completed


def test_it_can_be_skipped_marked_done_or_cancelled_like_anything_parked(parked: Path, live: Live) -> None:
    copies = [shutil.copytree(parked, parked.with_name(f"copy-{n}")) for n in range(3)]
    with live(copies[0]) as life:
        life.runtime.skip("a", "not needed")
        life.runtime.publish(Confirmed("a"))
        assert life.runtime.handle("a").wait(DEADLINE).completed
    with live(copies[1]) as life:
        life.runtime.mark_done("a", Receipt("a", 5), "called by hand")
        life.runtime.publish(Confirmed("a"))
        assert life.runtime.handle("a").wait(DEADLINE).completed
    with live(copies[2]) as life:
        life.runtime.cancel("a", "no more")
        assert not life.runtime.handle("a").wait(DEADLINE).completed
    assert all(suspected(copy) == [] for copy in copies)


def test_what_never_was_alone_is_tried_again_and_parked_at_last(
    store: Path, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the application itself keeps another handler running, which nobody can hold back."""
    monkeypatch.setattr(suspects, "LAST", 4)
    starts: Any = [Start(Ring, Job("a"), "a")]
    for n in range(4):
        with live(store, ("phone", "a"), ("file", "x")) as life:
            life.runtime.start_many(starts)
            assert suspected(store) == ([("telephone", 1, n)] if n else [])
            with together(life.runtime.send, File("x"), id="x"):
                assert life.script.wait_for("phone", "a", 1)
                assert life.script.wait_for("file", "x", 1)
                store = cut_off(store, life.runtime)
                life.gate.open()
    with live(store) as life, pytest.raises(SagaParked, match="at 4 ends of the process that were no close;"):
        life.runtime.handle("a").wait(DEADLINE)


def test_an_innocent_that_is_killed_from_outside_is_parked_only_if_it_was_alone_thrice(
    store: Path, live: Live
) -> None:
    """It cannot be told from a guilty one; a person's retry lets it go on."""
    starts = [Start(Ring, Job("a"), "a"), Start(Ring, Job("b"), "b")]
    cut = seen(live, store, 2, ("phone", "a"), ("phone", "b"), start=starts)
    with live(cut, ("phone", "a"), ("phone", "b")) as life:
        first = life.first_of(("phone", "a"), ("phone", "b"))[1]
        cut = cut_off(cut, life.runtime)
    for _ in range(2):
        with live(cut, ("phone", first)) as life:
            assert life.script.wait_for("phone", first, 1)
            cut = cut_off(cut, life.runtime)
    other = {"a": "b", "b": "a"}[first]
    with live(cut) as life:
        with pytest.raises(SagaParked):
            life.runtime.handle(first).wait(DEADLINE)
        assert life.runtime.handle(other).wait(DEADLINE).completed
        life.runtime.retry(first)
        assert life.runtime.handle(first).wait(DEADLINE).completed


def test_a_saga_that_is_suspended_is_parked_when_it_is_resumed(parked: Path, store: Path, live: Live) -> None:
    with live(store.with_name("again"), ("phone", "a")) as life:
        life.runtime.start(Arrange, Job("a"), id="a")
        assert life.script.wait_for("phone", "a", 1)
        life.runtime.suspend("a", "a pause")
        cut = cut_off(store.with_name("again"), life.runtime)
    cut = seen(live, cut, 2, ("phone", "a"))
    with live(cut) as life:
        life.runtime.resume("a")
        with pytest.raises(SagaParked, match="at 3 ends"):
            life.runtime.handle("a").wait(DEADLINE)
        assert life.script.calls["phone", "a"] == 0


def test_a_step_that_is_out_of_time_meanwhile_is_inquired_and_not_parked(store: Path, live: Live) -> None:
    clock = VirtualClock()
    cut = seen(live, store, 3, ("phone", "a"), start=[Start(Ring, Job("a"), "a")], clock=clock)
    clock.advance(timedelta(days=16))
    with live(cut, clock=clock) as life:
        assert not life.runtime.handle("a").wait(DEADLINE).completed
        assert life.script.order == [("call off unknown", "a")]
    assert suspected(cut) == []


# --- listeners ---


def test_an_event_seen_twice_is_delivered_alone(store: Path, live: Live) -> None:
    starts = [Start(Keep, Job("a"), "a"), Start(Ring, Job("b"), "b")]
    with live(store, ("phone", "b")) as life:
        life.runtime.start_many(starts)
        assert life.script.wait_for("phone", "b", 1)
    cut = seen(live, store, 2, ("hear", "x"), start=[Start(Keep, Job("x"), "x")])
    with live(cut, ("hear", "x")) as life:
        assert life.script.wait_for("hear", "x", 1)
        life.runtime.start(Ring, Job("c"), id="c")
        assert life.script.calls["phone", "c"] == 0
        life.gate.open()
        assert life.runtime.handle("c").wait(DEADLINE).completed
        assert heard(cut, 2) == ["a", "x"]
    assert suspected(cut) == []


def test_an_event_seen_three_times_is_set_aside_and_can_be_retried(store: Path, live: Live) -> None:
    cut = seen(live, store, 3, ("hear", "a"), start=[Start(Keep, Job("a"), "a")])
    with live(cut) as life:
        life.runtime.publish(Booked("b"))
        assert heard(cut, 1) == ["b"]
        ((attempt, due, reason),) = ask(
            cut, "SELECT attempt, due_ms, reason FROM _saga_retries", "journalist.db"
        )
        assert (attempt, due) == (1, None)
        assert "at 3 ends of the process" in reason
        assert life.script.calls["hear", "a"] == 0
        life.runtime.retry_deliveries(Journalist)
        assert heard(cut, 2) == ["b", "a"]
    assert suspected(cut) == []


def test_an_event_that_a_listener_failed_on_before_is_tried_alone_too(store: Path, live: Live) -> None:
    clock = VirtualClock()
    with live(store, clock=clock) as life:
        life.script.on("hear", "a", OSError("not now"), life.gate)
        life.runtime.publish(Booked("a"))
        assert life.script.wait_for("hear", "a", 1)
        until = time.monotonic() + DEADLINE
        while not ask(store, "SELECT * FROM _saga_retries", "journalist.db"):
            assert time.monotonic() < until
        clock.advance(timedelta(seconds=1))
        assert life.script.wait_for("hear", "a", 2)
        cut = cut_off(store, life.runtime)
    cut = seen(live, cut, 2, ("hear", "a"), clock=clock)
    with live(cut, clock=clock) as life:
        life.runtime.publish(Booked("b"))
        assert heard(cut, 1) == ["b"]
        assert life.script.calls["hear", "a"] == 0
        assert ask(cut, "SELECT due_ms FROM _saga_retries", "journalist.db") == [(None,)]
    assert suspected(cut) == []


# --- who is none any more ---


def suspect(store: Path, *rows: tuple[str, str, int]) -> None:
    """Let these have been seen twice."""
    with closing(sqlite3.connect(store / "saga.db", isolation_level=None)) as connection:
        connection.executemany("INSERT INTO suspects VALUES (?, ?, ?, 2, 0, 0)", rows)


def test_what_is_over_by_now_is_no_suspect_and_holds_up_nobody(store: Path, live: Live) -> None:
    """It was carried out, and its process ended before that was written."""
    with live(store) as life:
        life.runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
        life.runtime.start(Arrange, Job("w"), id="w")
        assert life.script.wait_for("phone", "w", 1)
        assert heard(store, 2)
    suspect(store, ("desk", "command", 1), ("coordinator", "saga", 1), ("nobody", "event", 1))
    with live(store) as life:
        assert life.runtime.start(Keep, Job("b"), id="b").wait(DEADLINE).completed
    assert suspected(store) == [("nobody", 1, 2)]


def test_what_is_on_trial_at_a_context_that_goes_down_holds_up_nobody(
    store: Path, live: Live, failpoint: Failpoint
) -> None:
    starts = [Start(Keep, Job("a"), "a"), Start(Ring, Job("b"), "b")]
    cut = seen(live, store, 2, ("book", "a"), start=starts)
    failpoint.on("desk", "context.before-commit", *[ZeroDivisionError("a bug of ours")] * 6)
    with live(cut) as life:
        assert life.runtime.handle("b").wait(DEADLINE).completed
        with pytest.raises(SagaParked, match="desk is down"):
            life.runtime.handle("a").wait(DEADLINE)
