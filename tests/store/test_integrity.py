"""What `saga verify` and `saga doctor` find with SQL alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from saga.errors import StoreNotFound
from saga.store import Batch, ContextStore, SagaStore, StoreFiles, StoreReader, verify
from saga.store.integrity import (
    Version,
    check_file,
    check_links,
    file_system,
    has_wal_reset_bug,
    sqlite_finding,
)

from .support import add_saga, done, schedule


@pytest.fixture
def whole(store: SagaStore, context: ContextStore, files: StoreFiles) -> StoreFiles:
    """A store with three sagas and a context, closed. `NEW` is of another store, which `adopt` mends."""
    batch = Batch()
    for no in (1, 2, 3):
        add_saga(batch, no, rows=3)
    batch.incidents[2, "p"] = ("k", "r", 1)
    batch.saga_updates[2] = ("PARKED", 0, None, None, None)
    batch.schedules["nightly"] = schedule("nightly")
    batch.high_ms = 3_000
    store.commit(batch)
    context.begin()
    context.commit(done("c1"))
    context.close()
    store.close()
    change(files.context("payment"), f"UPDATE _saga_file SET store_id = '{store.store_id}'")
    return files


def change(path: str, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def findings(files: StoreFiles) -> list[str]:
    return [str(finding) for finding in verify(files)]


def test_a_whole_store_has_no_findings(whole: StoreFiles) -> None:
    assert findings(whole) == []
    assert [str(finding) for finding in verify(whole, quick=True)] == []


def test_a_store_can_be_verified_while_it_is_written(store: SagaStore, files: StoreFiles) -> None:
    batch = Batch()
    add_saga(batch, 1)
    store.commit(batch)
    for _ in verify(files):
        pytest.fail("nothing is wrong")
    assert not store.connection.in_transaction


def test_where_there_is_no_store_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFound):
        list(verify(StoreFiles.at(tmp_path)))


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE journal SET at_ms = 7 WHERE saga_no = 2 AND seq = 2",
            "saga 'order-2': row 2 in the journal",
        ),
        (
            "UPDATE journal SET records = '[]' WHERE saga_no = 3 AND seq = 3",
            "saga 'order-3': row 3 in the journal",
        ),
        (
            "DELETE FROM journal WHERE saga_no = 2 AND seq = 2",
            "saga 'order-2': the journal of saga number 2 lacks row 2",
        ),
        ("DELETE FROM journal WHERE saga_no = 1", "'order-1' in sagas has no journal"),
        ("UPDATE store SET saga_no = 2", "'order-3' in sagas has a number that was never given"),
        ("DELETE FROM open_incidents", "'order-2' in sagas is parked, and nothing says why"),
        ("INSERT INTO timers VALUES (77, 't', 1)", "row 1 of timers|row None of timers"),
        (
            "INSERT INTO events VALUES (5, 'e', 'T/1', NULL, '{}', 1, 'x', 'c', NULL, NULL)",
            "'e' in events has a number",
        ),
        ("INSERT INTO timers VALUES (1, 't', 1)", None),
        ("UPDATE schedules SET input = '{}'", "'nightly' in schedules does not fit its digest"),
        ("UPDATE schedules SET cron = '5 * * * *'", "'nightly' in schedules does not fit its digest"),
        ("UPDATE schedules SET next_ms = last_ms", "'nightly' in schedules is due again for what it has run"),
        ("UPDATE schedules SET runs = 0", "'nightly' in schedules does not say how often"),
        ("UPDATE schedules SET last_ms = NULL", "'nightly' in schedules does not say how often"),
        (
            "UPDATE schedules SET last_ms = 99000, next_ms = 99001",
            "'nightly' in schedules has run later than any time",
        ),
        ("UPDATE schedules SET tags = '{'", "'nightly' in schedules has an input or tags that are no JSON"),
        ("UPDATE schedules SET missed = 'x'", "'nightly' in schedules has a policy that there is not"),
        ("UPDATE schedules SET problem = 'x'", "'nightly' in schedules does not fit its digest"),
        ("UPDATE sagas SET first_event_no = 1 WHERE no = 1", "1 in sagas does not fit its digest"),
        ("UPDATE store SET high_ms = high_ms + 1", "knows another latest time than was written"),
    ],
)
def test_contradicting_rows_are_found(whole: StoreFiles, statement: str, expected: str | None) -> None:
    change(whole.saga, "PRAGMA foreign_keys=OFF", "PRAGMA ignore_check_constraints=ON", statement)
    found = findings(whole)
    if expected is None:
        assert found == []
    else:
        assert any(any(part in line for part in expected.split("|")) for line in found), found
        assert all(line.startswith("error: ") for line in found)


def test_an_ended_saga_that_still_waits_is_found(whole: StoreFiles) -> None:
    change(
        whole.saga,
        "UPDATE sagas SET status = 'COMPLETED', busy = 0, ended_ms = 1 WHERE no = 1",
        "INSERT INTO timers VALUES (1, 't', 1)",
    )
    assert any("'order-1' in sagas has ended, and still waits" in line for line in findings(whole))


def test_every_bad_saga_is_reported_whatever_the_pieces(
    whole: StoreFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(whole.saga, "UPDATE journal SET at_ms = 7 WHERE seq = 2")
    for at_once in (1, 2, 500):
        monkeypatch.setattr("saga.store.integrity.SAGAS_AT_ONCE", at_once)
        assert len(findings(whole)) == 3


def test_damaged_pages_are_found(whole: StoreFiles) -> None:
    with open(whole.saga, "r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * (os.path.getsize(whole.saga) - 4096 * 5))
    found = findings(whole)
    assert found
    assert all("saga.db" in line and "\n" not in line for line in found), found


def test_a_damaged_table_is_found_and_named_once_for_each_check(whole: StoreFiles) -> None:
    with closing(sqlite3.connect(whole.saga)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'journal'").fetchone()
    with open(whole.saga, "r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 4096)
    found = findings(whole)
    assert len(found) >= 2
    assert all("saga.db" in line and "\n" not in line for line in found), found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("status = 'FLYING'", "has a status that there is not"),
        ("status = 'COMPLETED'", "has ended in one column, and not in another"),
        ("ended_ms = 5", "has ended in one column, and not in another"),
        ("status = 'COMPLETED', ended_ms = 5, busy = 1", "has ended in one column, and not in another"),
    ],
)
def test_rows_that_break_a_constraint_of_the_schema_are_found(
    whole: StoreFiles, values: str, expected: str
) -> None:
    """SQLite's own check does not find them on a connection that is read-only."""
    change(whole.saga, "PRAGMA ignore_check_constraints=ON", f"UPDATE sagas SET {values} WHERE no = 1")
    assert any(f"'order-1' in sagas {expected}" in line for line in findings(whole))


def test_databases_of_others_and_gateways_are_left_out(whole: StoreFiles) -> None:
    change(os.path.join(whole.directory, "mine.db"), "CREATE TABLE t (x)")
    change(whole.saga, "INSERT INTO participants VALUES ('card', 'gateway', 9, 9, 0, NULL)")
    assert findings(whole) == []


def test_a_damaged_context_is_found(whole: StoreFiles) -> None:
    change(whole.saga, "INSERT INTO participants VALUES ('payment', 'context', 9, 1, 0, NULL)")
    Path(whole.context("payment")).write_bytes(b"x" * 9_000)
    assert any("payment.db" in line and "not a database" in line for line in findings(whole))


def test_a_store_in_memory_has_no_links_to_check() -> None:
    store = SagaStore.open(StoreFiles.at(":memory:"), None, 0)
    assert list(check_links(StoreReader.over(store.connection))) == []
    store.close()


def test_a_file_that_is_no_database_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no" * 5_000)
    (finding,) = check_file(str(tmp_path / "x.db"))
    assert finding.severity == "error"


# --- the environment ---


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_versions_with_the_wal_reset_bug_are_known(version: Version, affected: bool) -> None:
    assert has_wal_reset_bug(version) is affected
    finding = sqlite_finding(version)
    assert ("WAL-reset" in finding.what) is affected
    assert finding.severity == "note"


def test_the_withdrawn_version_is_warned_of() -> None:
    assert sqlite_finding((3, 52, 0)).severity == "warning"
    assert sqlite_finding().subject == f"SQLite {sqlite3.sqlite_version}"


MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/export /mnt/nfs nfs4 rw 0 0
tmpfs /mnt/nfs/local tmpfs rw 0 0
//server/share /mnt/with\\040space cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/srv/shop", None),
        ("/mnt/nfs", "nfs4"),
        ("/mnt/nfs/shop", "nfs4"),
        ("/mnt/nfsother", None),
        ("/mnt/nfs/local/shop", None),
        ("/mnt/with space/shop", "cifs"),
    ],
)
def test_a_network_file_system_is_warned_of(tmp_path: Path, directory: str, kind: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    finding = file_system(directory, str(mounts))
    if kind is None:
        assert finding is None
    else:
        assert finding is not None
        assert kind in finding.what
        assert finding.severity == "warning"


def test_where_mounts_cannot_be_read_nothing_is_said(tmp_path: Path) -> None:
    assert file_system("/srv", str(tmp_path / "nowhere")) is None
