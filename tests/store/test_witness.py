"""The last commits of a file are missed also when nobody else has heard of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from saga.errors import DataLossDetected
from saga.store import OwnerLock, SagaStore, StoreFiles, verify
from saga.store.witness import witnessed

from .support import with_definition


@pytest.fixture
def shortened(files: StoreFiles, tmp_path: Path) -> StoreFiles:
    """A store that was killed, and whose write-ahead log has lost its last commit."""
    live = tmp_path / "live"
    with OwnerLock.take(StoreFiles.at(live), "now") as lock:
        store = SagaStore.open(StoreFiles.at(live), lock, 1)
        store.commit(with_definition())
        before = os.stat(live / "saga.db-wal").st_size
        store.set_clock(None)
        shutil.copytree(live, files.directory)
        store.close()
    os.truncate(f"{files.saga}-wal", before)
    return files


def test_commits_that_are_gone_are_noticed_at_the_start(shortened: StoreFiles) -> None:
    with (
        OwnerLock.take(shortened, "now") as lock,
        pytest.raises(DataLossDetected, match="ends at commit 2, and by"),
    ):
        SagaStore.open(shortened, lock, 1)


def test_commits_that_are_gone_are_found_by_verify(shortened: StoreFiles) -> None:
    assert [finding.what for finding in verify(shortened)] == [
        "ends at commit 2, and has seen 3: it has lost some"
    ]


def test_without_the_witness_an_older_file_is_taken(shortened: StoreFiles) -> None:
    os.unlink(f"{shortened.saga}-commits")
    with OwnerLock.take(shortened, "now") as lock:
        SagaStore.open(shortened, lock, 1).close()


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 48, b"\0" * 48, b"x" * 5_000])
def test_a_witness_that_makes_no_sense_says_nothing(files: StoreFiles, content: bytes) -> None:
    with OwnerLock.take(files, "now") as lock:
        store = SagaStore.open(files, lock, 1)
        store.close()
        Path(f"{files.saga}-commits").write_bytes(content)
        again = SagaStore.open(files, lock, 1)
        again.close()
    assert witnessed(files.saga, store.store_id, again.epoch) == again.commit_no
    assert list(verify(files)) == []
