"""A full disk is waited for; a write of unknown outcome ends the runtime, not the process, and loses nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from saga import Runtime, Start, StoreFailed, VirtualClock, WaitTimeout
from saga.actors.coordinator import CoordinatorActor
from saga.actors.crew import Crew
from saga.actors.worker import Close
from saga.store import Batch, ContextStore, DiskFull, SagaStore
from tests.disks import disk_of

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Await,
    Booked,
    Confirmed,
    Desk,
    Job,
    Journalist,
    Keep,
    entered,
    heard,
    rows,
    sound,
    together,
)


class Disk:
    """Is full from `fill` on, for one file, until somebody frees space; then pauses end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waited_for = threading.Semaphore(0)
        self._free = threading.Event()
        self._free.set()
        self._limited: dict[int, Callable[[str], Any]] = {}
        self._path = ""
        self._begin(monkeypatch, SagaStore, "commit")
        self._begin(monkeypatch, ContextStore, "begin")
        monkeypatch.setattr(Crew, "pause", lambda crew, attempt: self._pause(crew))

    def _begin(self, monkeypatch: pytest.MonkeyPatch, kind: Any, name: str) -> None:
        """Before each write set how large the file may become, in the thread that owns it."""
        write = getattr(kind, name)

        def limited(store: Any, *arguments: Any) -> Any:
            path = store.path
            full = not self._free.is_set() and path.endswith(self._path)
            connection = store._connection
            guard = getattr(store, "_guard", None)
            if guard is not None:
                guard.ours = True
            pages = connection.execute("PRAGMA page_count").fetchone()[0] if full else 1_000_000
            connection.execute(f"PRAGMA max_page_count={pages}").fetchall()
            if guard is not None:
                guard.ours = False
            return write(store, *arguments)

        monkeypatch.setattr(kind, name, limited)

    def _pause(self, crew: Crew) -> bool:
        self.waited_for.release()
        self._free.wait(0.01)
        return not crew._closing.is_set()

    def fill(self, file: str) -> None:
        self._path = file
        self._free.clear()

    def wait_until_somebody_waits(self) -> None:
        assert self.waited_for.acquire(timeout=DEADLINE)

    def free(self) -> None:
        self._free.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


LARGE = "x" * 100_000
"""A key that needs new pages."""


def test_a_start_waits_for_space_and_goes_on_by_itself(
    open_runtime: OpenRuntime, store: Path, disk: Disk
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    runtime.start(Keep, Job("before")).wait(DEADLINE)
    disk.fill("saga.db")
    with together(runtime.start, Keep, Job(LARGE), id="a") as starting:
        disk.wait_until_somebody_waits()
        disk.wait_until_somebody_waits()
        assert not starting.done()
        disk.free()
        assert starting.result(DEADLINE).wait(DEADLINE).completed
    assert entered(store, LARGE) == ["book", "file"]


def test_a_start_that_is_not_stored_in_time_says_so(open_runtime: OpenRuntime, disk: Disk) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    disk.fill("saga.db")
    with together(runtime.start, Keep, Job(LARGE), id="a", timeout=0.01) as starting:
        disk.wait_until_somebody_waits()
        error = starting.exception(DEADLINE)
        assert isinstance(error, WaitTimeout)
        assert "may still come to be stored" in str(error)
    disk.free()
    assert runtime.start(Keep, Job(LARGE), id="a").wait(DEADLINE).completed


def test_answers_wait_for_space_and_effects_happen_once(
    open_runtime: OpenRuntime, store: Path, disk: Disk
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep])
    handles = runtime.start_many(Start(Keep, Job(f"{n}{LARGE[:2000]}"), str(n)) for n in range(100))
    disk.fill("saga.db")
    disk.wait_until_somebody_waits()
    disk.free()
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert rows(store, "desk", "SELECT max(n) FROM (SELECT count(*) n FROM entries GROUP BY what, key)") == [
        (1,)
    ]
    assert len(heard(store, 100)) == 100


def test_a_context_waits_for_space_and_others_go_on(
    open_runtime: OpenRuntime, store: Path, disk: Disk
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep, Await])
    disk.fill("desk.db")
    handle = runtime.start(Keep, Job(LARGE), id="a")
    disk.wait_until_somebody_waits()
    other = runtime.start(Await, Job("b"), id="b")
    runtime.publish(Confirmed("b"))
    assert other.wait(DEADLINE).completed
    with pytest.raises(WaitTimeout):
        handle.wait(0.02)
    disk.free()
    assert handle.wait(DEADLINE).completed
    assert entered(store, LARGE) == ["book", "file"]


def test_a_listener_waits_for_space_and_hears_everything_once(
    open_runtime: OpenRuntime, store: Path, disk: Disk
) -> None:
    runtime = open_runtime(Desk, Journalist)
    disk.fill("journalist.db")
    runtime.publish(Booked(LARGE))
    disk.wait_until_somebody_waits()
    runtime.publish(Booked("b"))
    disk.free()
    assert heard(store, 2) == [LARGE, "b"]
    assert rows(store, "journalist", "SELECT count(*) FROM _saga_retries") == [(0,)]


def test_a_close_does_not_wait_for_space_in_a_context(
    open_runtime: OpenRuntime, store: Path, disk: Disk
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    disk.fill("desk.db")
    runtime.start(Keep, Job(LARGE), id="a")
    disk.wait_until_somebody_waits()
    runtime.close(timeout=5)
    disk.free()
    assert entered(store, LARGE) == []
    assert open_runtime(Desk, sagas=[Keep]).handle("a").wait(DEADLINE).completed
    assert entered(store, LARGE) == ["book", "file"]


def test_a_close_does_not_wait_for_space(open_runtime: OpenRuntime, store: Path, disk: Disk) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    disk.fill("saga.db")
    with together(runtime.start, Keep, Job(LARGE), id="b") as starting:
        disk.wait_until_somebody_waits()
        assert not runtime.close(timeout=2)
        assert starting.exception(DEADLINE) is not None
    disk.free()
    runtime = open_runtime(Desk, sagas=[Keep])
    assert [row.id for row in runtime.list()] == ["a"]
    assert runtime.start(Keep, Job("c")).wait(DEADLINE).completed


def test_a_close_that_comes_while_the_coordinator_dies_gives_the_store_back(
    open_runtime: OpenRuntime, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies, told = threading.Event(), threading.Event()
    replies: list[Any] = []
    abandon = CoordinatorActor.abandon

    def slowly(actor: CoordinatorActor) -> None:
        dies.set()
        assert told.wait(DEADLINE)
        abandon(actor)

    def tell(reply: Any) -> Close:
        replies.append(reply)
        if len(replies) == 2:  # the desk comes first
            told.set()
        return Close(reply)

    monkeypatch.setattr(CoordinatorActor, "abandon", slowly)
    monkeypatch.setattr("saga.actors.crew.Close", tell)
    runtime = open_runtime(Desk, sagas=[Keep])
    fail_once(monkeypatch, SagaStore, written=False)
    with together(runtime.start, Keep, Job("a")) as starting:
        assert dies.wait(DEADLINE)
        assert not runtime.close(timeout=3)
        assert starting.exception(DEADLINE) is not None
    assert open_runtime(Desk, sagas=[Keep]).start(Keep, Job("b")).wait(DEADLINE).completed


# --- unknown outcome ---


def fail_once(monkeypatch: pytest.MonkeyPatch, kind: Any, *, written: bool) -> None:
    """Let the next commit of this kind of store end in an I/O error, after it was written or before."""
    commit = kind.commit
    left = [1]

    def failing(store: Any, batch: Any) -> Any:
        if left and (not isinstance(batch, Batch) or batch.journal):
            left.pop()
            if written:
                commit(store, batch)
            else:
                store._connection.rollback() if kind is SagaStore else store.rollback()
            raise StoreFailed(
                str(getattr(store, "path", "saga.db")), "a write failed with SQLITE_IOERR_FSYNC"
            )
        return commit(store, batch)

    monkeypatch.setattr(kind, "commit", failing)


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("kind", [SagaStore, ContextStore])
def test_an_unknown_outcome_ends_the_runtime_and_is_known_after_a_restart(
    store: Path, monkeypatch: pytest.MonkeyPatch, kind: type, written: bool
) -> None:
    with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep, Await]) as runtime:
        waiting = runtime.start(Await, Job("w"), id="w")
        ended = runtime.start(Keep, Job("e"), id="e")
        ended.wait(DEADLINE)
        heard(store, 1)
        with together(waiting.wait, DEADLINE) as one:
            fail_once(monkeypatch, kind, written=written)
            with pytest.raises(StoreFailed, match="SQLITE_IOERR_FSYNC"):
                runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
            assert isinstance(one.exception(DEADLINE), StoreFailed)
        for call in (
            lambda: runtime.start(Keep, Job("b")),
            lambda: runtime.publish(Confirmed("w")),
            runtime.list,
            lambda: waiting.wait(DEADLINE),
            lambda: asyncio.run(runtime.start_async(Keep, Job("b"))),
        ):
            with pytest.raises(StoreFailed):
                call()
        assert ended.wait(0).completed  # what was known stays known
    with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep, Await]) as runtime:
        if written or kind is ContextStore:
            assert runtime.handle("a").wait(DEADLINE).completed
        else:
            assert [row.id for row in runtime.list()] == ["e", "w"]
        runtime.publish(Confirmed("w"))
        assert runtime.handle("w").wait(DEADLINE).completed
    assert entered(store, "a") in (["book", "file"], [])


LIMITED = """
import resource, signal, sys
from pathlib import Path
from saga import *
from tests.runtime.support import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Path(sys.argv[1])
with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
    runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    largest = max(path.stat().st_size for path in store.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100_000, resource.RLIM_INFINITY))
    try:
        for n in range(1_000):
            runtime.start(Keep, Job(f"{n}"), id=f"b-{n}").wait(DEADLINE)
    except StoreFailed as error:
        print(error)
print("alive")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits here")
def test_a_write_that_the_system_refuses_ends_the_runtime_not_the_process(store: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(store)],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert run.stdout.splitlines()[-1] == "alive", run.stderr
    assert "SQLITE_IOERR" in run.stdout
    with Runtime(store, contexts=[Desk], sagas=[Keep]) as runtime:
        sagas = runtime.list(limit=10_000)
        assert len(sagas) > 1
        assert all(runtime.handle(row.id).wait(DEADLINE).completed for row in sagas)


# --- a disk that is really full ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB. Only root can make one."""
    with disk_of("8m", tmp_path / "disk") as place:
        yield place


def fill_up(place: Path) -> Path:
    """Write a file there until there is no space at all; return it."""
    filler = os.open(place / "filler", os.O_WRONLY | os.O_CREAT)
    for size in (65_536, 512):
        try:
            while os.write(filler, b"x" * size):
                pass
        except OSError:
            continue
    os.close(filler)
    return place / "filler"


def start_without_end(runtime: Runtime) -> None:
    for n in range(1_000):
        runtime.start(Keep, Job(f"{n}" * 500), id=f"b-{n}", timeout=0.05)


def test_a_runtime_on_a_full_disk_goes_on_when_there_is_space(small_disk: Path) -> None:
    with Runtime(small_disk / "store", contexts=[Desk, Journalist], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
        filler = fill_up(small_disk)
        with pytest.raises(WaitTimeout, match="may still come to be stored"):
            start_without_end(runtime)
        filler.unlink()
        assert all(runtime.handle(row.id).wait(DEADLINE).completed for row in runtime.list(limit=2_000))


HOT = """
import os, sys
from saga import *
from tests.runtime.support import *
runtime = Runtime(sys.argv[1], contexts=[Desk, Journalist], sagas=[Keep]).open()
for n in range(20):
    runtime.start(Keep, Job(f"{n}"), id=f"{n}")
os._exit(0)
"""


@pytest.mark.parametrize("hot", [False, True], ids=["closed", "killed"])
def test_a_store_on_a_full_disk_is_not_opened_and_opens_when_there_is_space(
    small_disk: Path, hot: bool
) -> None:
    store = small_disk / "store"
    if hot:
        line = [sys.executable, "-c", HOT, str(store)]
        subprocess.run(line, cwd=Path(__file__).parent.parent.parent, check=True, timeout=DEADLINE)
    else:
        with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep]) as runtime:
            runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    filler = fill_up(small_disk)
    for _ in range(2):
        with pytest.raises(DiskFull, match="free some space"):
            Runtime(store, contexts=[Desk, Journalist], sagas=[Keep]).open()
    filler.unlink()
    with Runtime(store, contexts=[Desk, Journalist], sagas=[Keep]) as runtime:
        sagas = runtime.list(limit=100)
        assert len(sagas) == (20 if hot else 1)
        assert all(runtime.handle(row.id).wait(DEADLINE).completed for row in sagas)
    sound(store)


def test_what_cannot_be_pruned_on_a_full_disk_is_pruned_when_there_is_space(small_disk: Path) -> None:
    clock = VirtualClock()
    with Runtime(small_disk / "store", contexts=[Desk], sagas=[Keep], clock=clock) as runtime:
        handles = runtime.start_many(Start(Keep, Job(f"{n}"), f"{n}") for n in range(300))
        assert all(handle.wait(DEADLINE).completed for handle in handles)
        clock.advance(timedelta(days=2))
        filler = fill_up(small_disk)
        with pytest.raises(DiskFull, match="free some space"):
            runtime.prune(timedelta(days=1))
        assert runtime.find("299").status == "COMPLETED"
        filler.unlink()
        runtime.prune(timedelta(days=1))
        assert runtime.list() == []
        assert runtime.start(Keep, Job("after")).wait(DEADLINE).completed
    sound(small_disk / "store")
