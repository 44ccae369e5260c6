"""Runs workers, kills them at seams, and brings what they left to an end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from . import invariants
from .worker import Job

ROOT = Path(__file__).parent.parent.parent
WORKERS = 2
"""How many at the same time."""


@dataclass(frozen=True)
class Run:
    """What became of one worker."""

    job: Any
    code: int
    said: str

    @property
    def killed(self) -> bool:
        """It passed the seam at which it was to kill itself."""
        return self.code == -signal.SIGKILL

    def told(self, word: str) -> list[list[str]]:
        """Return what it said with this word, in order."""
        lines = [line.split(" ") for line in self.said.splitlines()]
        return [line[1:] for line in lines if line[0] == word]

    def check(self) -> None:
        """Fail unless it ended in order, or was killed as it was meant to be."""
        if self.code and not (self.killed and self.job.seam):
            raise AssertionError(f"{self.job} ended with {self.code}\n{self.said}")


class Zygote:
    """The process that forks workers, one at a time; those of this module."""

    def __init__(self, module: str = "tests.recovery.worker") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.recovery.zygote", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(self, job: Any) -> Run:
        """Do a job in a fork, and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(asdict(job))}\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        return Run(job, ended["code"], ended["said"])

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


class Workers:
    """Zygotes, as many as work at the same time, for any number of threads."""

    def __init__(self) -> None:
        self._zygotes = [Zygote() for _ in range(WORKERS)]
        self._free: SimpleQueue[Zygote] = SimpleQueue()
        for zygote in self._zygotes:
            self._free.put(zygote)
        self._passed: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def run(self, job: Job) -> Run:
        """Do a job, and check how it ended."""
        zygote = self._free.get()
        try:
            run = zygote.run(job)
        finally:
            self._free.put(zygote)
        run.check()
        return run

    def passed(self, scenario: str) -> Counter[str]:
        """Return how often each seam is passed in a scenario that nobody disturbs; about so often."""
        with self._lock:
            if scenario not in self._passed:
                with place() as store:
                    run = self.run(Job(str(store), scenario))
                self._passed[scenario] = Counter({name: int(times) for name, times in run.told("passed")})
            return self._passed[scenario]

    def close(self) -> None:
        """End all."""
        for zygote in self._zygotes:
            zygote.close()


@contextmanager
def place() -> Iterator[Path]:
    """A place for a store, on the fastest file system there is: a kill needs no disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    directory = tempfile.mkdtemp(prefix="saga-recovery-", dir=parent)
    try:
        yield Path(directory) / "store"
    finally:
        shutil.rmtree(directory)


@dataclass(frozen=True)
class Crash:
    """A kill at the n-th passing of a seam."""

    seam: str
    nth: int

    def __str__(self) -> str:
        return f"{self.seam}:{self.nth}"


@dataclass
class Story:
    """A scenario that is killed once or several times, and what came of it."""

    scenario: str
    crashes: list[Crash] = field(default_factory=list)
    broken: str = ""

    def __str__(self) -> str:
        return f"{self.scenario}[{' '.join(map(str, self.crashes))}]"

    def play(self, workers: Workers) -> int:
        """Play it on a store of its own, then check everything; return how many kills there were."""
        with place() as store:
            try:
                return self._play(workers, store)
            except AssertionError as error:
                error.add_note(
                    f"again: SAGA_STORY='{self}' python -m pytest tests/recovery/test_one_story.py"
                )
                raise

    def _play(self, workers: Workers, store: Path) -> int:
        runs: list[Run] = []
        for n, crash in enumerate(self.crashes):
            job = Job(str(store), self.scenario, crash.seam, crash.nth, n > 0, self.broken)
            runs.append(workers.run(job))
            invariants.acknowledged(store, runs)
        end = Job(str(store), self.scenario, drain=bool(self.crashes), broken=self.broken)
        runs.append(workers.run(end))
        invariants.check_all(store, runs)
        before = invariants.everything(store)
        workers.run(end)
        invariants.unchanged(before, invariants.everything(store))
        return sum(run.killed for run in runs)


def play(workers: Workers, stories: list[Story]) -> int:
    """Play stories, as many at a time as there are workers; return how many kills there were."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(pool.map(lambda story: story.play(workers), stories))
