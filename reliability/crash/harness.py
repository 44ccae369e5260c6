"""Runs workers, and tells what became of each."""

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
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from reliability.crash.job import Job

__all__ = ["ROOT", "WORKERS", "Run", "Workers", "Zygote", "place"]

ROOT = Path(__file__).resolve().parent.parent.parent
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

    def __init__(self, module: str = "reliability.crash.worker") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reliability.crash.zygote", module],
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

    def __init__(self, module: str = "reliability.crash.worker", count: int = WORKERS) -> None:
        self.count = count
        self._zygotes = [Zygote(module) for _ in range(count)]
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
                    self._passed[scenario] = passed_in(self.run(Job(str(store), scenario)))
            return self._passed[scenario]

    def close(self) -> None:
        """End all."""
        for zygote in self._zygotes:
            zygote.close()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def passed_in(run: Run) -> Counter[str]:
    """Return how often a worker has passed each seam."""
    return Counter({name: int(times) for name, times in run.told("passed")})


@contextmanager
def place() -> Iterator[Path]:
    """A place for a store, on the fastest file system there is: a kill needs no disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    directory = tempfile.mkdtemp(prefix="saga-crash-", dir=parent)
    try:
        yield Path(directory) / "store"
    finally:
        shutil.rmtree(directory)
