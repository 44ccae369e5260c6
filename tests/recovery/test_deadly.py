"""What ends the process whenever it is carried out is found, and does so five times at most (docs/adr/0010)."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reliability.crash.deadly import BEGUN, KEYS, SAGAS, Job
from reliability.crash.harness import Run, Zygote, place
from saga.actors.supervisor import HANGS_EXIT_CODE

INNOCENT = [key for key in KEYS if key != "deadly"]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote("reliability.crash.deadly")
    yield zygote
    zygote.close()


@pytest.fixture
def store() -> Iterator[Path]:
    with place() as store:
        yield store


def runs(zygote: Zygote, store: Path, scenario: str, *, hangs: bool = False) -> list[Run]:
    """Start the program until it does not die any more, at most six times."""
    code = HANGS_EXIT_CODE if hangs else -signal.SIGKILL
    done: list[Run] = []
    while not done or (done[-1].code and len(done) < 6):
        done.append(zygote.run(Job(str(store), scenario, begin=not done, hangs=hangs)))
        assert done[-1].code in (0, code), done[-1].said
    return done


def ask(store: Path, file: str, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{(store / file).as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize(
    "scenario", [name for name in SAGAS if name not in ("InListener", "InFunction", *BEGUN)]
)
def test_a_command_that_ends_the_process_is_parked_and_the_others_go_through(
    zygote: Zygote, store: Path, scenario: str
) -> None:
    *died, last = runs(zygote, store, scenario)
    assert 3 <= len(died) <= 5  # five where another one was running beside it at the first two
    end = "COMPENSATED" if scenario == "InUndo" else "COMPLETED"
    assert last.told("ended") == [[key, end] for key in INNOCENT]
    incidents = ask(store, "saga.db", "SELECT id, kind, reason FROM incidents")
    assert [row[:2] for row in incidents] == [("deadly", "poison")]
    assert f"at {len(died)} ends of the process that were no close, at 3 of them" in str(incidents[0][2])
    assert ask(store, "saga.db", "SELECT * FROM suspects") == []

    mended = zygote.run(Job(str(store), scenario, deadly=False, retry=True))
    assert mended.told("ended") == [[key, end] for key in KEYS], mended.said
    things = {key for (key,) in ask(store, "stock.db", "SELECT key FROM things")}
    assert things == (set(KEYS) if scenario == "InContext" else set())


def test_a_command_that_hangs_until_the_supervisor_ends_the_process_is_parked(
    zygote: Zygote, store: Path
) -> None:
    *died, last = runs(zygote, store, "InGateway", hangs=True)
    assert len(died) == 3
    assert last.told("ended") == [[key, "COMPLETED"] for key in INNOCENT]
    assert ask(store, "saga.db", "SELECT id, kind FROM incidents") == [("deadly", "poison")]


def test_a_retry_of_what_is_not_mended_begins_to_count_anew(zygote: Zygote, store: Path) -> None:
    assert 4 <= len(runs(zygote, store, "InPool")) <= 6
    again = zygote.run(Job(str(store), "InPool", retry=True))
    assert again.killed
    assert len(runs(zygote, store, "InPool")) == 3
    assert ask(store, "saga.db", "SELECT id, kind FROM incidents") == [("deadly", "poison")]


def test_an_event_that_ends_the_process_is_set_aside_for_its_listener(zygote: Zygote, store: Path) -> None:
    *died, last = runs(zygote, store, "InListener")
    assert len(died) == 3
    assert last.told("ended") == [[key, "COMPLETED"] for key in KEYS]
    heard = "SELECT key FROM heard ORDER BY key"
    assert ask(store, "friends.db", heard) == [(f"listened-{key}",) for key in sorted(INNOCENT)]
    ((due, reason),) = ask(store, "friends.db", "SELECT due_ms, reason FROM _saga_retries")
    assert due is None
    assert "at 3 ends of the process" in str(reason)
    assert ask(store, "saga.db", "SELECT * FROM suspects") == []

    mended = zygote.run(Job(str(store), "InListener", deadly=False, retry=True))
    assert mended.code == 0, mended.said
    assert ask(store, "friends.db", heard) == [(f"listened-{key}",) for key in sorted(KEYS)]


def test_a_saga_whose_function_ends_the_process_is_parked(zygote: Zygote, store: Path) -> None:
    *died, last = runs(zygote, store, "InFunction")
    assert len(died) == 3
    assert last.told("ended") == [[key, "COMPLETED"] for key in INNOCENT]
    assert ask(store, "saga.db", "SELECT id, kind FROM incidents") == [("deadly", "poison")]

    mended = zygote.run(Job(str(store), "InFunction", deadly=False, retry=True))
    assert mended.told("ended") == [[key, "COMPLETED"] for key in KEYS], mended.said


@pytest.mark.parametrize("scenario", BEGUN)
def test_a_saga_whose_first_function_ends_the_process_is_stored_and_parked(
    zygote: Zygote, store: Path, scenario: str
) -> None:
    *died, last = runs(zygote, store, scenario)
    assert len(died) == 4  # at the first it was not yet on disk, and so was nobody
    assert sorted(end for _, end in last.told("ended")) == ["COMPLETED"] * len(INNOCENT)
    ((id, kind),) = ask(store, "saga.db", "SELECT id, kind FROM incidents")
    assert kind == "poison"
    assert ask(store, "saga.db", "SELECT * FROM suspects") == []

    mended = zygote.run(Job(str(store), scenario, deadly=False, retry=True))
    assert [end for _, end in mended.told("ended")] == ["COMPLETED"] * len(KEYS), mended.said
    assert id in [begun for begun, _ in mended.told("ended")]
