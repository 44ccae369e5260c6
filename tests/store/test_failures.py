"""A commit that fails: what was stored stays; the caller is told whether to try again, divide, or stop."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from saga.errors import StoreFailed
from saga.store import (
    Batch,
    ConstraintFailed,
    ContextChanges,
    ContextStore,
    DiskFull,
    FileLocked,
    OwnerLock,
    SagaStore,
    StoreFiles,
    TransactionLost,
)

from .conftest import OpenStore
from .support import NEW, add_rows, add_saga, done, end_of, line_of, run, schedule, with_definition


def state_of(store: SagaStore) -> tuple[object, ...]:
    rows = store.connection.execute("SELECT count(*), max(no) FROM journal").fetchone()
    return (store.commit_no, *rows, store.connection.execute("SELECT commit_no FROM store").fetchone())


def broken(no: int, part: str) -> Batch:
    """A batch with a row in `part` that the schema refuses."""
    batch = Batch()
    add_saga(batch, no)
    match part:
        case "new_sagas":
            batch.new_sagas.append((no + 1, f"order-{no}", *batch.new_sagas[0][2:]))
        case "journal":
            batch.journal[0] = (*batch.journal[0][:-2], b"short", b"")
        case "saga_updates":
            batch.saga_updates[no] = ("FLYING", 1, None, None, None)
        case "tags":
            batch.tags.append((no + 77, "of", "nobody"))
        case "waits":
            batch.waits[no, "w"] = ("", "k")
        case "tasks":
            batch.tasks[no, "k"] = ("approve", "T/1", b"no json", None, 1, None)
        case "timers":
            batch.timers[no, "t"] = 2**70
        case "incidents":
            batch.incidents[no, "p"] = ("kind", "\ud800", 1)
        case "events":
            batch.events.append((1, "e", "T/1", object(), b"{}", 1, "x", "c", None))  # type: ignore[arg-type]
        case "participants":
            batch.participants["p"] = ("bystander", 1, 0, 0)
        case "definitions":
            batch.definitions.append((9, "D", 1, "h", b"no json", 1))
    return batch


PARTS = [
    "new_sagas",
    "journal",
    "saga_updates",
    "tags",
    "waits",
    "tasks",
    "timers",
    "incidents",
    "events",
    "participants",
]


@pytest.mark.parametrize("part", [*PARTS, "definitions"])
def test_a_refused_row_takes_nothing_with_it_and_is_named(store: SagaStore, part: str) -> None:
    before = state_of(store)
    with pytest.raises(ConstraintFailed) as caught:
        store.commit(broken(1, part))
    assert caught.value.part == part
    assert state_of(store) == before
    assert store.find("order-1") is None
    good = Batch()
    add_saga(good, 1)
    store.commit(good)
    assert len(store.journal(1)) == 1


def test_a_batch_divided_by_saga_writes_the_same_but_for_the_bad_one(store: SagaStore) -> None:
    batch = Batch()
    for no in (1, 2, 3):
        add_saga(batch, no, rows=2)
        batch.timers[no, "t"] = no
        batch.tags.append((no, "k", "v"))
        batch.waits[no, "w"] = ("T/1", "k")
        batch.incidents[no, "p"] = ("k", "r", 1)
        batch.saga_updates[no] = ("PARKED" if no != 2 else "FLYING", 0, None, None, None)
    batch.events.append((1, "e1", "T/1", "k", b"{}", 1, "payment", "c", None))
    batch.participants["payment"] = ("context", 5, 4, 3)
    batch.definitions.append((2, "Other", 1, "h", b"{}", 1))
    batch.high_ms = 9_000
    with pytest.raises(ConstraintFailed):
        store.commit(batch)
    parts = batch.split()
    assert [part.sagas() for part in parts] == [[], [1], [2], [3]]
    for part in parts:
        if part.sagas() == [2]:
            with pytest.raises(ConstraintFailed):
                store.commit(part)
        else:
            store.commit(part)
    assert [store.find(f"order-{no}") is not None for no in (1, 2, 3)] == [True, False, True]
    assert store.event_exists("e1")
    assert store.participants() == {"payment": ("context", 5, 4, 3)}
    assert len(store.definitions()) == 2
    assert [t.saga_no for t in store.due_timers(9, 9)] == [1, 3]
    assert store.waiting("T/1", "k") == [(1, "w"), (3, "w")]
    assert store.tags(3) == {"k": "v"}
    assert len(store.journal(3)) == 2
    assert store.high_ms == 9_000


def test_schedules_come_last_when_a_batch_is_divided(store: SagaStore) -> None:
    """Cut off in the middle, a run that was started is due again and found by its id; it would be lost otherwise."""
    batch = Batch()
    add_saga(batch, 1)
    batch.schedules |= {"nightly": schedule("nightly"), "gone": None}
    batch.high_ms = 9_000
    first, run, last = batch.split()
    assert (first.schedules, run.schedules, last.schedules) == ({}, {}, batch.schedules)
    for part in (first, run, last):
        store.commit(part)
    assert store.schedules() == [schedule("nightly")]
    gone = Batch()
    gone.schedules["nightly"] = None
    assert not gone.is_empty
    store.commit(gone)
    assert store.schedules() == []


def test_sagas_that_are_linked_stay_together_in_one_part() -> None:
    batch = Batch()
    for no in range(1, 7):
        add_saga(batch, no)
    parts = batch.split([[5, 2], [3, 6, 9]])
    assert [part.sagas() for part in parts] == [[], [1], [2, 5], [3, 6], [4]]


def test_a_part_of_a_batch_can_be_of_several_sagas() -> None:
    batch = Batch()
    for no in (1, 2, 3):
        add_saga(batch, no)
    batch.participants["p"] = ("context", 1, 0, 0)
    assert batch.only([1, 3]).sagas() == [1, 3]
    assert batch.only([1, 3]).participants == {}
    assert batch.only([2], shared=True).participants == batch.participants


def limit_pages(connection: sqlite3.Connection, more: int) -> None:
    used = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={used + more}").fetchall()


def test_a_full_disk_loses_nothing_and_the_same_batch_goes_when_there_is_space(store: SagaStore) -> None:
    first = Batch()
    add_saga(first, 1)
    store.commit(first)
    limit_pages(store.connection, 1)
    large = Batch()
    for no in range(2, 202):
        add_saga(large, no, rows=2)
    before = state_of(store)
    for _ in range(2):
        with pytest.raises(DiskFull, match="the disk is full"):
            store.commit(large)
        assert state_of(store) == before
    store.connection.execute("PRAGMA max_page_count=1000000").fetchall()
    assert store.commit(large) == before[0] + 1  # type: ignore[operator]
    assert store.counts() == {"RUNNING": 201}


def fill(store: SagaStore, batch: Batch | None = None) -> Batch:
    """Commit sagas of 20 rows each until the disk is full; return the batch that had no space."""
    while True:
        if batch is None:
            batch = Batch()
            add_saga(batch, sum(store.counts().values()) + 1, rows=20)
        try:
            store.commit(batch)
        except DiskFull:
            return batch
        batch = None


def test_a_really_full_disk_loses_nothing(small_disk: Path) -> None:
    files = StoreFiles.at(small_disk / "store")
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        store = SagaStore.open(files, lock, 0)
        store.commit(with_definition())
        filler = small_disk / "filler"
        try:
            with open(filler, "wb") as file:
                file.write(b"x" * 400_000)
            batch = fill(store)
            assert store.checkpoint() in (True, False)  # not an error, whether it succeeds or not
            batch = fill(store, batch)  # the checkpoint may have made room
            filler.unlink()
            store.commit(batch)
            no = batch.sagas()[0]
            assert no > 1
            assert store.counts() == {"RUNNING": no}
            for saga_no in range(1, no + 1):
                assert len(store.journal(saga_no)) == 20
        finally:
            store.close()


RUN_INTO_LIMIT = """
import resource, sys
from saga.store import Batch, OwnerLock, SagaStore, StoreFiles
from saga.errors import StoreFailed
sys.path.insert(0, sys.argv[2])
from tests.store.support import add_saga, with_definition
files = StoreFiles.at(sys.argv[1])
lock = OwnerLock.take(files, "x")
store = SagaStore.open(files, lock, 0)
store.commit(with_definition())
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
no = 0
try:
    while True:
        batch = Batch()
        add_saga(batch, no + 1, rows=5)
        store.commit(batch)
        no += 1
except StoreFailed as error:
    store.abandon()
    print(no, error, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs rlimits")
def test_any_other_error_of_a_write_stops_and_acknowledged_commits_are_there(
    files: StoreFiles, open_store: OpenStore
) -> None:
    from .support import ROOT

    process = run(RUN_INTO_LIMIT, files.directory, str(ROOT))
    line = line_of(process)
    end_of(process)
    count, message = line.split(" ", 1)
    assert "failed with SQLITE_IOERR_WRITE" in message
    store = open_store()
    assert store.counts()["RUNNING"] >= int(count) > 0
    for no in range(1, int(count) + 1):
        assert len(store.journal(no)) == 5


def test_another_program_that_writes_delays_and_is_named(
    store: SagaStore, files: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.connection.execute("PRAGMA busy_timeout=0")
    batch = Batch()
    add_saga(batch, 1)
    with closing(sqlite3.connect(files.saga, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FileLocked, match="another program is writing"):
            store.commit(batch)
        other.execute("ROLLBACK")
        store.commit(batch)
    assert store.find("order-1") is not None


def test_an_error_that_is_not_of_sqlite_rolls_back_and_passes(store: SagaStore) -> None:
    before = state_of(store)
    batch = Batch()
    add_saga(batch, 1)
    batch.journal.append(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        store.commit(batch)
    assert state_of(store) == before
    assert not store.connection.in_transaction


def test_a_store_whose_rollback_fails_is_failed(store: SagaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("saga.store.saga_store.roll_back", fail)
    with pytest.raises(StoreFailed, match="cannot be rolled back"):
        store.commit(broken(1, "journal"))


def test_closing_reports_a_mark_that_cannot_be_written_and_closes(
    store: SagaStore, files: StoreFiles
) -> None:
    store.connection.execute("PRAGMA busy_timeout=0")
    with closing(sqlite3.connect(files.saga, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FileLocked):
            store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store.connection.execute("SELECT 1")


# --- contexts ---


def test_a_full_disk_in_a_context_loses_the_batch_only(context: ContextStore) -> None:
    limit_pages_of(context, 1)
    context.begin()
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    changes = ContextChanges()
    for number in range(1, 300):
        changes.inbox.append((f"command-{number}", number, "done", b'"%b"' % (b"x" * 100), None, None, 1))
    with pytest.raises(DiskFull):
        context.commit(changes)
    assert not context.check_transaction()
    assert context.answers(["command-1"]) == {}
    limit_pages_of(context, 1_000)
    context.begin()
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    context.commit(changes)
    assert len(context.answers(f"command-{number}" for number in range(1, 300))) == 299
    assert context.db.execute("SELECT count(*) FROM payments").fetchone() == (1,)


def limit_pages_of(context: ContextStore, more: int) -> None:
    context._guard.ours = True
    limit_pages(context.db.conn, more)
    context._guard.ours = False


def test_a_full_disk_inside_of_a_handler_is_told_from_its_own_errors(context: ContextStore) -> None:
    limit_pages_of(context, 1)
    context.begin()
    context.savepoint()
    with pytest.raises(sqlite3.OperationalError) as caught:
        context.db.execute(
            "INSERT INTO payments SELECT value, 1 FROM json_each(?)", [str(list(range(9_999)))]
        )
    assert type(context.outage(caught.value)) is DiskFull
    context.rollback()
    assert context.outage(ValueError("x")) is None
    assert context.outage(sqlite3.IntegrityError("UNIQUE constraint failed")) is None
    assert context.outage(sqlite3.OperationalError("no such table: x")) is None


def read_master(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as other:
        other.execute("SELECT * FROM sqlite_master")


def test_an_error_of_another_database_is_the_authors_own(context: ContextStore, tmp_path: Path) -> None:
    """A handler may read files of its own; that one of them is missing, or no database, says nothing about ours."""
    (tmp_path / "damaged").write_bytes(b"no database" * 1000)
    context.begin()
    context.savepoint()
    for path in ("missing", "damaged"):
        with pytest.raises(sqlite3.DatabaseError) as caught:
            read_master(tmp_path / path)
        assert context.outage(caught.value) is None
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    context.commit(done("c1"))
    assert context.db.execute("SELECT count(*) FROM payments").fetchone() == (1,)


def test_the_same_error_is_an_outage_when_the_transaction_is_gone(context: ContextStore) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    assert type(context.outage(error)) is StoreFailed


def test_a_command_that_is_recorded_twice_is_refused_with_all_that_was_written(context: ContextStore) -> None:
    context.begin()
    context.commit(done("c1"))
    context.begin()
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    with pytest.raises(ConstraintFailed) as caught:
        context.commit(done("c1"))
    assert caught.value.part == "inbox"
    assert context.db.execute("SELECT count(*) FROM payments").fetchone() == (0,)


def test_a_deferred_constraint_of_the_author_fails_the_commit_not_the_store(context: ContextStore) -> None:
    context.begin()
    context.db.execute(
        "CREATE TABLE refunds (of TEXT REFERENCES payments (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    context.commit(ContextChanges())
    context.begin()
    context.savepoint()
    context.db.execute("INSERT INTO refunds VALUES ('nobody')")
    context.release()
    with pytest.raises(ConstraintFailed, match="deferred constraints"):
        context.commit(done("c1"))
    assert context.answers(["c1"]) == {}
    context.begin()
    context.commit(done("c1"))


def test_another_program_that_writes_to_a_context_delays(context: ContextStore, files: StoreFiles) -> None:
    context._guard.ours = True
    context.db.conn.execute("PRAGMA busy_timeout=0")
    context._guard.ours = False
    with closing(sqlite3.connect(files.context("payment"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FileLocked):
            context.begin()
    context.begin()
    context.commit(done("c1"))


def test_committing_without_a_transaction_is_noticed(context: ContextStore) -> None:
    for act in (lambda: context.commit(done("c1")), context.savepoint, context.release, context.undo):
        with pytest.raises(TransactionLost):
            act()
    context.rollback()  # nothing to do


def test_abandoning_a_context_writes_nothing(context: ContextStore, files: StoreFiles) -> None:
    before = os.path.getsize(files.context("payment"))
    context.begin()
    context.db.execute("INSERT INTO payments VALUES ('a', 1)")
    context.abandon()
    assert os.path.getsize(files.context("payment")) == before
    again = ContextStore.open(files, "payment", NEW._replace(epoch=2, commit_no=2))
    assert again.db.execute("SELECT count(*) FROM payments").fetchone() == (0,)
    again.close()


def test_rows_after_a_refused_one_can_be_added_again(store: SagaStore) -> None:
    batch = Batch()
    digest = add_saga(batch, 1)
    store.commit(batch)
    bad = Batch()
    add_rows(bad, 1, 1, 1)
    with pytest.raises(ConstraintFailed):
        store.commit(bad)
    good = Batch()
    add_rows(good, 1, 2, 2, digest)
    store.commit(good)
    assert len(store.journal(1)) == 2
