"""`saga prune`: let go of what is over and old."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import msgspec

from saga.cli.asking import asked_of_owner
from saga.cli.output import Pruning, write
from saga.cli.terminal import Terminal
from saga.errors import StoreInUse
from saga.retention import Offline, checked_age, let_go, look
from saga.store import OwnerLock, StoreFiles, StoreReader, data_files

__all__ = ["prune"]


def prune(directory: str, older_than: timedelta, dry_run: bool, as_json: bool) -> int:
    """Let go of what ended longer ago than this, or say what that would be; return the exit code."""
    files, age_ms = StoreFiles.at(directory), checked_age(older_than)
    data_files(files)  # else the lock file would be made where there is no store
    if dry_run:
        facts = asdict(look(files, _now_ms(files) - age_ms)) | {"dry_run": True}
    else:
        facts = _let_go(files, age_ms)
    _tell(msgspec.convert(facts, Pruning), as_json)
    return 0


def _let_go(files: StoreFiles, age_ms: int) -> dict[str, object]:
    try:
        lock = OwnerLock.take(files, datetime.now(UTC).isoformat(timespec="seconds"))
    except StoreInUse:
        return asked_of_owner(files, older_than_ms=age_ms)
    with lock, Offline(files, lock) as hands:
        return asdict(let_go(hands, hands.now_ms - age_ms))


def _now_ms(files: StoreFiles) -> int:
    with StoreReader.open(files.directory) as reader:
        facts = reader.store()
    return int(time.time() * 1000) if facts.clock is None else facts.high_ms


def _tell(pruned: Pruning, as_json: bool) -> None:
    if as_json:
        write(pruned)
        return
    parts = [
        f"{count:,} {what if count == 1 else several}"
        for count, what, several in (
            (pruned.sagas, "saga", "sagas"),
            (pruned.events, "event", "events"),
            (pruned.sends, "command that was sent directly", "commands that were sent directly"),
        )
        if count
    ]
    if not parts:
        Terminal.of_stdout().line("nothing is old enough, or all of it is needed")
        return
    *most, last = parts
    listed = f"{', '.join(most)} and {last}" if most else last
    Terminal.of_stdout().line(f"{listed} {'would be' if pruned.dry_run else 'were'} let go of")
