"""One runtime per store: the lock lives and dies with its process."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from saga.errors import ForkedRuntime, StoreInUse
from saga.store import CannotOpen, OwnerLock, StoreFiles, is_locked, read_owner

from .support import end_of, line_of, run

HOLD = """
import sys
from saga.store import OwnerLock, StoreFiles
lock = OwnerLock.take(StoreFiles.at(sys.argv[1]), "2025-01-01T00:00:00Z")
print("locked", flush=True)
sys.stdin.readline()
"""


def test_a_second_owner_is_told_who_the_first_is(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z"), pytest.raises(StoreInUse) as caught:
        OwnerLock.take(files, "2025-01-02T00:00:00Z")
    assert caught.value.pid == os.getpid()
    assert caught.value.since == "2025-01-01T00:00:00Z"
    assert caught.value.host
    assert f"in use by process {os.getpid()} on" in str(caught.value)


def test_an_owner_that_has_not_said_who_it_is_is_an_owner(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z"):
        Path(files.lock).write_bytes(b"")
        with pytest.raises(StoreInUse, match="in use by another process"):
            OwnerLock.take(files, "2025-01-02T00:00:00Z")


def test_the_lock_is_free_after_its_release_and_the_file_stays(files: StoreFiles) -> None:
    lock = OwnerLock.take(files, "2025-01-01T00:00:00Z")
    assert is_locked(files)
    lock.release()
    lock.release()
    assert not is_locked(files)
    owner = read_owner(files)
    assert owner is not None
    assert owner.pid == os.getpid()
    OwnerLock.take(files, "2025-01-02T00:00:00Z").release()


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_another_process_is_refused_until_this_one_is_killed(files: StoreFiles) -> None:
    process = run(HOLD, files.directory)
    try:
        assert line_of(process) == "locked"
        process.send_signal(signal.SIGSTOP)  # a paused owner is an owner
        with pytest.raises(StoreInUse) as caught:
            OwnerLock.take(files, "2025-01-02T00:00:00Z")
        assert caught.value.pid == process.pid
        assert is_locked(files)
        process.kill()
        process.wait()
        OwnerLock.take(files, "2025-01-02T00:00:00Z").release()
    finally:
        process.kill()
        end_of(process)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_neither_holds_nor_uses_the_lock(files: StoreFiles) -> None:
    lock = OwnerLock.take(files, "2025-01-01T00:00:00Z")
    (from_child, to_parent), (from_parent, to_child) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            lock.release()  # does nothing here
            try:
                lock.note_store("x")
            except ForkedRuntime:
                status = 0
            os.write(to_parent, b"x")
            os.close(to_child)
            os.read(from_parent, 1)  # until the parent has looked, or is gone
        finally:
            os._exit(status)
    os.close(from_parent)
    os.close(to_parent)
    os.read(from_child, 1)
    lock.release()
    locked = is_locked(files)  # while the child lives
    os.close(to_child)
    os.close(from_child)
    assert os.waitpid(child, 0)[1] == 0
    assert not locked


def test_the_id_of_the_store_is_kept_from_owner_to_owner(files: StoreFiles) -> None:
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        assert lock.store_id is None
        lock.note_store("a-store")
    with OwnerLock.take(files, "2025-01-02T00:00:00Z") as lock:
        assert lock.store_id == "a-store"
        owner = read_owner(files)
        assert owner is not None
        assert (owner.since, owner.store_id) == ("2025-01-02T00:00:00Z", "a-store")


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid":"x"}', b'{"pid":1,"since":"\xb7"}', b"\x00" * 100])
def test_a_lock_file_that_cannot_be_read_is_no_obstacle(files: StoreFiles, content: bytes) -> None:
    files.make_directory()
    Path(files.lock).write_bytes(content)
    assert read_owner(files) is None
    with OwnerLock.take(files, "2025-01-01T00:00:00Z") as lock:
        assert lock.store_id is None
        assert read_owner(files) is not None


def test_a_long_lock_file_is_cut_to_what_is_written(files: StoreFiles) -> None:
    files.make_directory()
    Path(files.lock).write_bytes(b" " * 3000)
    with OwnerLock.take(files, "2025-01-01T00:00:00Z"):
        assert os.path.getsize(files.lock) < 500


def test_asking_changes_nothing(files: StoreFiles) -> None:
    assert not is_locked(files)
    assert read_owner(files) is None
    assert not os.path.exists(files.directory)
    memory = StoreFiles.at(":memory:")
    assert not is_locked(memory)
    assert read_owner(memory) is None


def test_asking_at_the_same_moment_does_not_keep_an_owner_out(files: StoreFiles, stack: ExitStack) -> None:
    """`is_locked` holds the lock shared for an instant, so taking it is tried more than once."""
    fcntl = pytest.importorskip("fcntl")
    files.make_directory()
    Path(files.lock).touch()
    asking = os.open(files.lock, os.O_RDONLY)
    stack.callback(os.close, asking)
    fcntl.flock(asking, fcntl.LOCK_SH)
    from saga.store import lock as module

    tries = []

    def pause(_: float) -> None:
        tries.append(1)
        fcntl.flock(asking, fcntl.LOCK_UN)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.time, "sleep", pause)
        OwnerLock.take(files, "2025-01-01T00:00:00Z").release()
    assert tries


def test_a_lock_file_that_was_deleted_and_made_anew_is_the_one_that_counts(files: StoreFiles) -> None:
    """Who opened the old file just before it was deleted must not think that its lock protects anything."""
    from saga.store import lock as module

    files.make_directory()
    really = module._try_lock

    def delete_first(fd: int, *, shared: bool = False) -> bool:
        module._try_lock = really
        os.unlink(files.lock)
        return really(fd, shared=shared)

    module._try_lock = delete_first
    try:
        with OwnerLock.take(files, "2025-01-01T00:00:00Z"):
            assert is_locked(files)
    finally:
        module._try_lock = really


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runtime.lock").mkdir()
    with pytest.raises(CannotOpen, match=r"runtime\.lock: cannot be opened"):
        OwnerLock.take(StoreFiles.at(tmp_path), "2025-01-01T00:00:00Z")
