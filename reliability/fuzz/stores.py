"""The stores that the command line is tried on: closed, dead, alive, and damaged in some ways."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

__all__ = ["DAMAGED", "made_in"]

ROOT = Path(__file__).resolve().parent.parent.parent
DAMAGED = 24


@contextmanager
def made_in(directory: Path) -> Iterator[None]:
    """Make `closed`, `dead`, `live` and `damaged-N` in a directory; `live` is kept open by a program."""
    line = [sys.executable, "-m", "reliability.fuzz.shop", str(directory / "live")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = directory / "shop.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            while (said := process.stdout.readline()) and said != "filled\n":
                pass  # what it logs
            if not said:
                raise RuntimeError(f"the program has ended: {log.read_text()[-2000:]}")
            shutil.copytree(directory / "live", directory / "dead")
            shutil.copytree(directory / "dead", directory / "closed")
            _close(directory / "closed")
            for number in range(DAMAGED):
                store = directory / f"damaged-{number}"
                shutil.copytree(directory / ("dead" if number % 3 == 0 else "closed"), store)
                _damage(Random(f"damage {number}"), store)
            yield
        finally:
            process.stdin.close()
            process.wait(60)


def _close(store: Path) -> None:
    """Let everything stand in the files themselves, as a program that ends in order leaves it."""
    import sqlite3

    for path in sorted(store.glob("*.db")):
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


def _damage(rng: Random, store: Path) -> None:
    files = sorted(path for path in store.iterdir() if path.stat().st_size)
    path = rng.choice(files)
    data = bytearray(path.read_bytes())
    match rng.randrange(6):
        case 0:
            path.unlink()
        case 1:
            path.write_bytes(b"")
        case 2:
            path.write_bytes(data[: rng.randrange(len(data))])
        case 3:
            path.write_bytes(b"this is no database, but a text of some length " * 50)
        case _:
            for _ in range(rng.choice((1, 20, 400))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
