"""What the tests of the store share: rows to write, files to look at, and processes to kill."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import saga
from saga.store import FIRST, Batch, ContextChanges, ScheduleRow, StoreState, chain, schedule_digest

ROOT = Path(saga.__file__).parent.parent
RECORDS = b'[{"is":"started","path":""},{"is":"step-sent","path":"reserve.1","to":"inventory"}]'
STORE_ID = "00000000-0000-0000-0000-000000000001"
NEW = StoreState(STORE_ID, epoch=1, commit_no=1, acknowledged=0, outbox_no=0)
"""What a new saga.db says to a context."""


def with_definition() -> Batch:
    """A batch with the definition that the sagas here refer to."""
    batch = Batch()
    batch.definitions.append((1, "FulfilOrder", 1, "0" * 32, b'{"name":"FulfilOrder"}', 1_000))
    return batch


def add_saga(batch: Batch, no: int, *, rows: int = 1, status: str = "RUNNING", busy: int = 1) -> bytes:
    """Add a saga with the id `order-<no>` and `rows` journal rows; return the digest of the last."""
    ended = 2_000 if status in ("COMPLETED", "COMPENSATED") else None
    saga_id = f"order-{no}"
    batch.new_sagas.append(
        (no, saga_id, 1, status, busy, 1_000, ended, "OrderPlaced/1", b"i" * 16, saga_id, None, 0)
    )
    return add_rows(batch, no, 1, rows)


def add_rows(batch: Batch, no: int, first: int, last: int, previous: bytes = FIRST) -> bytes:
    """Add the journal rows `first` to `last` of a saga; return the digest of the last."""
    for seq in range(first, last + 1):
        cause = None if seq == 1 else f"order-{no}/{seq}"
        previous = chain(previous, no, seq, 1_000 + seq, cause, 1, RECORDS)
        batch.journal.append((no, seq, 1_000 + seq, cause, 1, RECORDS, previous, b""))
    return previous


def schedule(name: str) -> ScheduleRow:
    """A schedule that has run twice and is due again."""
    says = (name, "FulfilOrder", "OrderPlaced/1", b'{"id":1}', b"{}", "* * * * *", "UTC", "once", "allow")
    return ScheduleRow(*says, schedule_digest(says), 1_000, 4_000, 2_000, 2, None)


def done(command_id: str, number: int | None = 1) -> ContextChanges:
    """One command that was carried out."""
    changes = ContextChanges()
    changes.inbox.append((command_id, number, "done", b'{"ok":true}', None, None, 1_000))
    return changes


def digest(path: str | os.PathLike[str]) -> str:
    """The hash of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `code` in a process of its own that can import this package."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints; the test's timeout bounds the wait."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end_of(process: subprocess.Popen[str]) -> None:
    """Wait until a process is gone, and close its pipes."""
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
