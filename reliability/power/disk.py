"""A disk that loses power: what it holds for certain, what it was only told, and what may be left of that.

1. What was written to a file is certain when the file was synced after it. What was written since may be lost, whole
   or in parts, in any order; of one write, any 512-byte sectors.
2. A new file, a deletion and a renaming are certain when the directory was synced, the new file itself when it was.
   Until then the last of them may be lost, in the order in which they came.

The adversary is stronger than most disks: it knows no order among writes that were not synced.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal

from reliability.power.recording import Operation

__all__ = ["LOSSES", "Disk", "Image", "Loss"]

Loss = Literal["lost", "kept", "subset", "torn"]
LOSSES: tuple[Loss, ...] = ("lost", "kept", "subset", "torn")
"""Of what was not synced: nothing is left, everything, some of the writes, or some sectors of some of the writes."""

Image = dict[str, bytes]
"""Name → content of the files after the power cut."""

SECTOR = 512


class _File:
    """A file, whatever its name."""

    __slots__ = ("certain", "frozen", "since")

    def __init__(self) -> None:
        self.certain = bytearray()
        self.frozen: bytes | None = b""
        """`certain` as it goes into images, as long as it does not change."""
        self.since: list[Operation] = []

    def sync(self) -> None:
        for operation in self.since:
            _apply(self.certain, operation)
        if self.since:
            self.frozen = None
        self.since.clear()

    def content(self, choose: Callable[[Operation], list[Operation]]) -> bytes:
        left = [part for operation in self.since for part in choose(operation)]
        if left:
            content = bytearray(self.certain)
            for operation in left:
                _apply(content, operation)
            return bytes(content)
        if self.frozen is None:
            self.frozen = bytes(self.certain)
        return self.frozen


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "cut":
        if operation.offset <= len(content):
            del content[operation.offset :]
        else:
            content.extend(bytes(operation.offset - len(content)))
        return
    end = operation.offset + len(operation.data)
    if len(content) < operation.offset:
        content.extend(bytes(operation.offset - len(content)))
    content[operation.offset : end] = operation.data


class Disk:
    """The directory of a store. `do` what was recorded, one by one; take images in between."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        """As the program sees them."""
        self._certain: dict[str, _File] = {}
        self._changes: list[tuple[str, _File | None]] = []
        """Of names, since they were certain: the file, None for a deletion."""

    def do(self, operation: Operation) -> None:
        """Let it happen."""
        name = operation.name
        match operation.kind:
            case "say":
                pass
            case "create":
                if name not in self._names:
                    self._link(name, _File())
                elif operation.offset:
                    self._names[name].since.append(operation._replace(kind="cut", offset=0))
            case "delete":
                del self._names[name]
                self._changes.append((name, None))
            case "rename":
                self._link(operation.to, self._names.pop(name))
                self._changes.append((name, None))
            case "sync":
                self._sync(name)
            case "write" | "cut":
                self._names[name].since.append(operation)

    def _link(self, name: str, file: _File) -> None:
        self._names[name] = file
        self._changes.append((name, file))

    def _sync(self, name: str) -> None:
        if name:
            self._names[name].sync()
        left = []
        for change in self._changes:
            if name in ("", change[0]):
                _change(self._certain, change)
            else:
                left.append(change)
        self._changes = left

    def image(self, loss: Loss, random: Random) -> Image:
        """Return what is left when the power is cut now."""
        names = dict(self._certain)
        kept = {"lost": 0, "kept": len(self._changes)}.get(loss, random.randint(0, len(self._changes)))
        for change in self._changes[:kept]:
            _change(names, change)
        choose = _CHOICES[loss]
        return {
            name: file.content(lambda operation: choose(operation, random)) for name, file in names.items()
        }


def _change(names: dict[str, _File], change: tuple[str, _File | None]) -> None:
    name, file = change
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _subset(operation: Operation, random: Random) -> list[Operation]:
    return [operation] if random.random() < 0.5 else []


def _torn(operation: Operation, random: Random) -> list[Operation]:
    """Return some sectors of a write; a truncation happens or not."""
    if operation.kind == "cut":
        return _subset(operation, random)
    at, end, left = operation.offset, operation.offset + len(operation.data), []
    while at < end:
        to = min((at // SECTOR + 1) * SECTOR, end)
        if random.random() < 0.5:
            data = operation.data[at - operation.offset : to - operation.offset]
            left.append(operation._replace(offset=at, data=data))
        at = to
    return left


_CHOICES: dict[Loss, Callable[[Operation, Random], list[Operation]]] = {
    "lost": lambda operation, random: [],
    "kept": lambda operation, random: [operation],
    "subset": _subset,
    "torn": _torn,
}
