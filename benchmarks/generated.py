"""Stores with very many sagas, made in seconds: copies of one saga that ran for real, written by the store's own code.

A saga is run to the point that is wanted and the store is closed. Then its rows are written again and again, each copy
with a number and an id of its own and with the digests that belong to them, in commits as the coordinator makes them.
What comes of it is a store like any other: `saga verify` finds nothing in it (a test does), it opens and goes on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.progress import say
from saga.store import FIRST, Batch, OwnerLock, SagaRow, SagaStore, StoreFiles, chain

__all__ = ["Copy", "copy_saga", "new_ids"]

AT_ONCE = 2_500
"""Copies in one commit."""

FOREVER_MS, MOST_TIMERS = 1 << 60, 1_000
"""The pattern is looked for among the timers of a small store."""


class Copy(NamedTuple):
    """What is different in a copy."""

    id: str
    due_ms: int | None = None
    """When its timer is due, of which the pattern must have one; None: as there."""


def new_ids(count: int) -> Iterator[Copy]:
    """Yield copies with ids as `Runtime.start` gives them, one every ten milliseconds until now."""
    source = random.Random(7)
    first_ms = time.time_ns() // 1_000_000 - 10 * count
    for number in range(count):
        yield Copy(f"{first_ms + 10 * number:012x}{source.randbytes(10).hex()}")


def copy_saga(directory: Path, pattern: str, copies: Callable[[], Iterator[Copy]], what: str) -> int:
    """Write the copies of the saga with the id `pattern` into the store, and return how many rows of the journal.

    The store must be closed, and is closed afterwards. `what` is shown while it goes on.
    """
    files = StoreFiles.at(directory)
    with OwnerLock.take(files, "2026-01-01T00:00:00+00:00") as lock:
        store = SagaStore.open(files, lock, time.time_ns() // 1_000_000)
        try:
            row = store.find(pattern)
            if row is None:
                raise RuntimeError(f"there is no saga {pattern!r} to be copied")
            return _write(store, row, copies(), what)
        finally:
            store.close()


def _write(store: SagaStore, pattern: SagaRow, copies: Iterator[Copy], what: str) -> int:
    journal = store.journal(pattern.no)
    timers = [each for each in store.due_timers(FOREVER_MS, MOST_TIMERS) if each.saga_no == pattern.no]
    old_id, old_bytes = pattern.id, pattern.id.encode()
    no, rows, batch = store.next_saga_no, 0, Batch()
    for copy in copies:
        new_bytes = copy.id.encode()
        correlation = copy.id if pattern.correlation == old_id else pattern.correlation
        batch.new_sagas.append(
            (no, copy.id, *pattern[2:9], correlation, pattern.causation, pattern.first_event_no)
        )
        digest = FIRST
        for _, seq, at_ms, cause, encoding, records, _, form in journal:
            assert records is not None
            form = form or b""
            records = records.replace(old_bytes, new_bytes)
            if copy.due_ms is not None:
                records = records.replace(b"%d" % timers[0].due_ms, b"%d" % copy.due_ms)
            cause = cause and cause.replace(old_id, copy.id)
            digest = chain(digest, no, seq, at_ms, cause, encoding, form + records)
            batch.journal.append((no, seq, at_ms, cause, encoding, records, digest, form))
        for timer in timers:
            batch.timers[no, timer.name] = copy.due_ms or timer.due_ms
        no += 1
        rows += len(journal)
        if len(batch.new_sagas) == AT_ONCE:
            store.commit(batch)
            batch = Batch()
            say(f"{what}: {no:,} sagas written")
    if not batch.is_empty:
        store.commit(batch)
    return rows
