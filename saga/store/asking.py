"""What somebody outside asks of the runtime that owns a store: two small files beside it, and no connection.

    runtime.request          who asks makes it; the runtime looks for it once a second, and takes it away
    runtime.answer-<id>      the runtime makes it when it is done; who has asked takes it away

1. One request waits at a time. Whoever takes the file away has it: the runtime, which then carries it out, or the one
   who has asked, who has waited long enough.
2. What is asked is carried out by the runtime with its own rights, so it is taken only from the user that the runtime
   runs as, or from root.
3. Nothing depends on these files: what was left by somebody who was killed is taken away at the next start.
"""

from __future__ import annotations

import glob
import os
from contextlib import suppress
from typing import Final

import msgspec

from saga.errors import UsageError
from saga.store.errors import CannotOpen
from saga.store.files import StoreFiles

__all__ = ["Answered", "Asked", "answer", "answer_to", "ask", "clear_requests", "take_request", "withdraw"]

LONGEST: Final = 64 * 1024
"""Bytes of a request or an answer that are read."""

_FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Asked(msgspec.Struct, frozen=True):
    """What is asked: a backup to `directory`, or, with `older_than_ms`, to let go of what has ended so long ago."""

    id: str
    directory: str | None = None
    older_than_ms: int | None = None


class Answered(msgspec.Struct, frozen=True):
    """What came of it: `facts`, which are those of the result that a call would have had, or why it failed."""

    facts: dict[str, object] = {}
    error: str = ""


def _request(files: StoreFiles) -> str:
    return os.path.join(files.directory, "runtime.request")


def _answer(files: StoreFiles, id: str) -> str:
    return os.path.join(files.directory, f"runtime.answer-{id}")


# --- who asks ---------------------------------------------------------------------------------------


def ask(files: StoreFiles, asked: Asked) -> None:
    """Let the owner of the store find this. Raises UsageError when another request waits, CannotOpen."""
    path = _request(files)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    except FileExistsError:
        raise UsageError(f"{path}: somebody else asks for something; try again in a moment") from None
    except OSError as error:
        raise CannotOpen(path, f"cannot be written: {error.strerror}") from error
    try:
        os.write(fd, msgspec.json.encode(asked))
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # else the owner could not read it
            owner = os.stat(files.lock)
            os.fchown(fd, owner.st_uid, owner.st_gid)
    except OSError as error:
        os.unlink(path)
        raise CannotOpen(path, f"cannot be written: {error.strerror}") from error
    finally:
        os.close(fd)


def withdraw(files: StoreFiles, asked: Asked) -> bool:
    """Ask no more; return False when the owner has begun with it."""
    path = _request(files)
    try:
        with open(path, "rb") as file:
            if msgspec.json.decode(file.read(LONGEST), type=Asked) != asked:
                return False
        os.unlink(path)
    except (FileNotFoundError, msgspec.MsgspecError):  # it is that of somebody else by now
        return False
    return True


def answer_to(files: StoreFiles, asked: Asked) -> Answered | None:
    """Return what the owner has answered, and take it away; None when there is nothing yet."""
    path = _answer(files, asked.id)
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST)
    except FileNotFoundError:
        return None
    os.unlink(path)
    return msgspec.json.decode(data, type=Answered)


# --- the owner --------------------------------------------------------------------------------------


def take_request(files: StoreFiles) -> Asked | None:
    """Return what is asked for, and take it away; None when nothing is, or what is there is not from us."""
    path = _request(files)
    try:
        fd = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return None
    try:
        data, facts = os.read(fd, LONGEST), os.fstat(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    try:
        asked = msgspec.json.decode(data, type=Asked)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # it is being written
    if hasattr(os, "geteuid") and facts.st_uid not in (0, os.geteuid()):
        return None
    try:
        os.unlink(path)
    except OSError:
        return None  # who has asked was quicker
    return asked


def answer(files: StoreFiles, asked: Asked, answered: Answered) -> None:
    """Let whoever has asked find this. Nobody is told when it cannot be written."""
    path = _answer(files, asked.id)
    with suppress(OSError):
        fd = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o600)
        try:
            os.write(fd, msgspec.json.encode(answered))
        finally:
            os.close(fd)
        os.replace(f"{path}.new", path)


def clear_requests(files: StoreFiles) -> None:
    """Take away what was left from an earlier run."""
    for path in (_request(files), *glob.glob(f"{glob.escape(_answer(files, ''))}*")):
        with suppress(OSError):
            os.unlink(path)
