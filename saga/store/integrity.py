"""Is the store what was written? The part of `saga verify` and `saga doctor` that needs only SQL.

Everything is read `mode=ro`, beside a running process or not, and memory stays bounded however large the
store. The chains are read in pieces; SQLite's own check is one long read, during which the owner's
write-ahead log grows. What the checks cannot see: rows that are missing at the end of a journal; whoever
replays it and compares with the stored state does.

SQLite does not even parse CHECK constraints on a connection that is read-only, so its `integrity_check`
leaves them out here; those that matter are among our own checks of rows.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from saga.errors import CorruptStore, SagaError, StoreNotFound
from saga.store.batch import JournalRow
from saga.store.connection import FAILURES, open_reader, translated
from saga.store.digest import ROWS, schedule_digest
from saga.store.files import StoreFiles
from saga.store.queries import verified
from saga.store.reading import StoreReader
from saga.store.rows import redefined, unfitting
from saga.store.schema import CONTEXT, SAGA
from saga.store.witness import witnessed

__all__ = [
    "Finding",
    "check_chains",
    "check_file",
    "check_links",
    "check_rows",
    "file_system",
    "has_wal_reset_bug",
    "sqlite_finding",
    "verify",
]

SAGAS_AT_ONCE = 500
"""How many journals are read in one go."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: an `error` is damage, a `warning` a danger, a `note` is good to know."""

    severity: Literal["error", "warning", "note"]
    subject: str
    """Path of a file, or name of what was looked at."""
    what: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.what}"


def verify(files: StoreFiles, *, quick: bool = False) -> Iterator[Finding]:
    """Yield all that is wrong with the store: nothing, when it is whole. `quick` leaves out SQLite's check of
    indexes.

    Raises StoreNotFound, SchemaTooNew, NotAStore, CannotOpen; damage is a finding, also when a file cannot be
    opened.
    """
    names = [name for name in files.context_names() if _belongs(files, name)]
    try:
        reader = StoreReader.open(files.directory)
    except CorruptStore as error:
        yield Finding("error", error.path, error.what)
        for name in names:
            yield from check_file(files.context(name), quick=quick)
        return
    with reader:
        for path in (files.saga, *map(files.context, names)):
            yield from check_file(path, quick=quick)
        try:
            yield from check_rows(reader)
            yield from check_chains(reader)
            yield from check_links(reader)
        except CorruptStore as error:
            yield Finding("error", error.path, error.what)


def _belongs(files: StoreFiles, name: str) -> bool:
    """Whether the file of this name is one of ours, as far as can be seen; damaged ones are to be looked at,
    too.
    """
    try:
        return CONTEXT.look(files.context(name)) is not None
    except CorruptStore:
        return True
    except SagaError:
        return False


def check_file(path: str, *, quick: bool = False) -> Iterator[Finding]:
    """Yield what SQLite's own checks say about the file: its structure, indexes and foreign keys."""
    check = "quick_check" if quick else "integrity_check"
    try:
        connection = open_reader(path)
        try:
            for (line,) in connection.execute(f"PRAGMA {check}(100)"):
                if line != "ok":
                    yield Finding("error", path, line)
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(100):
                yield Finding(
                    "error", path, f"row {row} of {table} refers to a row of {parent} that is not there"
                )
            yield from _check_words(connection, path)
        finally:
            connection.close()
    except FAILURES as error:
        yield _finding(translated(error, path, opening=True), path)
    except SagaError as error:
        yield _finding(error, path)


def _check_words(connection: sqlite3.Connection, path: str) -> Iterator[Finding]:
    """Yield tables that are defined in other words than ours, and rows that do not fit their digests."""
    schema = (
        SAGA if connection.execute("PRAGMA application_id").fetchone()[0] == SAGA.application_id else CONTEXT
    )
    if connection.execute("PRAGMA user_version").fetchone()[0] != schema.version:
        return  # an older one, whose rows have no digests; the next owner makes it a newer one
    facts = "SELECT store_id, epoch, commit_no FROM " + ("store" if schema is SAGA else "_saga_file")
    for store_id, epoch, _ in connection.execute(facts).fetchall():
        noted = witnessed(
            path, store_id, epoch
        )  # before the file is read again: beside its owner both move on
        for *_, commit_no in connection.execute(facts).fetchall():
            if noted > commit_no:
                yield Finding(
                    "error", path, f"ends at commit {commit_no}, and has seen {noted}: it has lost some"
                )
    for name in redefined(connection, schema):
        yield Finding("error", path, f"{name} is not defined as it was made")
    if schema is SAGA:
        for (store_id,) in connection.execute("SELECT store_id FROM store WHERE high_again != high_ms"):
            yield Finding("error", path, f"{store_id!r} in store knows another latest time than was written")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in tables & ROWS.keys():
        for key in islice(unfitting(connection.execute, table), 100):
            yield Finding("error", path, f"{key} in {table} does not fit its digest")


def _finding(error: SagaError, path: str) -> Finding:
    return Finding("error", path, getattr(error, "what", str(error)))


_ROW_CHECKS = (
    (
        "sagas",
        "SELECT id, 'has a status that there is not' FROM sagas WHERE status NOT IN"
        " ('RUNNING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'PARKED', 'SUSPENDED')",
    ),
    (
        "sagas",
        "SELECT id, 'has ended in one column, and not in another' FROM sagas"
        " WHERE (ended_ms IS NOT NULL) != (status IN ('COMPLETED', 'COMPENSATED'))"
        " OR (busy = 1 AND ended_ms IS NOT NULL)",
    ),
    (
        "sagas",
        "SELECT s.id, 'has ended, and still waits' FROM sagas s WHERE s.ended_ms IS NOT NULL AND"
        " (EXISTS (SELECT 1 FROM waits w WHERE w.saga_no = s.no) OR EXISTS"
        " (SELECT 1 FROM tasks k WHERE k.saga_no = s.no) OR EXISTS"
        " (SELECT 1 FROM timers t WHERE t.saga_no = s.no))",
    ),
    (
        "sagas",
        "SELECT s.id, 'has no journal' FROM sagas s"
        " WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.saga_no = s.no AND j.seq = 1)",
    ),
    (
        "sagas",
        "SELECT id, 'has a number that was never given' FROM sagas WHERE no > (SELECT saga_no FROM store)",
    ),
    (
        "events",
        "SELECT id, 'has a number that was never given' FROM events WHERE no > (SELECT event_no FROM store)",
    ),
    (
        "sagas",
        "SELECT s.id, 'is parked, and nothing says why' FROM sagas s"
        " WHERE s.ended_ms IS NULL AND s.status = 'PARKED'"
        " AND NOT EXISTS (SELECT 1 FROM open_incidents i WHERE i.saga_no = s.no)",
    ),
    (
        "schedules",
        "SELECT name, 'is due again for what it has run already' FROM schedules WHERE next_ms <= last_ms",
    ),
    (
        "schedules",
        "SELECT name, 'does not say how often, or when, it has run' FROM schedules"
        " WHERE runs < 0 OR (last_ms IS NULL) != (runs = 0)",
    ),
    (
        "schedules",
        "SELECT name, 'has run later than any time that is known here' FROM schedules"
        " WHERE last_ms > (SELECT high_ms FROM store)",
    ),
    (
        "schedules",
        "SELECT name, 'has an input or tags that are no JSON' FROM schedules"
        " WHERE NOT json_valid(input) OR NOT json_valid(tags)",
    ),
    (
        "schedules",
        "SELECT name, 'has a policy that there is not' FROM schedules"
        " WHERE missed NOT IN ('skip', 'once', 'all') OR overlap NOT IN ('allow', 'skip')",
    ),
)


def check_rows(reader: StoreReader) -> Iterator[Finding]:
    """Yield rows of saga.db that contradict each other, at most 100 of each kind."""
    for table, statement in _ROW_CHECKS:
        for subject, what in reader._rows(f"{statement} LIMIT 100"):
            yield Finding("error", reader.files.saga, f"{subject!r} in {table} {what}")
    for row in reader.schedules():
        if row.digest != schedule_digest(row[:9]):
            yield Finding("error", reader.files.saga, f"{row.name!r} in schedules does not fit its digest")


def check_chains(reader: StoreReader) -> Iterator[Finding]:
    """Yield every saga whose journal lacks a row or does not fit its digests."""
    path = reader.files.saga
    (last,) = reader._rows("SELECT coalesce(max(no), 0) FROM sagas")[0]
    numbers = "SELECT no FROM sagas WHERE no > ? AND no <= ? ORDER BY no LIMIT ?"
    columns = reader.journal_columns()
    statement = f"SELECT {columns} FROM journal WHERE saga_no > ? AND saga_no <= ? ORDER BY saga_no, seq"
    low = 0
    # page by page of the numbers that are there: a damaged one may be so large that counting up to it never ends
    while (found := reader._rows(numbers, (low, last, SAGAS_AT_ONCE))) and found[-1][0] > low:
        high = found[-1][0]
        for rows in _by_saga(reader._rows(statement, (low, high))):
            try:
                verified(path, rows)
            except CorruptStore as error:
                ids = reader._rows("SELECT id FROM sagas WHERE no = ?", (rows[0].saga_no,))
                name = f"saga {ids[0][0]!r}: " if ids else ""
                yield Finding("error", path, f"{name}{error.what}")
        low = high


def _by_saga(rows: Iterable[tuple[object, ...]]) -> Iterator[list[JournalRow]]:
    some: list[JournalRow] = []
    for row in map(JournalRow._make, rows):
        if some and row.saga_no != some[0].saga_no:
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def check_links(reader: StoreReader) -> Iterator[Finding]:
    """Yield contexts whose files are missing, older than saga.db knows, newer than it can be, or of another
    store.

    Beside a running process the files move on between the looks; the order of the looks allows for that.
    """
    files = reader.files
    if files.in_memory:
        return
    participants, store_id = reader.participants(), reader.store().store_id
    there = set(files.context_names())
    for name, (kind, _, commit_no, outbox_no) in participants.items():
        if kind == "context" and commit_no and name not in there:
            yield Finding(
                "error", files.context(name), f"is missing, saga.db knows of {commit_no} commits of it"
            )
            continue
        if kind != "context" or name not in there:
            continue
        try:
            facts = reader.context(name)
        except StoreNotFound:
            if commit_no:
                what = f"is empty, saga.db knows of {commit_no} commits of it"
                yield Finding("error", files.context(name), what)
            continue
        except SagaError as error:
            yield _finding(error, files.context(name))
            continue
        coordinator = reader.store()
        if facts.store_id != store_id:
            yield Finding(
                "error", files.context(name), f"belongs to store {facts.store_id}, not to {store_id}"
            )
        elif facts.commit_no < commit_no or facts.outbox_no < outbox_no:
            what = f"is an old copy: it ends at commit {facts.commit_no}, saga.db knows of {commit_no}"
            yield Finding("error", files.context(name), what)
        if facts.coordinator_commit_no > coordinator.commit_no or facts.epoch > coordinator.epoch:
            yield Finding(
                "error",
                files.saga,
                f"is an old copy: it ends at commit {coordinator.commit_no}, {name}.db knows of"
                f" {facts.coordinator_commit_no}",
            )


# --- the environment ---

Version = tuple[int, int, int]


def has_wal_reset_bug(version: Version) -> bool:
    """Return whether this SQLite may lose a commit when two connections checkpoint and write at the same
    time.

    In 3.7.0 to 3.51.2, mended in 3.51.3 and, for older lines, in 3.44.6 and 3.50.7:
    https://www.sqlite.org/wal.html
    """
    if (3, 44, 6) <= version < (3, 45, 0) or (3, 50, 7) <= version < (3, 51, 0):
        return False
    return (3, 7, 0) <= version <= (3, 51, 2)


def sqlite_finding(version: Version = sqlite3.sqlite_version_info[:3]) -> Finding:
    """Return what is to be said about this version of SQLite."""
    name = "SQLite " + ".".join(map(str, version))
    if version == (3, 52, 0):
        return Finding("warning", name, "was withdrawn by its authors; use another version")
    if has_wal_reset_bug(version):
        return Finding(
            "note",
            name,
            "has the WAL-reset bug, which needs a second writing connection; here each file has one."
            " Let no other program write to the store or checkpoint it (Litestream does)",
        )
    return Finding("note", name, "no known bug concerns us")


NETWORK_FILE_SYSTEMS = frozenset(
    {
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "9p",
            "afs",
            "ceph",
            "lustre",
            "glusterfs",
            "beegfs",
            "ncpfs",
        ),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "fuse.gcsfuse", "davfs"),
    }
)
"""Where locks and shared memory do not reach other machines, or syncs do not reach a disk."""


def file_system(directory: str, mounts: str = "/proc/self/mounts") -> Finding | None:
    """Return a warning when `directory` is on a network file system, None when not, or when that cannot be
    told.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split(" ") for line in file]
    except OSError:
        return None
    real = os.path.realpath(directory)
    best, kind = "", ""
    for _, place, type_, *_ in lines:
        mount = place.encode().decode("unicode_escape") if "\\" in place else place
        if (real == mount or real.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, type_
    if kind not in NETWORK_FILE_SYSTEMS:
        return None
    return Finding(
        "warning",
        directory,
        f"is on a network file system ({kind}), where SQLite's locks cannot be relied on; use a local disk",
    )
