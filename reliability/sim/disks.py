"""The files of a store, in memory: they outlive their process, and what was committed is in them.

A connection stands for its file. When the process ends SQLite rolls back what was not committed, and the next
process opens the store over the same connection: as with `synchronous=FULL`, nothing that was committed is ever lost
(what a disk may do to that is the affair of `reliability power`). New files are copies of an image that the stores
themselves have made, once.
"""

from __future__ import annotations

import hashlib
import sqlite3
from functools import cache

from reliability.sim.business import PARTICIPANTS, SAGAS
from saga.coordination.definitions import Definitions
from saga.coordination.opening import match_definitions
from saga.participants import Context, participant_name
from saga.store import MEMORY, ContextStore, SagaStore, StoreFiles, StoreReader, StoreState
from saga.store.connection import open_owner
from saga.store.inspection import ContextReader
from saga.verification.checking import Check

__all__ = ["BEGINNING", "Disk", "Disks"]

BEGINNING = 1_767_225_600_000
"""The virtual time at which every play begins."""

TABLES = {
    "saga": (
        "SELECT saga_no, seq, at_ms, cause, encoding, records, digest, form_no FROM journal ORDER BY no",
        "SELECT * FROM forms ORDER BY no",
        "SELECT * FROM sagas ORDER BY no",
        "SELECT * FROM events ORDER BY no",
        "SELECT * FROM participants ORDER BY name",
        "SELECT * FROM timers ORDER BY saga_no, name",
        "SELECT * FROM waits ORDER BY saga_no, path",
        "SELECT * FROM open_incidents ORDER BY saga_no, path",
        "SELECT * FROM tasks ORDER BY saga_no, path",
        "SELECT * FROM schedules ORDER BY name",
        "SELECT * FROM listeners ORDER BY context, event_type",
        "SELECT * FROM suspects ORDER BY participant, kind, no",
        "SELECT epoch, commit_no, high_ms, saga_no, event_no FROM store",
    ),
    "context": (
        "SELECT * FROM _saga_inbox ORDER BY command_id",
        "SELECT * FROM _saga_outbox ORDER BY no",
        "SELECT * FROM _saga_positions ORDER BY event_type",
        "SELECT * FROM _saga_retries ORDER BY event_no, event_type",
        "SELECT * FROM _saga_sent ORDER BY command_id",
        "SELECT * FROM effects ORDER BY no",
        "SELECT epoch, commit_no, coordinator_commit_no, floor, outbox_no FROM _saga_file",
    ),
}
"""All that there is in a file, but for what differs from store to store: its id."""


class Disk(sqlite3.Connection):
    """A file. Closing it is what the end of a process does: what was not committed is gone."""

    def close(self) -> None:
        """Roll back, and stay."""
        self.set_authorizer(None)
        if self.in_transaction:
            self.rollback()

    def become(self, image: sqlite3.Connection) -> None:
        """Become a copy of this file."""
        self.close()
        image.backup(
            self
        )  # not `deserialize`: statements that were prepared before would crash the interpreter


class Disks:
    """All files of one store; used for one play after the other."""

    def __init__(self) -> None:
        self.saga = open_owner(MEMORY, create=True, factory=Disk)
        self.contexts = {
            name: open_owner(MEMORY, create=True, isolation_level="IMMEDIATE", factory=Disk)
            for name in _images()[1]
        }
        readers = [ContextReader.over(disk, name) for name, disk in self.contexts.items()]
        self.check = Check(StoreFiles.at(MEMORY), StoreReader.over(self.saga), readers)
        """`saga verify`, of these files."""

    def clear(self) -> None:
        """Make them new."""
        saga, contexts = _images()
        for disk, image in [(self.saga, saga), *((self.contexts[name], contexts[name]) for name in contexts)]:
            assert isinstance(disk, Disk)
            disk.become(image)

    def all(self) -> list[sqlite3.Connection]:
        """Return all files, saga.db first."""
        return [self.saga, *self.contexts.values()]

    def lose_power(self) -> None:
        """The process has ended: what was not committed is not there."""
        for disk in self.all():
            disk.close()

    def digest(self) -> str:
        """Return a digest of everything in them."""
        hashed = hashlib.blake2b(digest_size=8)
        for kind, disk in [("saga", self.saga), *(("context", disk) for disk in self.contexts.values())]:
            for statement in TABLES[kind]:
                hashed.update(repr(disk.execute(statement).fetchall()).encode())
        return hashed.hexdigest()


@cache
def _images() -> tuple[sqlite3.Connection, dict[str, sqlite3.Connection]]:
    """Return the files of a store that was opened and closed, and nothing more."""
    disk = open_owner(MEMORY, create=True, factory=Disk)
    store = SagaStore.over(disk, MEMORY, BEGINNING)
    match_definitions(store, Definitions(SAGAS))
    state = StoreState(store.store_id, store.epoch, store.commit_no, 0, 0)
    contexts = {}
    for cls in PARTICIPANTS:
        if issubclass(cls, Context):
            name = participant_name(cls)
            file = open_owner(MEMORY, create=True, isolation_level="IMMEDIATE", factory=Disk)
            ContextStore.over(file, MEMORY, name, state, cls.migrations).close()
            contexts[name] = file
    store.close()
    return disk, contexts
