"""The folder of one trial, and what is known about it besides what the shop has written."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from saga.store import StoreFiles, is_locked

__all__ = ["Facts", "Folder", "NotOurs", "reading"]


class NotOurs(Exception):
    """The folder cannot be used: it has something else in it, or nothing, or cannot be made."""


@dataclass
class Facts:
    """What the supervisor knows about a trial."""

    orders: int
    factor: float
    kills_planned: int
    seed: int
    kills: int = 0
    """How many there were."""
    kills_while_opening: int = 0
    """How many of them hit a worker that was opening its store, and perhaps recovering."""
    seconds: float = 0.0
    peak_memory_kb: int | None = None
    """The most memory any worker had; None where the system does not tell."""
    longest_away_s: float = 0.0
    """The longest time that the shop was closed by kills, until it was open again."""


class Folder:
    """Where everything of one trial is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shop = root / "shop"
        """The store of the shop; `saga list` and the other commands can read it."""
        self.ledger = root / "processor.db"
        self.log = root / "worker.log"
        self.remains = root / "last-kill"
        """What the last kill has left that the next start makes use of: write-ahead logs."""
        self._facts = root / "trial.json"

    def make_fresh(self) -> None:
        """Delete the trial that was here, and make an empty folder.

        Raises NotOurs when there is something else, or a trial that is running: that is left alone.
        """
        try:
            if self.root.exists():
                self._check_for_others()
                shutil.rmtree(self.root)
            self.root.mkdir(parents=True)
        except OSError as error:
            raise NotOurs(f"{self.root} cannot be made: {error.strerror}; give another --store") from error

    def _check_for_others(self) -> None:
        if not self.root.is_dir() or (any(self.root.iterdir()) and not self._facts.exists()):
            raise NotOurs(f"{self.root} is there already and is not of a trial; give another --store")
        if is_locked(StoreFiles.at(self.shop)):
            raise NotOurs(f"a trial is running in {self.root}; give another --store")

    def delete(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.root)

    def write(self, facts: Facts) -> None:
        """Write down what is known about the trial."""
        self._facts.write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")

    def read(self) -> Facts:
        """Return what was written down. Raises NotOurs when nothing was."""
        try:
            return Facts(**json.loads(self._facts.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise NotOurs(f"there is no trial in {self.root}; run one with --keep first") from None

    def context(self, name: str) -> Path:
        """Return the file of a context."""
        return self.shop / f"{name}.db"

    def keep_remains(self) -> None:
        """Copy the write-ahead logs of a worker that was killed."""
        self.remains.mkdir()
        for log in self.shop.glob("*-wal"):
            shutil.copy(log, self.remains)

    def files(self) -> Iterator[Path]:
        """Find every file that the trial has left."""
        return (path for path in sorted(self.root.rglob("*")) if path.is_file())


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a SQLite file for reading. Raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
        yield connection
