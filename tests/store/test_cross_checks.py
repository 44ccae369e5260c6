"""Files know each other: a missing, older or foreign one is refused at the start, and nothing is changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from saga.errors import DataLossDetected
from saga.store import Batch, ContextStore, OwnerLock, SagaStore, StoreFiles, StoreState, verify

from .support import digest, done, with_definition


class Pair:
    """A coordinator's file and that of the context `payment`, used as the engine does it."""

    def __init__(self, files: StoreFiles) -> None:
        self.files = files
        self.lock = OwnerLock.take(files, "2025-01-01T00:00:00Z")
        self.saga = SagaStore.open(files, self.lock, 0)
        self.payment: ContextStore | None = None
        numbers = self.saga.participants().get("payment", ("context", 1, 0, 0))
        state = StoreState(self.saga.store_id, self.saga.epoch, self.saga.commit_no, numbers[2], numbers[3])
        try:
            self.payment = ContextStore.open(files, "payment", state)
        except BaseException:
            self.close()
            raise

    def work(self, count: int) -> None:
        """`count` commands: each is committed by the context, and the coordinator hears of it."""
        assert self.payment is not None
        for _ in range(count):
            changes = done(f"c{self.payment.commit_no}", self.payment.commit_no)
            changes.coordinator_commit_no = self.saga.commit_no
            changes.outbox.append((f"e{self.payment.commit_no}", "Paid/1", None, b"{}", 1, "c", None))
            self.payment.begin()
            self.payment.commit(changes)
            batch = Batch()
            batch.participants["payment"] = ("context", 1, self.payment.commit_no, self.payment.outbox_no)
            self.saga.commit(batch)

    def close(self) -> None:
        if self.payment is not None:
            self.payment.close()
        self.saga.close()
        self.lock.release()


@pytest.fixture
def files(tmp_path: Path) -> StoreFiles:
    """A store in which some work was done, and of which a copy was taken in between."""
    files = StoreFiles.at(tmp_path / "store")
    pair = Pair(files)
    pair.saga.commit(with_definition())
    pair.work(3)
    pair.close()
    shutil.copytree(files.directory, tmp_path / "backup")
    pair = Pair(files)
    pair.work(2)
    pair.close()
    return files


def restore(files: StoreFiles, *names: str) -> None:
    backup = os.path.join(os.path.dirname(files.directory), "backup")
    for name in names:
        shutil.copy(os.path.join(backup, name), os.path.join(files.directory, name))


def test_files_that_belong_together_open_again_and_again(files: StoreFiles) -> None:
    for _ in range(3):
        pair = Pair(files)
        pair.work(1)
        pair.close()
    assert list(verify(files)) == []


def test_a_whole_backup_opens(files: StoreFiles) -> None:
    restore(files, "saga.db", "payment.db", "runtime.lock")
    Pair(files).close()
    assert list(verify(files)) == []


def test_an_older_copy_of_a_context_is_refused(files: StoreFiles) -> None:
    restore(files, "payment.db")
    before = digest(files.context("payment"))
    with pytest.raises(DataLossDetected, match=r"payment\.db: is an old copy"):
        Pair(files)
    assert digest(files.context("payment")) == before
    assert "payment.db: is an old copy" in str(next(iter(verify(files))))


def test_an_older_copy_of_saga_db_is_refused_by_the_context(files: StoreFiles) -> None:
    restore(files, "saga.db")
    before = digest(files.context("payment"))
    findings = [str(finding) for finding in verify(files)]
    assert any("saga.db: is an old copy" in finding for finding in findings)
    with pytest.raises(DataLossDetected, match=r"saga\.db: is an old copy"):
        Pair(files)
    assert digest(files.context("payment")) == before


def test_an_older_copy_of_saga_db_is_noticed_even_when_it_has_caught_up_in_number(files: StoreFiles) -> None:
    """Its epoch is behind."""
    restore(files, "saga.db")
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        saga = SagaStore.open(files, lock, 0)
        state = StoreState(saga.store_id, saga.epoch - 1, 10_000, 0, 0)
        saga.close()
    with pytest.raises(DataLossDetected, match=r"saga\.db: is an old copy"):
        ContextStore.open(files, "payment", state)


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_missing_context_that_was_heard_of_is_refused(files: StoreFiles, how: str) -> None:
    os.unlink(files.context("payment"))
    if how == "empty":
        Path(files.context("payment")).touch()
    with pytest.raises(
        DataLossDetected, match=r"payment\.db: is missing or empty, but saga\.db knows of 7 commits"
    ):
        Pair(files)
    assert any("payment.db" in str(finding) for finding in verify(files))


def test_a_context_of_another_store_is_refused(files: StoreFiles, tmp_path: Path) -> None:
    other = StoreFiles.at(tmp_path / "other")
    pair = Pair(other)
    pair.work(20)
    pair.close()
    shutil.copy(other.context("payment"), files.context("payment"))
    with pytest.raises(DataLossDetected, match="belongs to store"):
        Pair(files)
    assert any("belongs to store" in str(finding) for finding in verify(files))


def test_the_file_of_another_context_is_refused(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        saga = SagaStore.open(files, lock, 0)
        state = StoreState(saga.store_id, saga.epoch, saga.commit_no, 0, 0)
        saga.close()
    shutil.copy(files.context("payment"), files.context("inventory"))
    with pytest.raises(DataLossDetected, match="is the file of context payment, not of inventory"):
        ContextStore.open(files, "inventory", state)


@pytest.mark.parametrize("name", ["saga.db", "payment.db"])
def test_a_lost_write_ahead_log_is_noticed(files: StoreFiles, name: str) -> None:
    """Deleted, or a flipped bit in it: SQLite then drops every later commit without a word."""
    pair = Pair(files)
    pair.work(5)
    assert pair.payment is not None
    pair.saga.abandon()
    pair.payment.abandon()
    pair.lock.release()
    os.unlink(os.path.join(files.directory, f"{name}-wal"))
    with pytest.raises(DataLossDetected, match="is an old copy"):
        Pair(files)


def test_a_flipped_bit_in_the_write_ahead_log_is_noticed(files: StoreFiles) -> None:
    pair = Pair(files)
    pair.work(20)
    assert pair.payment is not None
    pair.saga.abandon()
    pair.payment.abandon()
    pair.lock.release()
    log = Path(f"{files.context('payment')}-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(DataLossDetected, match=r"payment\.db: is an old copy"):
        Pair(files)


def test_damage_in_a_file_that_cannot_be_opened_is_a_finding(files: StoreFiles) -> None:
    Path(files.context("payment")).write_bytes(b"x" * 5_000)
    assert any("payment.db" in str(finding) and finding.severity == "error" for finding in verify(files))
