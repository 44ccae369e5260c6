"""Processes of their own: for what is measured of a whole process, or of one that is killed."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import structlog

__all__ = ["answer_of", "log_to_stderr", "module", "peak_mb", "resident_mb"]


def log_to_stderr() -> None:
    """Keep what the runtime logs out of what a program answers."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def module(name: str, *arguments: object) -> list[str]:
    """Return the line that starts a module of the benchmarks as a program."""
    return [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]


def answer_of(line: list[str]) -> Any:
    """Run a program and return what it printed, which is JSON. What it logged is shown when it fails."""
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    return json.loads(done.stdout)


def peak_mb() -> float:
    """Return the memory of this process at its highest, in megabytes."""
    found = _status("VmHWM")
    if found is None:  # where the system counts what the parent had before this one began, too
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return found


def resident_mb() -> float:
    """Return the memory of this process now, in megabytes; where the system does not tell, at its highest."""
    found = _status("VmRSS")
    return peak_mb() if found is None else found


def _status(name: str) -> float | None:
    """Return what Linux says of this process, in megabytes; None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), None)
