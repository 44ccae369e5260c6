"""Faults of single system calls: which there are in a run, and a run with one of them, under `strace`.

1. A recording run tells how often each call touches each file of the store. `strace` counts for each thread by itself,
   and each file is written by one thread, so that a call, a file and a number name one moment of a run (about one:
   threads take turns as they like).
2. `KILL` ends the process before the call, `EIO` and `ENOSPC` let it fail without being made; once, or from then on.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from reliability.crash.harness import ROOT

__all__ = ["DISK_FULL", "FAILED", "KINDS", "Fault", "Place", "Traced", "Tracers", "faults_at", "strace"]

CALLS = (
    *("pwrite64", "write", "ftruncate", "fallocate", "mkdir", "openat"),
    *("rename", "renameat", "renameat2", "unlink", "fdatasync", "fsync"),
)
FAILED, DISK_FULL = 70, 75
"""How the program ends when its store fails or stays full: EX_SOFTWARE and EX_TEMPFAIL of sysexits.h."""

KINDS = ("KILL", "EIO", "ENOSPC", "EIO+", "ENOSPC+")
"""What may happen to a call, `+` from then on always."""


@dataclass(frozen=True)
class Place:
    """A system call on a file of the store, and how often a run makes it."""

    call: str
    file: str
    """Its name, "." for the directory."""
    times: int


@dataclass(frozen=True)
class Fault:
    """What happens to the n-th such call on this file."""

    call: str
    file: str
    nth: int
    kind: str

    def __str__(self) -> str:
        return f"{self.call} {self.file} {self.nth} {self.kind}"

    @classmethod
    def read(cls, text: str) -> Fault:
        """Return the fault of this text, such as `pwrite64 saga.db-wal 12 EIO+`. ValueError when it is none."""
        words = text.split()
        if len(words) != 4 or words[0] not in CALLS or not words[2].isdigit() or words[3] not in KINDS:
            raise ValueError(f"{text!r} is no fault; write CALL FILE N {'|'.join(KINDS)}")
        return cls(words[0], words[1], int(words[2]), words[3])

    @property
    def options(self) -> list[str]:
        """What `strace` is told."""
        error, always, _ = self.kind.partition("+")
        what = "signal=KILL" if error == "KILL" else f"error={error}"
        return ["-e", f"inject={self.call}:{what}:when={self.nth}{always}"]


@dataclass(frozen=True)
class Traced:
    """What became of a run."""

    code: int
    said: str
    complained: str
    hit: bool
    """The fault has happened."""

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    def told(self, word: str) -> list[list[str]]:
        """Return what it said with this word, in order; as of `crash.harness.Run`."""
        lines = [line.split(" ") for line in self.said.splitlines()]
        return [line[1:] for line in lines if line[0] == word]


@cache
def strace() -> str | None:
    """Return the path of `strace`, or None when it is not here, or may not be used."""
    path = shutil.which("strace")
    if path is None or sys.platform != "linux":
        return None
    tried = subprocess.run([path, "-o", os.devnull, "true"], capture_output=True, check=False)
    return path if tried.returncode == 0 else None


class Tracers:
    """Processes that fork the program and have it traced, as many as work at the same time."""

    def __init__(self, count: int) -> None:
        self._all = [_zygote() for _ in range(count)]
        self._free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for each in self._all:
            self._free.put(each)

    def record(self, store: Path, scenario: str) -> list[Place]:
        """Run a scenario undisturbed; return which calls touch the files of the store, and how often."""
        log = store.with_name("calls")
        done = self._run(["-y", "-e", f"trace={','.join(CALLS)}"], log, store, scenario, "")
        if done["code"]:
            raise RuntimeError(f"undisturbed, {scenario} ends with {done['code']}: {done['complained']}")
        places = _places(log.read_text(errors="replace"), store)
        return sorted(places, key=lambda each: (each.file, each.call))

    def run(self, store: Path, scenario: str, fault: Fault, without: str = "") -> Traced:
        """Run a scenario with a fault."""
        log, path = store.with_name("calls"), store if fault.file == "." else store / fault.file
        options = ["-P", str(path), "-e", f"trace={fault.call}", *fault.options]
        done = self._run(options, log, store, scenario, without)
        hit = done["code"] == -signal.SIGKILL or "(INJECTED)" in log.read_text(errors="replace")
        return Traced(done["code"], done["said"], done["complained"], hit)

    def _run(self, options: list[str], log: Path, store: Path, scenario: str, without: str) -> dict[str, Any]:
        path = strace()
        assert path is not None
        order = [[path, "-f", "-qq", "-o", str(log), *options], str(store), scenario, without]
        zygote = self._free.get()
        try:
            assert zygote.stdin is not None
            assert zygote.stdout is not None
            zygote.stdin.write(f"{json.dumps(order)}\n")
            zygote.stdin.flush()
            done: dict[str, Any] = json.loads(zygote.stdout.readline())
            return done
        finally:
            self._free.put(zygote)

    def __enter__(self) -> Tracers:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._all:
            each.communicate(timeout=10)


def _zygote() -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "reliability.syscalls.zygote"]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _places(log: str, store: Path) -> list[Place]:
    times: Counter[tuple[str, str, str]] = Counter()
    touched = re.compile(rf"^(\d+) +(\w+)\(.*?{re.escape(str(store))}(?:/([\w.-]+))?[\">]")
    for line in log.splitlines():
        found = touched.match(line)
        if found is not None and found[2] in CALLS:
            times[found[2], found[3] or ".", found[1]] += 1
    most: dict[tuple[str, str], int] = {}
    for (call, file, _), count in times.items():
        most[call, file] = max(most.get((call, file), 0), count)
    return [Place(call, file, count) for (call, file), count in most.items()]


def faults_at(places: list[Place], kinds: tuple[str, ...] = KINDS) -> list[Fault]:
    """Return all faults at these places: of each kind at every n, those at one moment behind each other."""
    return [
        Fault(place.call, place.file, nth, kind)
        for place in places
        for nth in range(1, place.times + 1)
        for kind in kinds
    ]
