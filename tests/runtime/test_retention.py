"""What is over and old is let go of while sagas run; what anybody still needs stays."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from saga import (
    Pruned,
    Runtime,
    Saga,
    Start,
    UnknownSaga,
    UsageError,
    VirtualClock,
    call,
    publish,
    wait,
)
from saga.retention import Offline, let_go, look
from saga.store import OwnerLock, StoreFiles

from .conftest import Failpoint, OpenRuntime
from .support import (
    DEADLINE,
    Await,
    Book,
    Booked,
    Confirmed,
    Desk,
    Job,
    Journalist,
    Keep,
    Receipt,
    entered,
    heard,
    rows,
    sound,
    statuses,
    until_status,
)
from .test_calls import Part

DAY, MONTH, NIGHT = timedelta(days=1), timedelta(days=30), datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Pruned(0, 0, 0, 0)


class Family(Saga[Job]):
    """Calls a part, then waits for the confirmation."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part")

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    flow = (part, confirmed)


class Tell(Saga[Job]):
    """Publishes, and nothing else."""

    @publish
    def told(self) -> Booked:
        return Booked(self.input.key)

    flow = (told,)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NIGHT)


def inbox(store: Path) -> list[str]:
    return [id for (id,) in rows(store, "desk", "SELECT command_id FROM _saga_inbox ORDER BY 1")]


def left(store: Path) -> int:
    """How many rows are left that belong to sagas."""
    tables = ("journal", "tags", "waits", "tasks", "timers", "open_incidents", "sagas")
    return sum(rows(store, "saga", f"SELECT count(*) FROM {table}")[0][0] for table in tables)


# --- sagas ------------------------------------------------------------------------------------------


def test_what_has_ended_long_ago_goes_with_all_that_belongs_to_it(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    handles = runtime.start_many(Start(Keep, Job(str(n)), str(n), {"n": str(n)}) for n in range(700))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    clock.advance(MONTH)
    pruned = runtime.prune(DAY)
    assert (pruned.sagas, pruned.rows, pruned.sends) == (700, 3 * 700, 0)
    assert left(store) == 0
    assert inbox(store) == []
    assert statuses(runtime) == {}
    sound(store)
    with pytest.raises(UnknownSaga):
        runtime.handle("7").wait(DEADLINE)


def test_what_lives_or_has_ended_a_short_while_ago_stays(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep, Await], clock=clock)
    runtime.start(Await, Job("w"), id="waits")
    runtime.start(Keep, Job("o"), id="old").wait(DEADLINE)
    clock.advance(MONTH)
    runtime.start(Keep, Job("y"), id="young").wait(DEADLINE)
    assert runtime.prune(DAY).sagas == 1
    assert statuses(runtime) == {"waits": "RUNNING", "young": "COMPLETED"}
    assert inbox(store) == ["young:booking.1", "young:filing.1"]
    sound(store)
    runtime.publish(Confirmed("w"))
    assert runtime.handle("waits").wait(DEADLINE).completed
    assert runtime.handle("young").wait(DEADLINE).completed
    assert runtime.prune(DAY).sagas == 0


def test_an_id_that_is_gone_begins_anew(open_runtime: OpenRuntime, store: Path, clock: VirtualClock) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    before = runtime.start(Keep, Job("a"), id="a")
    assert before.wait(DEADLINE).completed
    clock.advance(MONTH)
    runtime.prune(DAY)
    assert runtime.start(Keep, Job("a", 2), id="a").wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file", "book", "file"]
    assert before.wait(DEADLINE).completed, "who has its handle still knows how it ended"
    sound(store)


def test_a_called_saga_stays_as_long_as_its_caller_and_can_be_undone(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Family, Part], clock=clock)
    for id in ("a", "b"):
        runtime.start(Family, Job(id), id=id)
        until_status(runtime, f"{id}:part.1", "COMPLETED")
    clock.advance(MONTH)
    assert runtime.prune(DAY).sagas == 0
    runtime.cancel("a")
    assert not runtime.handle("a").wait(DEADLINE).completed
    assert entered(store, "a-part") == ["book", "unbook"]
    runtime.publish(Confirmed("b"))
    assert runtime.handle("b").wait(DEADLINE).completed
    assert runtime.prune(DAY).sagas == 0, "the callers have only just ended"
    clock.advance(MONTH)
    assert runtime.prune(DAY).sagas == 4
    assert inbox(store) == []
    sound(store)


def test_a_saga_is_no_family_of_one_whose_id_begins_like_its_own(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Family, Part, Keep], clock=clock)
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    runtime.start(Family, Job("b"), id="a:b")
    until_status(runtime, "a:b:part.1", "COMPLETED")
    clock.advance(MONTH)
    assert runtime.prune(DAY).sagas == 1
    assert statuses(runtime) == {"a:b": "RUNNING", "a:b:part.1": "COMPLETED"}
    assert inbox(store) == ["a:b:part.1:booking.1"]
    sound(store)


def test_the_run_before_may_be_gone_when_a_schedule_looks_for_it(
    open_runtime: OpenRuntime, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    runtime.schedule("daily", Keep, Job("a"), cron="0 3 * * *", overlap="skip")
    for day in (1, 2, 3):
        clock.advance(DAY / 2)
        until_status(runtime, f"daily@2026-01-0{day}T03:00:00Z", "COMPLETED")
        clock.advance(DAY / 2)
        assert runtime.prune(DAY / 4).sagas == 1
        assert statuses(runtime) == {}


def test_so_it_is_in_memory(open_runtime: OpenRuntime, clock: VirtualClock) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], at=":memory:", clock=clock)
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    runtime.send(Book("b"))
    clock.advance(MONTH)
    pruned = runtime.prune(DAY)
    assert (pruned.sagas, pruned.sends) == (1, 1)
    assert statuses(runtime) == {}


def test_others_are_not_disturbed(open_runtime: OpenRuntime, store: Path, clock: VirtualClock) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep], clock=clock)
    runtime.start_many(Start(Keep, Job("x"), f"old-{n}") for n in range(500))
    for n in range(500):
        assert runtime.handle(f"old-{n}").wait(DEADLINE).completed
    clock.advance(MONTH)
    over = threading.Event()
    started: list[str] = []

    def load() -> None:
        while not over.is_set():
            ids = [f"new-{len(started) + n}" for n in range(10)]
            handles = runtime.start_many(Start(Keep, Job(id), id) for id in ids)
            started.extend(ids)
            assert all(handle.wait(DEADLINE).completed for handle in handles)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        assert runtime.prune(DAY).sagas == 500
    finally:
        over.set()
        thread.join()
    assert statuses(runtime) == dict.fromkeys(started, "COMPLETED")
    assert all(entered(store, id) == ["book", "file"] for id in started)
    heard(store, 500 + len(started))
    sound(store)


def test_an_age_that_is_none_is_refused(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    for age in (-DAY, 30, None):
        with pytest.raises(UsageError, match="give a timedelta"):
            runtime.prune(age)  # type: ignore[arg-type]


# --- what was sent ----------------------------------------------------------------------------------


def test_what_was_sent_long_ago_is_forgotten(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep], clock=clock)
    for id in ("a", "b"):
        runtime.send(Book(id), id=id)
    clock.advance(MONTH)
    runtime.send(Book("c"), id="c")
    assert runtime.prune(DAY).sends == 2
    assert inbox(store) == ["send:c"]
    assert rows(store, "desk", "SELECT command_id FROM _saga_sent") == [("send:c",)]
    for id in ("a", "c"):
        runtime.send(Book(id), id=id)
    assert entered(store, "a") == ["book", "book"], "it is another one now"
    assert entered(store, "c") == ["book"]
    sound(store)


def test_also_where_there_is_much_of_it(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.store.context_store.PRUNED_AT_ONCE", 3)
    runtime = open_runtime(Desk, clock=clock)
    for n in range(10):
        runtime.send(Book(str(n)), id=str(n))
    clock.advance(MONTH)
    assert runtime.prune(DAY).sends == 10


# --- events -----------------------------------------------------------------------------------------


def test_events_that_nobody_needs_go_by_their_age(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    runtime = open_runtime(Journalist, clock=clock)
    for n in range(5):
        runtime.publish(Booked(str(n)))
    heard(store, 5)
    clock.advance(MONTH)
    runtime.publish(Booked("young"))
    heard(store, 6)
    assert runtime.prune(DAY).events == 5
    assert [event.event.key for event in runtime.events(type=Booked)] == ["young"]
    sound(store)


def test_events_stay_for_a_listener_that_is_away_and_sagas_that_told_of_them_with_them(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    """Else a new saga of the same id would publish an event of the same id, and that would be dropped."""
    with Runtime(store, contexts=[Journalist], clock=clock):
        pass
    with Runtime(store, sagas=[Tell], clock=clock) as runtime:
        runtime.start(Tell, Job("a"), id="a").wait(DEADLINE)
        clock.advance(MONTH)
        assert runtime.prune(DAY) == NOTHING
    runtime = open_runtime(Journalist, sagas=[Tell], clock=clock)
    assert heard(store, 1) == ["a"]
    while runtime.prune(DAY) == NOTHING:
        pass
    assert runtime.events() == []
    runtime.prune(DAY)
    assert statuses(runtime) == {}
    runtime.start(Tell, Job("b"), id="a").wait(DEADLINE)
    assert heard(store, 2) == ["a", "b"]
    sound(store)


def test_events_stay_for_a_saga_that_has_begun_before_them(
    open_runtime: OpenRuntime, clock: VirtualClock
) -> None:
    runtime = open_runtime(Desk, sagas=[Await], clock=clock)
    runtime.start(Await, Job("w"))
    runtime.publish(Booked("x"))
    clock.advance(MONTH)
    assert runtime.prune(DAY) == NOTHING
    assert len(runtime.events()) == 1


# --- contexts that are not here, and stores that nobody runs ---------------------------------------


def test_a_context_that_is_not_here_forgets_too(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep], clock=clock) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    clock.advance(MONTH)
    runtime = open_runtime(Journalist, sagas=[Keep], clock=clock)
    assert runtime.prune(DAY).sagas == 1
    assert inbox(store) == []
    sound(store)
    runtime.close()
    runtime = open_runtime(Journalist, Desk, sagas=[Keep], clock=clock)
    assert runtime.start(Keep, Job("a"), id="a").wait(DEADLINE).completed
    assert entered(store, "a") == ["book", "file"] * 2


def prune_offline(store: Path, before: datetime) -> Pruned:
    files = StoreFiles.at(store)
    with OwnerLock.take(files, "x") as lock, Offline(files, lock) as hands:
        return let_go(hands, int(before.timestamp() * 1000))


def test_a_store_that_nobody_runs_is_pruned_and_is_as_before_otherwise(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock
) -> None:
    with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep, Await], clock=clock) as runtime:
        runtime.start(Await, Job("w"), id="waits")
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
        runtime.send(Book("s"), id="s")
        heard(store, 2)
    would = look(StoreFiles.at(store), int((NIGHT + DAY).timestamp() * 1000))
    assert prune_offline(store, NIGHT + DAY) == would == Pruned(1, 3, 0, 1)
    assert prune_offline(store, NIGHT + DAY) == NOTHING
    sound(store)
    runtime = open_runtime(Desk, Journalist, sagas=[Keep, Await], clock=clock)
    assert statuses(runtime) == {"waits": "RUNNING"}
    assert runtime.start(Keep, Job("a"), id="a").wait(DEADLINE).completed
    runtime.publish(Confirmed("w"))
    assert runtime.handle("waits").wait(DEADLINE).completed
    sound(store)


# --- cut off ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seam", ["prune.answers-forgotten", "prune.sagas-let-go"])
def test_what_is_cut_off_in_the_middle_is_whole_and_the_next_time_goes_on(
    open_runtime: OpenRuntime,
    store: Path,
    clock: VirtualClock,
    failpoint: Failpoint,
    monkeypatch: pytest.MonkeyPatch,
    seam: str,
) -> None:
    monkeypatch.setattr("saga.store.retention.SAGAS_AT_ONCE", 2)
    runtime = open_runtime(Desk, sagas=[Family, Part], clock=clock)
    for id in ("a", "b", "c"):
        runtime.start(Family, Job(id), id=id)
        until_status(runtime, f"{id}:part.1", "COMPLETED")
        runtime.publish(Confirmed(id))
        assert runtime.handle(id).wait(DEADLINE).completed
    clock.advance(MONTH)
    failpoint.on("MainThread", seam, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        runtime.prune(DAY)
    sound(store)
    assert runtime.handle("a").wait(DEADLINE).completed
    assert runtime.prune(DAY).sagas == (6 if seam == "prune.answers-forgotten" else 4)
    assert (left(store), inbox(store)) == (0, [])
    sound(store)


KILLED = """
import os, signal, sys
from saga import seams
from saga.retention import Offline, let_go
from saga.store import OwnerLock, StoreFiles, retention
retention.SAGAS_AT_ONCE = 2
passed = 0
def hook(name):
    global passed
    passed += name == sys.argv[2]
    if passed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
seams.hook = hook
files = StoreFiles.at(sys.argv[1])
with OwnerLock.take(files, "x") as lock, Offline(files, lock) as hands:
    let_go(hands, int(sys.argv[3]))
"""


@pytest.mark.parametrize("seam", ["prune.answers-forgotten", "prune.sagas-let-go"])
def test_a_kill_in_the_middle_harms_nobody(
    open_runtime: OpenRuntime, store: Path, clock: VirtualClock, seam: str
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Keep, Await], clock=clock) as runtime:
        runtime.start(Await, Job("w"), id="waits")
        for id in "abcdef":
            runtime.start(Keep, Job(id), id=id).wait(DEADLINE)
    line = [sys.executable, "-c", KILLED, str(store), seam, str(int((NIGHT + DAY).timestamp() * 1000))]
    assert subprocess.run(line, check=False).returncode == -signal.SIGKILL
    sound(store)
    clock.advance(MONTH)
    runtime = open_runtime(Desk, sagas=[Keep, Await], clock=clock)
    assert runtime.prune(DAY).sagas == (4 if seam == "prune.answers-forgotten" else 2)
    assert statuses(runtime) == {"waits": "RUNNING"}
    assert inbox(store) == []
    sound(store)
