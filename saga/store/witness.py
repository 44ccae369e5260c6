"""A witness of the last commit of a file, beside it: `saga.db-commits` says how far saga.db had come.

The end of a write-ahead log that is damaged, or cut off, looks like one that was never written: SQLite leaves it out
without a word, and if no other file has heard of these commits, nobody would miss them. So after each commit its number
is written into a small file that is mapped into memory (`mapped`), as `running` is: free, and outlives kill -9.

1. The number is written when the commit is on disk, so it is never ahead of what must be there, also after a
   power cut.
2. It tells of one epoch of one file, the last one, which a closed or a killed run has left. What is missing, of
   another epoch or makes no sense says nothing: older files are noticed by what the files know of each other.
3. Number and checksum are one word of eight bytes, so that no moment is in between.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b

from saga.errors import DataLossDetected
from saga.store.files import MEMORY
from saga.store.mapped import new_mapped

__all__ = ["Witness", "check_witness", "witnessed"]

SUFFIX = "-commits"
HEADER = 64
"""Bytes before the number: the id of the store, the epoch, and a line's end; a multiple of eight."""


class Witness:
    """Notes the commits of the owner of one file."""

    __slots__ = ("_cells",)

    def __init__(self, path: str, store_id: str, epoch: int, commit_no: int) -> None:
        """Begin anew for this epoch; where there can be no such file, nothing is noted."""
        self._cells: memoryview[int] | None = None
        if path != MEMORY:
            with suppress(OSError, ValueError):
                self._cells = new_mapped(f"{path}{SUFFIX}", _header(store_id, epoch) + bytes(8)).cast("q")
        self.note(commit_no)

    def note(self, commit_no: int) -> None:
        """This commit is on disk."""
        if self._cells is not None:
            self._cells[HEADER // 8] = _word(commit_no)


def _header(store_id: str, epoch: int) -> bytes:
    return f"{store_id} {epoch}".encode().ljust(HEADER - 1) + b"\n"


def _word(commit_no: int) -> int:
    check = blake2b(commit_no.to_bytes(8, "big"), digest_size=2).digest()
    return commit_no << 16 | int.from_bytes(check, "big")


def witnessed(path: str, store_id: str, epoch: int) -> int:
    """Return the number of the last commit of this epoch that was noted; 0 when nothing is known."""
    try:
        with open(f"{path}{SUFFIX}", "rb") as file:
            data = file.read(HEADER + 9)
    except OSError:
        return 0
    if len(data) != HEADER + 8 or data[:HEADER] != _header(store_id, epoch):
        return 0
    with memoryview(data[HEADER:]).cast("q") as cells:
        word = cells[0]
    commit_no = word >> 16
    return commit_no if commit_no > 0 and word == _word(commit_no) else 0


def check_witness(path: str, store_id: str, epoch: int, commit_no: int) -> None:
    """Raise DataLossDetected when the file has lost commits: it ends at `commit_no`."""
    if path == MEMORY:
        return
    noted = witnessed(path, store_id, epoch)
    if noted > commit_no:
        name = os.path.basename(path)
        raise DataLossDetected(
            path,
            f"ends at commit {commit_no}, and by {name}{SUFFIX} it has seen {noted}: its write-ahead log is damaged"
            f" or gone (delete {name}{SUFFIX} if an older file was put here on purpose)",
        )
