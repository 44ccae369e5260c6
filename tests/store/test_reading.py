"""Reading a store without owning it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from saga.errors import CorruptStore, StoreNotFound
from saga.store import Batch, ContextChanges, ContextStore, OverviewRow, SagaStore, StoreFiles, StoreReader

from .conftest import OpenStore
from .support import RECORDS, add_saga, digest, done

OpenReader = Callable[[], StoreReader]


@pytest.fixture
def filled(store: SagaStore) -> SagaStore:
    """Five sagas: 1 completed, 2 compensated, 3 parked, 4 running and waiting, 5 running with a task."""
    batch = Batch()
    batch.definitions.append((2, "Other", 3, "h", b'{"name":"Other"}', 5))
    for no, status in enumerate(["COMPLETED", "COMPENSATED", "PARKED", "RUNNING", "RUNNING"], 1):
        add_saga(batch, no, rows=2, status=status, busy=0)
    batch.new_sagas[4] = (*batch.new_sagas[4][:2], 2, *batch.new_sagas[4][3:])
    batch.saga_updates[2] = ("COMPENSATED", 0, 3_000, "no-money", "there is none")
    batch.tags += [(3, "region", "north"), (4, "region", "north"), (4, "vip", "yes"), (1, "region", "south")]
    batch.incidents[3, "pay.1"] = ("failed", "card reader\nis down", 1_500)
    batch.waits[4, "fetched.1"] = ("Fetched/1", "order-4")
    batch.timers |= {(4, "fetched.1"): 90_000, (4, "other"): 80_000}
    batch.tasks[5, "approve.1"] = ("approve", "Approval/1", b'{"sum":7}', None, 1_000, 9_000)
    batch.tasks[5, "sign.1"] = ("sign", "null", b"null", "maria", 1_000, None)
    batch.events.append((1, "e1", "Paid/1", None, b"{}", 1, "payment", "c", None))
    batch.participants["payment"] = ("context", 3, 2, 1)
    store.commit(batch)
    return store


def ids(rows: list[OverviewRow]) -> list[str]:
    return [row.id for row in rows]


def test_sagas_are_listed_newest_first(filled: SagaStore, reader: OpenReader) -> None:
    rows = reader().overview()
    assert ids(rows) == ["order-5", "order-4", "order-3", "order-2", "order-1"]
    assert rows[1] == OverviewRow(
        *(4, "order-4", "FulfilOrder", 1, "RUNNING", 0, 1_000, None, None, None, 0, 80_000),
        tags={"region": "north", "vip": "yes"},
    )
    assert (rows[3].ended_ms, rows[3].refusal_code, rows[3].refusal_reason) == (
        3_000,
        "no-money",
        "there is none",
    )
    assert rows[2].incidents == 1


def test_lists_are_filtered_and_cut_into_pages(filled: SagaStore, reader: OpenReader) -> None:
    read = reader()
    assert ids(read.overview(saga="Other")) == ["order-5"]
    assert ids(read.overview(saga="Nobody")) == []
    assert ids(read.overview(status="PARKED")) == ["order-3"]
    assert ids(read.overview(status=["COMPLETED", "PARKED"])) == ["order-3", "order-1"]
    assert ids(read.overview(status=[])) == []
    assert ids(read.overview(tags={"region": "north"})) == ["order-4", "order-3"]
    assert ids(read.overview(tags={"region": "north", "vip": "yes"})) == ["order-4"]
    assert ids(read.overview(status="RUNNING", tags={"region": "north"}, saga="FulfilOrder")) == ["order-4"]
    first = read.overview(limit=2)
    assert ids(first) == ["order-5", "order-4"]
    assert ids(read.overview(limit=2, after=first[-1].no)) == ["order-3", "order-2"]


def test_one_saga_is_shown_with_all_there_is_of_it(filled: SagaStore, reader: OpenReader) -> None:
    read = reader()
    row = read.saga("order-4")
    assert row == filled.find("order-4")
    assert row is not None
    assert [entry.records for entry in read.journal(4)] == [RECORDS, RECORDS]
    assert read.tags(4) == {"region": "north", "vip": "yes"}
    assert [tuple(wait) for wait in read.waits(4)] == [(4, "fetched.1", "Fetched/1", "order-4")]
    assert [timer.due_ms for timer in read.timers(4)] == [90_000, 80_000]
    assert read.incidents(4) == []
    assert read.definition(row.definition_no).name == "FulfilOrder"
    assert read.saga("nobody") is None
    with pytest.raises(KeyError):
        read.definition(99)


def test_everything_else_is_read_as_well(filled: SagaStore, reader: OpenReader) -> None:
    read = reader()
    assert read.counts() == {"COMPLETED": 1, "COMPENSATED": 1, "PARKED": 1, "RUNNING": 2}
    assert read.counts(saga="Other") == {"RUNNING": 1}
    assert [(i.saga_no, i.reason) for i in read.incidents()] == [(3, "card reader\nis down")]
    assert len(read.waits()) == 1
    assert [tuple(task) for task in read.tasks(5)] == [
        (5, "approve.1", "approve", "Approval/1", b'{"sum":7}', None, 1_000, 9_000),
        (5, "sign.1", "sign", "null", b"null", "maria", 1_000, None),
    ]
    assert [task.task for _, _, task in read.open_tasks(assignee="maria")] == ["sign"]
    assert [(id, task.path) for id, _, task in read.open_tasks(limit=1)] == [("order-5", "approve.1")]
    assert [task.path for _, _, task in read.open_tasks(after=(5, "approve.1"))] == ["sign.1"]
    assert len(read.timers()) == 2
    assert [d.name for d in read.definitions()] == ["FulfilOrder", "Other"]
    assert [e.id for e in read.events()] == ["e1"]
    assert read.events(after=1) == []
    assert read.participants() == {"payment": ("context", 3, 2, 1)}
    facts = read.store()
    assert (facts.store_id, facts.epoch, facts.clean, facts.saga_no) == (filled.store_id, 1, 0, 5)


def test_a_reader_sees_what_is_committed_meanwhile_but_not_within_a_moment(
    filled: SagaStore, reader: OpenReader
) -> None:
    read = reader()
    with read.moment():
        assert len(read.overview()) == 5
        batch = Batch()
        add_saga(batch, 6)
        filled.commit(batch)
        with read.moment():
            assert len(read.overview()) == 5
    assert len(read.overview()) == 6


def test_reading_changes_no_file(filled: SagaStore, reader: OpenReader, files: StoreFiles) -> None:
    paths = [files.saga, f"{files.saga}-wal"]
    before = [digest(path) for path in paths]
    read = reader()
    read.overview()
    read.close()
    assert [digest(path) for path in paths] == before


def test_a_dead_store_is_read_as_it_was_left(
    filled: SagaStore, reader: OpenReader, files: StoreFiles
) -> None:
    filled.abandon()
    before = [digest(files.saga), digest(f"{files.saga}-wal")]
    read = reader()
    assert len(read.overview()) == 5
    assert read.store().clean == 0
    read.close()
    assert [digest(files.saga), digest(f"{files.saga}-wal")] == before


def test_the_views_can_be_read_through_a_reader(filled: SagaStore, reader: OpenReader) -> None:
    """Not with `trusted_schema=OFF`: then json functions in views are refused, and CHECKs with them not
    verified.
    """
    read = reader()
    for view in ("sagas_overview", "step_history", "open_tasks", "incidents"):
        assert read._rows(f"SELECT * FROM {view}")


def test_a_store_in_memory_is_read_over_its_owner() -> None:
    from .support import with_definition

    store = SagaStore.open(StoreFiles.at(":memory:"), None, 0)
    batch = with_definition()
    add_saga(batch, 1)
    store.commit(batch)
    with StoreReader.over(store.connection) as read:
        assert ids(read.overview()) == ["order-1"]
        assert read.contexts() == []
        with pytest.raises(StoreNotFound):
            read.context("payment")
    assert store.find("order-1") is not None
    store.close()


def test_damage_that_is_met_while_reading_is_a_clear_error(
    open_store: OpenStore, filled: SagaStore, files: StoreFiles, reader: OpenReader
) -> None:
    filled.close()
    with open(files.saga, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(os.path.getsize(files.saga) - 4096))
    with pytest.raises(CorruptStore, match=r"saga\.db is damaged"):
        reader().overview()


# --- contexts ---


def test_the_files_of_contexts_are_read(store: SagaStore, context: ContextStore, reader: OpenReader) -> None:
    changes = ContextChanges()
    changes.inbox = [*done("c1").inbox, *done("c2", 2).inbox]
    changes.outbox.append(("e1", "Paid/1", None, b"{}", 1, "c", None))
    failed = ("boom", 3, "e", "c", b"{}")
    changes.retries = {(4, "Paid/1"): (5, None, *failed), (6, "Paid/1"): (1, 9, *failed)}
    context.begin()
    context.commit(changes)
    read = reader()
    assert read.contexts() == ["payment"]
    facts = read.context("payment")
    assert (facts.name, facts.commit_no, facts.outbox_no, facts.inbox, facts.outbox) == (
        "payment",
        3,
        1,
        2,
        1,
    )
    assert (facts.to_retry, facts.set_aside) == (1, 1)
    with pytest.raises(StoreNotFound):
        read.context("inventory")


def test_other_databases_in_the_directory_are_no_contexts(
    store: SagaStore, files: StoreFiles, reader: OpenReader
) -> None:
    with closing(sqlite3.connect(os.path.join(files.directory, "mine.db"))) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert reader().contexts() == []


# --- the views, which are public interface ---


def rows_of(files: StoreFiles, statement: str) -> list[dict[str, object]]:
    """As a person with any SQLite tool would read them."""
    with closing(sqlite3.connect(f"file:{files.saga}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement)]


def test_the_view_sagas_overview(filled: SagaStore, files: StoreFiles) -> None:
    rows = rows_of(files, "SELECT * FROM sagas_overview ORDER BY no")
    assert rows[1] == {
        "no": 2,
        "id": "order-2",
        "name": "FulfilOrder",
        "version": 1,
        "status": "COMPENSATED",
        "started_at": "1970-01-01T00:00:01.000Z",
        "ended_at": "1970-01-01T00:00:03.000Z",
        "refusal_code": "no-money",
        "refusal_reason": "there is none",
        "incidents": 0,
        "next_due_at": None,
        "tags": "{}",
        "correlation": "order-2",
    }
    assert rows[3]["next_due_at"] == "1970-01-01T00:01:20.000Z"
    assert json.loads(str(rows[3]["tags"])) == {"region": "north", "vip": "yes"}


def test_the_view_step_history(filled: SagaStore, files: StoreFiles) -> None:
    rows = rows_of(files, "SELECT * FROM step_history WHERE id = 'order-1' ORDER BY seq, item")
    assert [(row["seq"], row["item"], row["what"], row["path"]) for row in rows] == [
        (1, 0, "started", ""),
        (1, 1, "step-sent", "reserve.1"),
        (2, 0, "started", ""),
        (2, 1, "step-sent", "reserve.1"),
    ]
    assert rows[1]["detail"] == '{"to":"inventory"}'
    assert rows[1]["at"] == "1970-01-01T00:00:01.001Z"
    assert (rows[2]["cause"], rows[2]["name"], rows[2]["version"]) == ("order-1/2", "FulfilOrder", 1)


def test_the_view_step_history_shows_that_a_row_was_erased(filled: SagaStore, files: StoreFiles) -> None:
    filled.connection.execute("UPDATE journal SET records = NULL WHERE saga_no = 1 AND seq = 1")
    rows = rows_of(files, "SELECT * FROM step_history WHERE id = 'order-1' ORDER BY seq, item")
    assert [(row["seq"], row["what"]) for row in rows] == [(1, None), (2, "started"), (2, "step-sent")]


def test_the_view_open_tasks(filled: SagaStore, files: StoreFiles) -> None:
    assert rows_of(files, "SELECT * FROM open_tasks WHERE task = 'approve'") == [
        {
            "id": "order-5",
            "name": "Other",
            "version": 3,
            "path": "approve.1",
            "task": "approve",
            "subject": '{"sum":7}',
            "assignee": None,
            "since": "1970-01-01T00:00:01.000Z",
            "due_at": "1970-01-01T00:00:09.000Z",
            "answer_type": "Approval/1",
        }
    ]


def test_the_view_incidents(filled: SagaStore, files: StoreFiles) -> None:
    assert rows_of(files, "SELECT * FROM incidents") == [
        {
            "id": "order-3",
            "name": "FulfilOrder",
            "version": 1,
            "status": "PARKED",
            "path": "pay.1",
            "kind": "failed",
            "reason": "card reader\nis down",
            "since": "1970-01-01T00:00:01.500Z",
        }
    ]
