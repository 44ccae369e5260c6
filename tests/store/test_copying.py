"""A copy of a store is whole or not there, and is a store of its own."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from reliability.crash.points import copying
from saga.errors import CopyFailed, DataLossDetected, StoreNotFound
from saga.store import (
    Copied,
    CopyPlace,
    Snapshot,
    StoreFiles,
    StoreReader,
    copy_unowned,
    data_files,
    verify,
)
from saga.store.inspection import ContextReader

from .support import ROOT, end_of, run, with_definition
from .test_cross_checks import Pair

NOW = "2025-01-01T00:00:00Z"


@pytest.fixture
def files(tmp_path: Path) -> StoreFiles:
    """A store that nobody runs, in which some work was done."""
    files = StoreFiles.at(tmp_path / "store")
    pair = Pair(files)
    pair.saga.commit(with_definition())
    pair.work(5)
    pair.close()
    return files


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "one"


def left_in(directory: Path) -> list[str]:
    return sorted(os.listdir(directory)) if directory.exists() else []


def copy(files: StoreFiles, target: Path) -> Copied:
    return copy_unowned(files, target, NOW)


# --- what a copy is ---------------------------------------------------------------------------------


def test_a_copy_is_a_whole_store(files: StoreFiles, target: Path) -> None:
    copied = copy(files, target)
    assert copied.files == ("saga.db", "payment.db")
    assert left_in(target) == ["payment.db", "runtime.lock", "saga.db"]
    assert left_in(target.parent) == ["one"]
    assert copied.bytes == sum(os.path.getsize(target / name) for name in copied.files)
    assert list(verify(StoreFiles.at(target))) == []
    Pair(StoreFiles.at(target)).close()


def test_what_a_crash_has_left_in_write_ahead_logs_is_copied(files: StoreFiles, target: Path) -> None:
    pair = Pair(files)
    pair.work(3)
    assert pair.payment is not None
    pair.saga.abandon()
    pair.payment.abandon()
    pair.lock.release()
    copy(files, target)
    with ContextReader.open(StoreFiles.at(target), "payment") as there:
        assert len(there.commands("", 100)) == 8


def test_a_copy_has_an_id_of_its_own_in_all_its_files(files: StoreFiles, target: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        copied = copy(files, target.parent / name)
        with StoreReader.open(copied.directory) as reader:
            assert reader.store().store_id == reader.context("payment").store_id == copied.store_id
            ids.add(copied.store_id)
    with StoreReader.open(files.directory) as reader:
        ids.add(reader.store().store_id)
    assert len(ids) == 3


def test_files_of_other_programs_are_left_out(files: StoreFiles, target: Path) -> None:
    Path(files.directory, "notes.txt").touch()
    Path(files.directory, "other.db").touch()
    copy(files, target)
    assert left_in(target) == ["payment.db", "runtime.lock", "saga.db"]


def test_a_snapshot_is_of_one_moment(files: StoreFiles, target: Path) -> None:
    pair = Pair(files)
    snapshots = {name: Snapshot.take(path) for name, path in data_files(files).items()}
    pair.work(20)
    CopyPlace.take(target, NOW).write(snapshots, lambda: None)
    pair.close()
    with StoreReader.open(target) as reader:
        assert reader.context("payment").outbox_no == 5
    for snapshot in snapshots.values():
        snapshot.close()


# --- another life -----------------------------------------------------------------------------------


def test_one_file_put_back_from_a_copy_is_refused(files: StoreFiles, target: Path) -> None:
    copy(files, target)
    shutil.copy(target / "payment.db", files.directory)
    with pytest.raises(
        DataLossDetected, match=r"payment\.db: belongs to store .* restore the whole directory"
    ):
        Pair(files)
    assert any("belongs to store" in str(finding) for finding in verify(files))


def test_a_file_of_the_life_before_is_refused_after_a_restore(files: StoreFiles, target: Path) -> None:
    """Its numbers fit: only the id tells that it knows of a future which this store never had."""
    copy(files, target)
    Pair(files).close()
    restored = StoreFiles.at(target)
    pair = Pair(restored)
    pair.work(50)
    pair.close()
    pair = Pair(files)
    pair.work(60)
    pair.close()
    shutil.copy(files.context("payment"), target)
    with pytest.raises(DataLossDetected, match=r"payment\.db: belongs to store"):
        Pair(restored)


def test_a_whole_copy_put_back_by_hand_opens(files: StoreFiles, target: Path, tmp_path: Path) -> None:
    copy(files, target)
    shutil.copytree(target, tmp_path / "by hand")
    Pair(StoreFiles.at(tmp_path / "by hand")).close()
    shutil.rmtree(files.directory)
    shutil.copytree(target, files.directory)
    Pair(files).close()


# --- refused ----------------------------------------------------------------------------------------


def test_what_is_there_is_not_written_over(files: StoreFiles, target: Path) -> None:
    copy(files, target)
    before = left_in(target)
    with pytest.raises(CopyFailed, match=r"one: the directory is not empty; name one that is not there yet"):
        copy(files, target)
    assert left_in(target) == before
    (target.parent / "file").touch()
    with pytest.raises(CopyFailed, match="there is a file of this name"):
        copy(files, target.parent / "file")


def test_an_empty_directory_is_taken(files: StoreFiles, target: Path) -> None:
    target.mkdir(parents=True)
    copy(files, target)
    assert list(verify(StoreFiles.at(target))) == []


def test_what_is_no_store_is_not_copied(tmp_path: Path, target: Path) -> None:
    with pytest.raises(StoreNotFound):
        copy(StoreFiles.at(tmp_path), target)
    assert left_in(target.parent) == []


def test_files_that_do_not_belong_together_are_not_copied(
    files: StoreFiles, target: Path, tmp_path: Path
) -> None:
    shutil.copy(files.context("payment"), tmp_path / "old.db")
    pair = Pair(files)
    pair.work(2)
    pair.close()
    shutil.copy(tmp_path / "old.db", files.context("payment"))
    with pytest.raises(CopyFailed, match=r"do not belong together; `saga verify` tells which"):
        copy(files, target)
    assert left_in(target.parent) == []


def test_two_do_not_write_to_the_same_place(files: StoreFiles, target: Path) -> None:
    place = CopyPlace.take(target, NOW)
    with pytest.raises(CopyFailed, match=rf"process {os.getpid()} is writing one to the same place"):
        copy(files, target)
    place.give_up()
    copy(files, target)


def test_a_full_disk_leaves_nothing(files: StoreFiles, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 900_000)
    with pytest.raises(CopyFailed, match="the disk is full"):
        copy(files, small_disk / "copy")
    assert left_in(small_disk) == ["filler"]
    os.unlink(small_disk / "filler")
    copy(files, small_disk / "copy")
    assert list(verify(StoreFiles.at(small_disk / "copy"))) == []


# --- cut off ----------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[4])
from saga import seams
from saga.store import StoreFiles, copy_unowned
seams.hook = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == sys.argv[3] else None
copy_unowned(StoreFiles.at(sys.argv[1]), sys.argv[2], "2025-01-01T00:00:00Z")
"""


@pytest.mark.parametrize("seam", copying())
def test_a_copy_that_is_killed_is_whole_or_not_there(files: StoreFiles, target: Path, seam: str) -> None:
    process = run(KILLED, files.directory, str(target), seam, str(ROOT))
    end_of(process)
    assert process.returncode == -signal.SIGKILL
    if seam == "copy.after-rename":
        assert left_in(target.parent) == ["one"]
    else:
        assert left_in(target.parent) == ["one.partial"]
        copy(files, target)
        assert left_in(target.parent) == ["one"], "what was left was taken away"
    assert list(verify(StoreFiles.at(target))) == []
    Pair(StoreFiles.at(target)).close()
