"""The stores that are damaged: stopped in order or killed, each with an earlier copy of itself; and a foreign one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reliability.shop import pages
from reliability.shop.books import Told

__all__ = ["FOREIGN", "STORES", "Stopped", "make", "stopped"]


@dataclass(frozen=True)
class _Way:
    """How a store comes to be: an earlier life of it, and the last one."""

    stop: str
    sagas: int
    log: int | None = None
    """Pages of a write-ahead log before it is copied into the file: with few, a killed store has much in both."""


STORES = {
    "ended": _Way("end", 10),
    "left": _Way("leave", 20),
    "killed": _Way("kill", 20),
    "killed-early": _Way("kill", 7),
    "killed-with-a-short-log": _Way("kill", 20, log=40),
}
"""Those that are damaged, and how they were stopped."""

FOREIGN = "foreign"
"""One of the same shop that files are taken from."""

BEFORE = 4
"""Sagas of the life before, which was left in order."""


@dataclass(frozen=True)
class Stopped:
    """A store as it lies on the disk, and what the world was told of it."""

    name: str
    now: pages.Pages
    earlier: pages.Pages
    """The same one at the end of an earlier life."""
    told: Told


def make(directory: Path, names: Iterable[str]) -> None:
    """Make these and the foreign one, each in a directory of its name, with what it has said beside it."""
    for name in (*names, FOREIGN):
        way = STORES["left" if name == FOREIGN else name]
        store = directory / name / "store"
        said = _live(store, "leave", BEFORE, 0, None)
        pages.put(directory / name / "earlier", pages.read(store))
        said += _live(store, way.stop, way.sagas, 100, way.log)
        (directory / name / "said").write_text(said)


def _live(store: Path, stop: str, sagas: int, first: int, log: int | None) -> str:
    """Let a day be worked in the store; return what was said."""
    line = [sys.executable, "-m", "reliability.shop.day", str(store), "--stop", stop]
    line += ["--sagas", str(sagas), "--first", str(first), *(["--pages", str(log)] if log else [])]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode not in (0, -9):
        raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def stopped(directory: Path, name: str) -> Stopped:
    """Return a store that was made."""
    told = Told()
    for line in (directory / name / "said").read_text().splitlines():
        if not line.startswith("2"):  # a log line of the runtime
            told.hear(line)
    return Stopped(
        name, pages.read(directory / name / "store"), pages.read(directory / name / "earlier"), told
    )
