"""`saga backup` and `saga restore`: a copy of a whole store, of one moment."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime

import msgspec

from saga.cli.asking import asked_of_owner
from saga.cli.output import Copy, write
from saga.cli.terminal import Terminal
from saga.cli.values import size
from saga.errors import CopyFailed, StoreInUse
from saga.store import OwnerLock, StoreFiles, copy_unowned, data_files, refuse_a_running_store

__all__ = ["backup", "restore"]


def backup(store: str, directory: str, as_json: bool) -> int:
    """Copy the store to `directory`; return the exit code."""
    files, directory = StoreFiles.at(store), os.path.abspath(directory)
    data_files(files)  # else the lock file would be made where there is no store
    try:
        lock = OwnerLock.take(files, _now())
    except StoreInUse:
        facts = asked_of_owner(files, directory=directory)
        _tell(facts, "copied by the program that runs the store", as_json)
        return 0
    with lock:
        _tell(asdict(copy_unowned(files, directory, _now())), "copied", as_json)
    return 0


def restore(backup: str, directory: str, as_json: bool) -> int:
    """Make a store in `directory` of what is in `backup`; return the exit code."""
    files = StoreFiles.at(backup)
    try:
        refuse_a_running_store(files)
    except StoreInUse as error:
        what = f"{error.path} is run by process {error.pid}; take a backup of it first"
        raise CopyFailed(os.path.abspath(directory), what) from error
    _tell(asdict(copy_unowned(files, directory, _now())), "restored", as_json)
    return 0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _tell(facts: dict[str, object], how: str, as_json: bool) -> None:
    copy = msgspec.convert(facts, Copy)
    if as_json:
        write(copy)
        return
    count = len(copy.files)
    what = f"{count} {'file' if count == 1 else 'files'}, {size(copy.bytes)}, {how}"
    Terminal.of_stdout().line(f"{copy.directory}: {what}", "green")
