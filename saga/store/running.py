"""What is being carried out right now: a small file that outlives its process, however that ends.

Each thread or task that runs an author's code has a cell of it, into which it writes what it is about to
do, and 0 when it is done. The file is mapped into memory (`mapped`).

1. It is a hint and never the truth: nothing is lost with it. What is missing, short, of another run or makes
   no sense is taken as nothing, so it is never synced and never repaired.
2. Every run makes a new file and puts it in the place of the old one.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from saga.store.errors import CannotOpen
from saga.store.mapped import new_mapped

__all__ = ["COORDINATOR", "UNNUMBERED", "Cell", "Kind", "Noted", "Running", "read_running"]

COORDINATOR: Final = "coordinator"
"""Whose cell holds numbers of sagas; no participant has this name."""

UNNUMBERED: Final = -(1 << 62)
"""In a cell: a command that the application has sent itself. It is not sent again, so it is nobody's suspect."""

MOST: Final = 256
"""Cells of one participant, at most. What is carried out beside so many is not noted."""

VERSION: Final = 1
WIDTH: Final = 8
LONGEST: Final = 1 << 20
"""Bytes that are read: enough for five hundred gateways with all the cells they may have."""

Kind: TypeAlias = Literal["command", "event", "saga"]
Cells: TypeAlias = "memoryview[int] | list[int]"
Cell: TypeAlias = tuple[Cells, int]
"""Where to write, and the index there: `cells[index] = number`. A command's number as it is; that of an event at
a listener negative; 0: nothing."""


class Noted(NamedTuple):
    """Something that was being carried out when a run ended."""

    participant: str
    kind: Kind
    no: int
    """Number of the command at its participant, of the event in the log, or of the saga."""
    alone: bool
    """Nothing else was."""


class _Head(msgspec.Struct, frozen=True):
    """The first line of the file, as JSON; the cells follow, in the order of `cells`."""

    version: int
    store_id: str
    epoch: int
    byteorder: str
    cells: list[tuple[str, int]]
    """Participant, and how many cells it has."""


class Running:
    """The file of this run. `take` and `give_back` may be called from any thread."""

    def __init__(self, cells: Cells, counts: Mapping[str, int]) -> None:
        self._cells, self._counts = cells, dict(counts)
        self._free: dict[str, list[int]] = {}
        first = 0
        for name, count in counts.items():
            self._free[name] = list(range(first + count - 1, first - 1, -1))
            first += count

    @classmethod
    def create(cls, path: str, store_id: str, epoch: int, counts: Mapping[str, int]) -> Running:
        """Make the file of a run and put it in the place of the last one; `counts`: cells wanted, by participant.

        Raises CannotOpen when it cannot be made (a full disk, a directory that is read-only); one may do without.
        """
        counts = {name: min(count, MOST) for name, count in counts.items()}
        head = _Head(VERSION, store_id, epoch, sys.byteorder, list(counts.items()))
        line = msgspec.json.encode(head)
        start = -(-(len(line) + 1) // WIDTH) * WIDTH
        data = line.ljust(start - 1) + b"\n" + bytes(WIDTH * sum(counts.values()))
        try:
            cells = new_mapped(path, data)[start:].cast("q")
        except (OSError, ValueError) as error:
            raise CannotOpen(path, getattr(error, "strerror", None) or str(error)) from error
        return cls(cells, counts)

    def take(self, name: str) -> Cell | None:
        """Return a free cell of a participant; None when it has none left, or there is no such participant."""
        try:
            return self._cells, self._free[name].pop()
        except (KeyError, IndexError):
            return None

    def give_back(self, name: str, cell: Cell) -> None:
        """This cell, once taken for this participant, is free again."""
        cells, index = cell
        cells[index] = 0
        self._free[name].append(index)

    def noted(self) -> list[Noted]:
        """Return what is being carried out now: what the next run would find if this one ended here."""
        return _noted(list(self._counts.items()), self._cells)


def read_running(path: str, store_id: str, epoch: int) -> list[Noted]:
    """Return what was being carried out at the end of the run with this epoch of this store.

    Never raises: a file that is not there, not readable, or not whole says nothing.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST + 1)
    except OSError:
        return []
    line, newline, _ = data.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    if (head.version, head.store_id, head.epoch, head.byteorder) != (VERSION, store_id, epoch, sys.byteorder):
        return []
    start = len(line) + len(newline)
    if any(count < 0 for _, count in head.cells):
        return []
    if start % WIDTH or len(data) != start + WIDTH * sum(count for _, count in head.cells):
        return []
    return _noted(head.cells, array("q", data[start:]))


def _noted(owners: list[tuple[str, int]], cells: Sequence[int] | Cells) -> list[Noted]:
    alone = sum(map(bool, cells)) == 1
    names = [name for name, count in owners for _ in range(count)]
    return [
        Noted(name, _kind(name, cell), abs(cell), alone)
        for name, cell in zip(names, cells, strict=True)
        if cell not in (0, UNNUMBERED)
    ]


def _kind(name: str, cell: int) -> Kind:
    if name == COORDINATOR:
        return "saga"
    return "command" if cell > 0 else "event"
