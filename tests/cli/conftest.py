"""Stores to look at: one that was closed, one whose program was killed, and one whose program runs."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import saga
from saga import VirtualClock
from saga.cli.main import program
from saga.store import StoreFiles
from saga.store.inspection import ContextReader

from . import shop

ROOT = Path(saga.__file__).parent.parent
ENVIRONMENT = {
    **{
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
    },
    "PYTHONPATH": str(ROOT),
}

Run = Callable[..., Result]
Tamper = Callable[..., None]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was closed in order, with an order of each kind; nobody may change it. Its time is set by hand."""
    directory = tmp_path_factory.mktemp("filled") / "shop"
    clock = VirtualClock()

    def attempts() -> int:
        with ContextReader.open(StoreFiles.at(directory), "notification") as context:
            return max((row.attempt for row in context.retries()), default=0)

    with shop.make(str(directory), clock=clock) as runtime:
        shop.fill(runtime)
        for attempt in range(1, 5):  # until the listener has given up
            shop.wait_for(lambda wanted=attempt: attempts() >= wanted)
            clock.advance(timedelta(seconds=40))
        shop.wait_for(lambda: attempts() == 5)
    return directory


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A copy of the filled store, to be changed."""
    return Path(shutil.copytree(filled, tmp_path / "shop"))


@pytest.fixture
def run(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process; on the filled store, unless `store` says otherwise."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "SAGA_STORE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, store: Path | None = filled, width: int | None = None, **env: str) -> Result:
        if store is not None:
            env = {"SAGA_STORE": str(store), **env}
        if width is not None:
            env = {"COLUMNS": str(width), **env}
        return CliRunner().invoke(program, list(arguments), env=env)

    return run


@pytest.fixture
def tamper(store: Path) -> Tamper:
    """Carry out SQL on a file of the copy, as nobody should."""

    def tamper(sql: str, *values: object, file: str = "saga.db") -> None:
        with closing(sqlite3.connect(store / file)) as connection:
            connection.execute("PRAGMA ignore_check_constraints=1")
            changed = connection.execute(sql, values).rowcount
            connection.commit()
        assert changed, "nothing was changed"

    return tamper


@contextmanager
def program_on(directory: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works on a store; when this is left it is killed, if it has not ended."""
    with subprocess.Popen(
        [sys.executable, str(Path(shop.__file__)), str(directory), what],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            while (line := process.stdout.readline()) and not line.startswith(("filled", "round")):
                pass  # what it logs
            assert line, "the program has ended"
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a program has left that was killed in the middle of its work."""
    directory = tmp_path_factory.mktemp("killed") / "shop"
    with program_on(directory, "busy") as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    return directory


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that a program has open all the time, with an order of each kind."""
    directory = tmp_path_factory.mktemp("running") / "shop"
    with program_on(directory, "fill"):
        yield directory


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """A store that a program works on as fast as it can."""
    with program_on(tmp_path / "shop", "busy"):
        yield tmp_path / "shop"


def saga_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    line = [sys.executable, "-m", "saga", *map(str, arguments)]
    return subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, check=False)
