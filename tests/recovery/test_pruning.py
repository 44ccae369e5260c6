"""Events are let go of while a listener is away, and the process is killed meanwhile: nothing is lost for it."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reliability.crash.harness import ROOT, place
from saga import Context, Event, Runtime

DEADLINE = 20.0
PRUNE_EVERY = 5


@dataclass(frozen=True, slots=True)
class Noted(Event):
    number: int


class Present(Context):
    """Is always there, so that there is something to be let go of."""

    @Noted.listener
    def hear(self, event: Noted) -> None: ...


pages = Migrations("pages")


@pages()
def heard(db: Database) -> None:
    db.execute("CREATE TABLE heard (number INTEGER NOT NULL)")


class Away(Context):
    """Was there once, and comes back in the end."""

    migrations = pages

    @Noted.listener
    def hear(self, event: Noted) -> None:
        self.db.execute("INSERT INTO heard VALUES (?)", [event.number])


def publish_until_killed(store: str, kill_at: int) -> None:
    """Publish, and die by SIGKILL before (odd) or after (even) the so-manieth pruning; to be run in a process."""
    import os

    from saga.coordination import pruning
    from saga.store import SagaStore

    pruning.EVENTS_BETWEEN_PRUNINGS = PRUNE_EVERY
    prune, passed = SagaStore.prune_events, 0

    def prune_or_die(self: SagaStore, *arguments: Any) -> int:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        pruned = prune(self, *arguments)
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return pruned

    SagaStore.prune_events = prune_or_die  # type: ignore[method-assign, assignment]
    with Runtime(store, contexts=[Present]) as runtime:
        for number in range(100):
            if runtime.publish(Noted(number), id=str(number)):
                os.write(1, f"{number}\n".encode())


def life(store: Path, kill_at: int) -> list[int]:
    """Let a process publish until it is killed; return what it was told is on disk."""
    program = f"from tests.recovery.test_pruning import *; publish_until_killed({str(store)!r}, {kill_at})"
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    return [int(line) for line in process.stdout.split() if line.isdigit()]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kills", [(1, 2), (2, 1), (3, 4), (6, 3)])
def test_a_listener_that_is_away_misses_nothing(kills: tuple[int, ...]) -> None:
    with place() as store:
        with Runtime(store, contexts=[Present, Away]):
            pass
        acknowledged = [number for kill_at in kills for number in life(store, kill_at)]
        with Runtime(store, contexts=[Present, Away]):
            found = wait_for(store, set(acknowledged))
        assert found == sorted(found), "in order"
        assert len(found) == len(set(found)), "each once"


def wait_for(store: Path, numbers: set[int]) -> list[int]:
    """Return what was heard, in order, once these are among it."""
    until = time.monotonic() + DEADLINE
    uri = f"{(store / 'away.db').as_uri()}?mode=ro"
    while True:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = [number for (number,) in connection.execute("SELECT number FROM heard ORDER BY rowid")]
        if numbers <= set(found):
            return found
        assert time.monotonic() < until, f"never heard: {sorted(numbers - set(found))}"
