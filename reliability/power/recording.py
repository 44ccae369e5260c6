"""What a program does to its files, as strace saw it: every write, truncation, sync, deletion and renaming, in order.

The program is unmodified, and so is SQLite. What it writes to its standard output is in the same record: that is what
it has acknowledged by then. A write counts when it returned, a sync as well, an acknowledgement when it was begun: each
the stricter way. The shared-memory file of SQLite (-shm) is left out: it is made anew at a recovery.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = ["Kind", "Operation", "available", "record", "recorded"]

Kind = Literal["write", "cut", "sync", "create", "delete", "rename", "say"]

CALLS = "pwrite64,write,ftruncate,fdatasync,fsync,unlink,rename,openat"
REFUSED = "pwritev,pwritev2,writev,fallocate,copy_file_range,sendfile,unlinkat,renameat,renameat2,truncate,creat,open"
"""Calls that would write as well. Nothing in Python's sqlite3 makes them; a record with one would not be whole."""

LONGEST = 1 << 22
"""Bytes of one write that strace prints; more is none."""


class Operation(NamedTuple):
    """One thing that was done."""

    kind: Kind
    name: str
    """Of the file in the store; "" for the store's directory itself, and for what was said."""
    offset: int = 0
    """Of a write; the new size of a file that is cut."""
    data: bytes = b""
    to: str = ""
    """The new name."""


def available() -> str:
    """Return why nothing can be recorded here, "" when it can."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    return "" if shutil.which("strace") else "it needs strace"


def record(program: Sequence[str], directory: Path) -> None:
    """Run `program` with the directory of a store as its last argument; keep what it does there for `recorded`."""
    line = [
        "strace",
        "-f",
        "-y",
        "-xx",
        "-s",
        str(LONGEST),
        "-o",
        str(directory / "trace"),
        "-e",
        f"trace={CALLS},{REFUSED}",
    ]
    store = directory / "store"
    done = subprocess.run([*line, *program, str(store)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(program)} ended with {done.returncode}:\n{done.stderr}")


def recorded(directory: Path) -> list[Operation]:
    """Return what the program did that `record` ran in this directory."""
    with (directory / "trace").open() as lines:
        return list(_operations(lines, str(directory / "store")))


_LINE = re.compile(r"(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))\n?")
_FILE = re.compile(r"\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


def _operations(lines: Iterator[str], store: str) -> Iterator[Operation]:
    begun: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue  # a signal, or the end of a thread
        thread, call, arguments, resumed, rest = match.groups()
        if call is not None and arguments.rstrip().endswith("<unfinished ...>"):
            begun[thread] = arguments.rstrip().removesuffix("<unfinished ...>")
            if call == "write" and arguments.startswith("1<"):
                yield _say(begun.pop(thread))
            continue
        if call is None:
            call, arguments = resumed, begun.pop(thread, "") + rest
            if call == "write" and not arguments.startswith(tuple("0123456789")):
                continue  # what was said when it was begun
        if call == "write" and arguments.startswith("1<"):
            yield _say(arguments)
        elif not re.search(r"\)\s+= -1 ", arguments[-200:]):
            yield from _done(call, arguments, store)


def _done(call: str, arguments: str, store: str) -> Iterator[Operation]:
    """Return what a call that has succeeded did to the store."""
    match call:
        case "openat":
            if "O_CREAT" in arguments or "O_TRUNC" in arguments:
                name = _inside(_text(arguments), store)
                if name:
                    yield Operation("create", name, offset="O_TRUNC" in arguments)
        case "rename":
            names = [_decoded(found) for found, _ in _TEXT.findall(arguments)]
            old, new = (_inside(os.fsdecode(name), store) for name in names)
            if old and new:
                yield Operation("rename", old, to=new)
        case "unlink":
            name = _inside(_text(arguments), store)
            if name:
                yield Operation("delete", name)
        case _:
            found = _FILE.match(arguments)
            name = None if found is None else _inside(os.fsdecode(_decoded(found[1])), store)
            if name is None:
                return
            if call in REFUSED.split(","):
                raise ValueError(f"{call} was called on {name}, which this record cannot tell")
            if call in ("fdatasync", "fsync"):
                yield Operation("sync", name)
            elif call == "ftruncate":
                yield Operation("cut", name, int(arguments.split(", ")[-1].split(")")[0]))
            elif call == "pwrite64":
                yield Operation(
                    "write", name, int(arguments.rsplit(", ", 1)[-1].split(")")[0]), _data(arguments)
                )
            else:
                yield Operation(
                    "write", name, 0, _data(arguments)
                )  # files of one write, from their beginning


def _say(arguments: str) -> Operation:
    return Operation("say", "", data=_data(arguments))


def _inside(path: str, store: str) -> str | None:
    """Return the name of a file in the store, "" for the store itself, None for what is elsewhere or is not durable."""
    if path == store:
        return ""
    directory, name = os.path.split(path)
    return name if directory == store and not name.endswith("-shm") else None


def _data(arguments: str) -> bytes:
    found = _TEXT.search(arguments)
    if found is None or found[2]:
        raise ValueError(f"strace has left something out: {arguments[:200]}")
    return _decoded(found[1])


def _text(arguments: str) -> str:
    return os.fsdecode(_data(arguments))


def _decoded(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
