"""The owner lock: one runtime per store, for as long as it lives.

1. It is a `flock` on `runtime.lock`, held by an open file: it survives SIGSTOP, and is gone with the process
   however that ends. Not a lease: a paused owner must not look dead. Not `lockf`, which any close of the file
   gives up.
2. The file tells who owns the store, for the message, and which store was here, to notice when saga.db is
   gone. It is never deleted: whoever deleted it could lock a second one beside the first.
3. A forked child closes its copy, else the store would stay locked after the parent's end.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import weakref
from typing import Final

import msgspec

from saga.errors import StoreInUse
from saga.seams import seam
from saga.store.connection import check_process
from saga.store.errors import CannotOpen
from saga.store.files import StoreFiles

__all__ = ["Owner", "OwnerLock", "is_locked", "read_owner"]

TRIES: Final = 10
PAUSE_S: Final = 0.01
"""`is_locked` of another process holds the lock for some microseconds, so one failure does not count."""

LONGEST: Final = 4096
"""Bytes of the lock file that are read; ours are about 200."""


class Owner(msgspec.Struct, frozen=True):
    """Who owns the store, or owned it last: the content of `runtime.lock`."""

    pid: int
    host: str
    since: str
    """ISO 8601, UTC."""
    store_id: str | None = None


class OwnerLock:
    """The lock, held. Release it with `release`, or use it as a context manager."""

    def __init__(self, path: str, fd: int, owner: Owner) -> None:
        self._path, self._fd, self._owner, self._pid = path, fd, owner, os.getpid()
        _held.add(self)

    @classmethod
    def take(cls, files: StoreFiles, since: str) -> OwnerLock:
        """Create the directory if need be, and take the lock. `since` is the time now, as ISO 8601.

        Raises StoreInUse with what the lock file says about the owner, CannotOpen.
        """
        files.make_directory()
        seam("lock.directory-made")
        path = files.lock
        fd = _open_and_lock(path)
        seam("lock.taken")
        before = _read(path)
        known = None if before is None else before.store_id
        lock = cls(path, fd, Owner(os.getpid(), socket.gethostname(), since, known))
        try:
            lock._write()
        except BaseException:
            lock.release()
            raise
        return lock

    @property
    def store_id(self) -> str | None:
        """The id of the store that was last opened under this lock, None when there was none."""
        return self._owner.store_id

    def note_store(self, store_id: str) -> None:
        """Write down which store is here, so that a missing saga.db is noticed. Raises CannotOpen and, in a
        fork, ForkedRuntime.
        """
        if store_id != self._owner.store_id:
            self._owner = msgspec.structs.replace(self._owner, store_id=store_id)
            self._write()

    def _write(self) -> None:
        check_process(self._pid)
        data = msgspec.json.encode(self._owner) + b"\n"
        # One write over the old content, then the rest is cut off: no moment at which the file is empty.
        try:
            os.lseek(self._fd, 0, os.SEEK_SET)
            seam("lock.before-write")
            os.write(self._fd, data)
            seam("lock.before-cut")
            os.ftruncate(self._fd, len(data))
            seam("lock.after-write")
        except OSError as error:
            raise CannotOpen(self._path, f"cannot be written: {error.strerror}") from error

    def release(self) -> None:
        """Give the lock up. The file stays, with the facts of its last owner. Nothing in a fork, or the
        second time.
        """
        if self._fd >= 0 and os.getpid() == self._pid:
            _held.discard(self)
            seam("lock.before-release")
            os.close(self._fd)
            seam("lock.after-release")
        self._fd = -1

    def __enter__(self) -> OwnerLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def read_owner(files: StoreFiles) -> Owner | None:
    """Return what `runtime.lock` says, without taking the lock; None when there is no such file or it is
    unreadable.

    It tells of the last owner, which may have ended: `is_locked` knows.
    """
    return None if files.in_memory else _read(files.lock)


def is_locked(files: StoreFiles) -> bool:
    """Return whether a runtime owns the store now. Takes the lock for a moment when nobody does; changes no
    file.
    """
    if files.in_memory:
        return False
    try:
        fd = os.open(files.lock, os.O_RDONLY | _FLAGS)
    except OSError:
        return False
    try:
        return not _try_lock(fd, shared=True)
    finally:
        os.close(fd)


def _read(path: str) -> Owner | None:
    try:
        with open(path, "rb") as file:
            return _parse(file.read(LONGEST))
    except OSError:
        return None


def _parse(data: bytes) -> Owner | None:
    try:
        return msgspec.json.decode(data, type=Owner)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _open_and_lock(path: str) -> int:
    """Return a descriptor of the file at `path` that holds the lock."""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_S)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
        except OSError as error:
            raise CannotOpen(path, f"cannot be opened: {error.strerror}") from error
        seam("lock.opened")
        # Somebody may have deleted the file since it was opened: then we have locked one that nobody else can
        # see.
        if _try_lock(fd) and _is_same(path, fd):
            return fd
        os.close(fd)
    owner, directory = _read(path), os.path.dirname(path)
    if owner is None:
        raise StoreInUse(directory, None, None, None)
    raise StoreInUse(directory, owner.pid, owner.host, owner.since)


def _is_same(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    _FLAGS = os.O_BINARY | os.O_NOINHERIT

    def _try_lock(fd: int, *, shared: bool = False) -> bool:
        # Locked bytes cannot be read by others here, so the lock is on a byte far behind the content.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    _FLAGS = os.O_CLOEXEC

    def _try_lock(fd: int, *, shared: bool = False) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


_held: weakref.WeakSet[OwnerLock] = weakref.WeakSet()


def _close_in_child() -> None:
    for lock in list(_held):
        with contextlib.suppress(OSError):
            os.close(lock._fd)
        lock._fd = -1
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)
