"""Where a store of an attack stands."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["place"]


@contextmanager
def place() -> Iterator[Path]:
    """A place for a store, on the fastest file system there is: a kill needs no disk."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    directory = tempfile.mkdtemp(prefix="saga-reliability-", dir=parent)
    try:
        yield Path(directory) / "store"
    finally:
        shutil.rmtree(directory, ignore_errors=True)
