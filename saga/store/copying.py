"""Copies of a store: each file as it is at one moment, into a directory that is there when all of it is.

Rules
1. A snapshot is a read transaction, `mode=ro`: it costs the owner nothing but a write-ahead log that cannot shrink
   meanwhile. Files of one moment need snapshots of one moment; whoever takes them sees to that.
2. A copy is written to `<directory>.partial`, synced, and then renamed: under its own name it is whole, or not there.
   What was cut off stays as `<directory>.partial`, and the next copy to the same place takes it away.
3. A copy is another store, with an id of its own in all its files. What goes on from it shares a past with the one that
   it was made of, and no future: a file of one in the other would be taken for its own, were the ids the same.
4. No file of a live store is opened but through sqlite3 (see `connection`, rule 5); those of a copy are, to sync them.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from saga.errors import CopyFailed, CorruptStore, SagaError, StoreInUse, StoreNotFound
from saga.seams import seam
from saga.store.connection import FAILURES, open_owner, open_reader, translated
from saga.store.errors import CannotOpen, DiskFull
from saga.store.files import LOCK_FILE, StoreFiles
from saga.store.integrity import check_links
from saga.store.lock import OwnerLock, is_locked, read_owner
from saga.store.reading import StoreReader
from saga.store.schema import CONTEXT, SAGA, Schema

__all__ = ["Copied", "CopyPlace", "Snapshot", "copy_unowned", "data_files", "refuse_a_running_store"]

PAGES_AT_ONCE: Final = 1_000
"""Pages that are copied before it is asked whether to go on: 4 MB."""

_STAMPS = {SAGA: "UPDATE store SET store_id = ?", CONTEXT: "UPDATE _saga_file SET store_id = ?"}
"""What gives a file another store id."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy of a store that was made."""

    directory: str
    store_id: str
    """The new one, which all files of the copy have."""
    files: tuple[str, ...]
    """Their names, `saga.db` first."""
    bytes: int


def data_files(files: StoreFiles) -> dict[str, str]:
    """Return name → path of the files that a store consists of: `saga`, and the contexts. Raises CorruptStore.

    Files of other programs that lie beside them are left out. Raises StoreNotFound when there is no saga.db.
    """
    if files.in_memory or SAGA.look(files.saga) is None:
        raise StoreNotFound(files.directory)
    found = {"saga": files.saga}
    for name in files.context_names():
        path = files.context(name)
        try:
            if CONTEXT.look(path) is not None:
                found[name] = path
        except CorruptStore:
            raise
        except SagaError:
            continue  # not one of ours
    return found


class Snapshot:
    """One file of a store as it is now, whatever is written to it later. Close it soon. For one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection, self._path = connection, path

    @classmethod
    def take(cls, path: str) -> Snapshot:
        """Hold on to the last commit in the file at `path`. Raises CannotOpen, CorruptStore, FileLocked."""
        connection = open_reader(path, any_thread=True)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise translated(error, path, opening=True) from error
            raise
        return cls(connection, path)

    def copy_to(self, path: str, go_on: Callable[[], object]) -> None:
        """Write it into a new file. `go_on` is called now and then, and may raise. Errors of sqlite3 pass through."""
        target = sqlite3.connect(path, isolation_level=None)
        try:
            for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # it is synced as a whole
                target.execute(f"PRAGMA {pragma}").fetchall()
            seam("copy.before-file")
            self._connection.backup(target, pages=PAGES_AT_ONCE, progress=lambda *_: go_on())
            seam("copy.file-written")
        finally:
            target.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class CopyPlace:
    """Where a copy is being written to. Taken by `take`, ended by `write` or `give_up`."""

    def __init__(self, directory: str, partial: StoreFiles, lock: OwnerLock) -> None:
        self._directory, self._partial, self._lock = directory, partial, lock
        self._ended = False

    @classmethod
    def take(cls, directory: str | os.PathLike[str], since: str) -> CopyPlace:
        """Begin a copy that will be in `directory`, which is not there yet, or empty. `since`: the time, as ISO 8601.

        Raises CopyFailed.
        """
        path = os.path.abspath(directory)
        refuse_what_is_there(path)
        partial = StoreFiles.at(f"{path}.partial")
        try:
            lock = OwnerLock.take(partial, since)
        except StoreInUse as error:
            raise CopyFailed(path, f"process {error.pid} is writing one to the same place") from error
        except SagaError as error:
            raise CopyFailed(path, getattr(error, "what", str(error))) from error
        place = cls(path, partial, lock)
        try:
            place._clear()
        except OSError as error:
            lock.release()
            raise CopyFailed(path, f"{partial.directory} cannot be used: {error.strerror}") from error
        return place

    def _clear(self) -> None:
        """Take away what a copy that was cut off has left."""
        for entry in os.scandir(self._partial.directory):
            if entry.name != LOCK_FILE:
                os.unlink(entry.path)

    def write(self, snapshots: Mapping[str, Snapshot], go_on: Callable[[], object]) -> Copied | None:
        """Copy these snapshots (`saga`, and contexts by name) and put the directory in its place; return what it is.

        None, and nothing is left, when the files do not belong to one moment. `go_on` is called now and then, and may
        raise. Raises what it raises, and CopyFailed; nothing is left then either.
        """
        try:
            return self._write(snapshots, go_on)
        except (*FAILURES, OSError, DiskFull, CannotOpen) as error:
            what = translated(error, self._directory)
            full = isinstance(what, DiskFull)
            raise CopyFailed(self._directory, "the disk is full" if full else str(error)) from error
        finally:
            self.give_up()

    def _write(self, snapshots: Mapping[str, Snapshot], go_on: Callable[[], object]) -> Copied | None:
        files, store_id = self._partial, str(uuid.uuid4())
        paths = {name: files.saga if name == "saga" else files.context(name) for name in snapshots}
        for name, snapshot in snapshots.items():
            snapshot.copy_to(paths[name], go_on)
        with StoreReader.open(files.directory) as reader:
            if any(finding.severity == "error" for finding in check_links(reader)):
                return None
        for name, path in paths.items():
            _stamp(path, SAGA if name == "saga" else CONTEXT, store_id)
        self._lock.note_store(store_id)
        size = sum(os.path.getsize(path) for path in paths.values())
        for path in (*paths.values(), files.lock, files.directory):
            _sync(path)
        self._rename()
        _sync(os.path.dirname(self._directory))
        return Copied(self._directory, store_id, tuple(f"{name}.db" for name in paths), size)

    def _rename(self) -> None:
        if os.name == "nt":
            self._lock.release()  # no directory is renamed there while a file in it is open
        refuse_what_is_there(self._directory)
        if os.path.isdir(self._directory):
            os.rmdir(self._directory)
        seam("copy.before-rename")
        os.rename(self._partial.directory, self._directory)
        seam("copy.after-rename")

    def give_up(self) -> None:
        """Take away what is there under the name of the unfinished copy, if it still is. The second time, nothing."""
        if self._ended:
            return
        self._ended, directory = True, self._partial.directory
        try:
            if os.path.isdir(directory):
                self._clear()
                os.unlink(self._partial.lock)
                os.rmdir(directory)
        except OSError:
            pass  # it says `.partial`, and the next one takes it away
        finally:
            self._lock.release()


def refuse_what_is_there(directory: str) -> None:
    """Raise CopyFailed unless `directory` is not there, or empty."""
    try:
        if not os.path.lexists(directory):
            return
        if not os.path.isdir(directory):
            raise CopyFailed(directory, "there is a file of this name")
        if os.listdir(directory):
            raise CopyFailed(directory, "the directory is not empty; name one that is not there yet")
    except OSError as error:
        raise CopyFailed(directory, error.strerror or str(error)) from error


def _stamp(path: str, schema: Schema, store_id: str) -> None:
    """Write the new id of the store into a copied file, and leave no write-ahead log beside it."""
    connection = open_owner(path, create=False)
    try:
        connection.execute(_STAMPS[schema], (store_id,))
    finally:
        connection.close()


def _sync(path: str) -> None:
    if os.name == "nt" and os.path.isdir(path):
        return  # there a directory cannot be opened, and need not be
    fd = os.open(path, os.O_RDONLY if os.path.isdir(path) or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def copy_unowned(files: StoreFiles, directory: str | os.PathLike[str], since: str) -> Copied:
    """Copy a store that nobody runs; whoever calls this sees to it that nobody begins to.

    Raises CopyFailed; StoreNotFound, SchemaTooNew, CorruptStore and CannotOpen about the store that is copied.
    """
    paths = data_files(files)
    place = CopyPlace.take(directory, since)
    snapshots: dict[str, Snapshot] = {}
    try:
        snapshots.update({name: Snapshot.take(path) for name, path in paths.items()})
        copied = place.write(snapshots, lambda: None)
    finally:
        place.give_up()
        for snapshot in snapshots.values():
            snapshot.close()
    if copied is None:
        what = f"the files in {files.directory} do not belong together; `saga verify` tells which"
        raise CopyFailed(os.path.abspath(directory), what)
    return copied


def refuse_a_running_store(files: StoreFiles) -> None:
    """Raise StoreInUse when a runtime has the store."""
    if is_locked(files):
        owner = read_owner(files)
        pid, host, since = (None,) * 3 if owner is None else (owner.pid, owner.host, owner.since)
        raise StoreInUse(files.directory, pid, host, since)
