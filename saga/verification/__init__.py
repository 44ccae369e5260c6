"""Is what is stored what must be stored? Journals are replayed, and held against all that follows from them.

It needs neither the authors' code nor a stopped process, and changes nothing.

    replaying   one journal → what it says, and where the rows of its saga say something else
    checking    the whole store: definitions, sagas, inboxes, outboxes, positions

Rules
1. The journal is the truth. The row of a saga, its waits, timers and incidents are what
   `pending(replay(journal))` says they must be, no more and no less.
2. Every answer that a journal acknowledges is in the inbox of the context that gave it, unless it was forgotten
   in order, below the floor; and every row of an inbox belongs to a command that was journaled.
3. No saga is in limbo: a live one waits for something, and for no event that is there already.
4. Beside a running process files move on between two looks. A saga and its rows are read in one moment. A
   context is looked at before saga.db where saga.db must know more, and after it where the context must.
5. Memory is bounded: some sagas, some rows at a time. After `MOST` findings about a file the rest is counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from saga.errors import CorruptStore, SagaError
from saga.store.files import StoreFiles
from saga.store.inspection import ContextReader
from saga.store.integrity import Finding, verify
from saga.store.lock import read_owner
from saga.store.reading import StoreReader
from saga.verification.checking import Check, Progress
from saga.verification.replaying import Replay, Told, differences, replay_journal

__all__ = [
    "Finding",
    "Progress",
    "Replay",
    "Told",
    "check_lock",
    "differences",
    "replay_journal",
    "verify_store",
]

MOST = 100
"""Findings about one file that are told one by one, in each part of the check."""


def verify_store(
    directory: str | os.PathLike[str], quick: bool = False, *, progress: Progress | None = None
) -> Iterator[Finding]:
    """Yield all that is wrong with the store in `directory`: nothing, when it is whole.

    `quick` leaves out SQLite's check of indexes, the replay of sagas that have ended, and the search for
    commands of sagas that nobody knows. `progress(what, done, of)` is told of `files`, `sagas`, `inboxes`.
    Raises StoreNotFound, SchemaTooNew, NotAStore, CannotOpen; damage is a finding.
    """
    files = StoreFiles.at(directory)
    told = progress or _silent
    told("files", 0, 0)
    try:
        yield from _at_most(verify(files, quick=quick))
        with ExitStack() as opened:
            reader = opened.enter_context(StoreReader.open(files.directory))
            yield from check_lock(files, reader)
            check = Check(files, reader, _contexts(files, reader, opened))
            yield from check.definitions()
            yield from _at_most(check.sagas(told, live_only=quick))
            yield from _at_most(check.outboxes_and_positions())
            if not quick:
                yield from _at_most(check.unknown_commands(told))
    except CorruptStore as error:
        yield Finding("error", error.path, error.what)
    except SagaError:
        raise
    except Exception as error:
        # damage shows as anything at all: a number where a text was, a name that is no UTF-8
        what = f"cannot be checked any further, it makes no sense: {type(error).__name__}: {error}"
        yield Finding("error", files.saga, what)


def _silent(what: str, done: int, of: int) -> None:
    """Nobody wants to know."""


def _at_most(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Let the first `MOST` findings about each file through, and say how many more there were."""
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.subject] = count = counts.get(finding.subject, 0) + 1
        if count <= MOST:
            yield finding
    for subject, count in counts.items():
        if count > MOST:
            yield Finding("error", subject, f"and {count - MOST:,} more findings like these")


def check_lock(files: StoreFiles, reader: StoreReader) -> Iterator[Finding]:
    """Yield a finding when the lock file tells of another store, as it does when files were exchanged."""
    owner, store_id = read_owner(files), reader.store().store_id
    if owner is not None and owner.store_id is not None and owner.store_id != store_id:
        what = f"belongs to store {store_id}, but runtime.lock says that store {owner.store_id} was here"
        yield Finding("error", files.saga, what)


def _contexts(files: StoreFiles, reader: StoreReader, opened: ExitStack) -> list[ContextReader]:
    """Open the files of the contexts that saga.db knows; if that fails, `verify` has told."""
    found = []
    for name, (kind, *_) in reader.participants().items():
        if kind == "context":
            try:
                found.append(opened.enter_context(ContextReader.open(files, name)))
            except SagaError:
                continue
    return found
