"""What a process that is to be killed is told, and what it does at the seam where that happens."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from dataclasses import dataclass

__all__ = ["LONGEST_S", "Job", "Killer", "tell"]

LONGEST_S = 30
"""A run that takes longer hangs, and is killed with SIGALRM."""


@dataclass(frozen=True)
class Job:
    """What a worker is to do."""

    store: str
    scenario: str
    seam: str = ""
    """Where it kills itself."""
    nth: int = 1
    """At the how-manieth passing."""
    drain: bool = False
    """Start nothing; bring to an end what is there."""
    without: str = ""
    """For the controls, a protection that is taken away, see `broken`."""


class Killer:
    """Counts the seams that are passed, and kills the process at the n-th passing of one."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.passed: Counter[str] = Counter()
        self.lock = threading.Lock()

    def __call__(self, name: str) -> None:
        with self.lock:
            self.passed[name] += 1
            if name == self.job.seam and self.passed[name] == self.job.nth:
                os.kill(os.getpid(), signal.SIGKILL)


def tell(line: str) -> None:
    """Print a line that not even a kill at the next instruction takes back."""
    os.write(1, f"{line}\n".encode())
