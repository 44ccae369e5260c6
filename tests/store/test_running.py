"""The file that says what is being carried out, which says nothing when anything about it is odd."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saga.store import COORDINATOR, UNNUMBERED, Batch, CannotOpen, Running, SagaStore, StoreFiles
from saga.store.running import MOST, Noted, read_running

from .conftest import OpenStore
from .support import ROOT, STORE_ID

COUNTS = {COORDINATOR: 1, "payment": 1, "cards": 3}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "runtime.running")


def note(running: Running, name: str, number: int) -> None:
    cell = running.take(name)
    assert cell is not None
    cells, index = cell
    cells[index] = number


def found(path: str, epoch: int = 1) -> list[Noted]:
    return read_running(path, STORE_ID, epoch)


def test_what_was_noted_is_found(path: str) -> None:
    running = Running.create(path, STORE_ID, 1, COUNTS)
    note(running, "payment", 7)
    note(running, "cards", 3)
    note(running, "cards", 4)
    note(running, COORDINATOR, 12)
    assert found(path) == [
        Noted(COORDINATOR, "saga", 12, False),
        Noted("payment", "command", 7, False),
        Noted("cards", "command", 3, False),
        Noted("cards", "command", 4, False),
    ]


def test_a_negative_number_is_that_of_an_event(path: str) -> None:
    note(Running.create(path, STORE_ID, 1, COUNTS), "payment", -5)
    assert found(path) == [Noted("payment", "event", 5, True)]


def test_a_command_of_the_application_is_not_found_but_nobody_was_alone_beside_it(path: str) -> None:
    running = Running.create(path, STORE_ID, 1, COUNTS)
    note(running, "cards", 3)
    note(running, "payment", UNNUMBERED)
    assert found(path) == [Noted("cards", "command", 3, False)]


def test_a_cell_that_is_given_back_is_empty_and_can_be_taken_again(path: str) -> None:
    running = Running.create(path, STORE_ID, 1, COUNTS)
    cell = running.take("payment")
    assert cell is not None
    cell[0][cell[1]] = 9
    assert running.take("payment") is None
    running.give_back("payment", cell)
    assert found(path) == []
    assert running.take("payment") == cell


def test_cells_are_bounded_and_nobody_else_has_any(path: str) -> None:
    running = Running.create(path, STORE_ID, 1, {"cards": 10_000})
    taken = [running.take("cards") for _ in range(MOST + 1)]
    assert taken[-1] is None
    assert None not in taken[:-1]
    assert running.take("nobody") is None


def test_a_new_file_takes_nothing_over_and_leaves_those_alone_who_have_the_old_one(path: str) -> None:
    old = Running.create(path, STORE_ID, 1, {"cards": MOST})
    cells = [old.take("cards") for _ in range(MOST)]
    note(Running.create(path, STORE_ID, 2, COUNTS), "cards", 1)
    for cell in cells:
        assert cell is not None
        cell[0][cell[1]] = 99  # behind the end of the new file
    assert found(path, 2) == [Noted("cards", "command", 1, True)]
    assert os.listdir(os.path.dirname(path)) == ["runtime.running"]


def test_it_survives_kill_9_without_any_sync(path: str) -> None:
    code = """
import os, signal, sys
from saga.store import Running
cells, index = Running.create(sys.argv[1], sys.argv[2], 1, {"cards": 2}).take("cards")
cells[index] = 123
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, path, STORE_ID], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert found(path) == [Noted("cards", "command", 123, True)]


def test_the_file_of_another_run_or_store_says_nothing(path: str) -> None:
    note(Running.create(path, STORE_ID, 3, COUNTS), "cards", 3)
    assert found(path, 2) == found(path, 4) == []
    assert read_running(path, STORE_ID.replace("1", "2"), 3) == []
    assert len(found(path, 3)) == 1


def _other_version(data: bytes) -> bytes:
    return data.replace(b'"version":1', b'"version":2')


def _other_bytes(data: bytes) -> bytes:
    return data.replace(sys.byteorder.encode(), b"middle", 1)


def _other_cells(data: bytes) -> bytes:
    line, _, cells = data.partition(b"\n")
    head = json.loads(line)
    head["cells"] = [["cards", -3], ["payment", 8]]
    return json.dumps(head).encode().ljust(len(line)) + b"\n" + cells


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\n",
        lambda data: data[:10],
        lambda data: data[:-1],
        lambda data: data[:-8],
        lambda data: data + b"\0",
        lambda data: data + bytes(8),
        lambda data: data.replace(b"\n", b" "),
        lambda data: b"\xff" * len(data),
        lambda data: os.urandom(len(data)),
        lambda data: bytes(len(data)),
        lambda data: b"[" * 100_000,
        lambda data: b"null" + data,
        lambda data: data + bytes(2 << 20),
        _other_version,
        _other_bytes,
        _other_cells,
    ],
)
def test_a_file_that_makes_no_sense_says_nothing(path: str, damage: Callable[[bytes], bytes]) -> None:
    note(Running.create(path, STORE_ID, 1, COUNTS), "cards", 3)
    data = Path(path).read_bytes()
    Path(path).write_bytes(damage(data))
    assert found(path) == []


def test_a_file_that_is_missing_or_no_file_says_nothing(path: str) -> None:
    assert found(path) == []
    os.mkdir(path)
    assert found(path) == []


def test_where_it_cannot_be_made_that_is_a_clear_error(path: str) -> None:
    os.mkdir(path)
    with pytest.raises(CannotOpen, match=r"runtime\.running"):
        Running.create(path, STORE_ID, 1, COUNTS)


def test_a_full_disk_is_noticed_when_the_file_is_made_and_not_by_a_signal(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes((1 << 20) - 4096))
    with pytest.raises(CannotOpen):
        Running.create(
            str(small_disk / "runtime.running"), STORE_ID, 1, {f"gateway-{n}": MOST for n in range(10)}
        )
    assert os.listdir(small_disk) == ["filler"]


# --- what a store makes of it ---


def cut_off(store: SagaStore, files: StoreFiles, *noted: tuple[str, int]) -> None:
    """End a run as kill -9 does, while this was being carried out."""
    running = Running.create(files.running, store.store_id, store.epoch, COUNTS)
    for name, number in noted:
        note(running, name, number)
    store.close(clean=False)


def given(store: SagaStore, *, commands: int = 0) -> None:
    """Let numbers be given to so many commands."""
    batch = Batch()
    batch.participants["cards"] = ("gateway", commands + 1, 0, 0)
    store.commit(batch)


def test_what_was_running_at_an_unclean_end_is_counted_once_for_each(
    open_store: OpenStore, files: StoreFiles
) -> None:
    store = open_store()
    given(store, commands=9)
    cut_off(store, files, ("cards", 4), ("cards", 5))
    store = open_store(2_000)
    assert [row[:6] for row in store.suspects()] == [
        ("cards", "command", 4, 1, 0, 2_000),
        ("cards", "command", 5, 1, 0, 2_000),
    ]
    store.close(clean=False)  # without a new file: the old one is not counted again
    store = open_store(3_000)
    cut_off(store, files, ("cards", 5))
    assert [row[2:6] for row in open_store(4_000).suspects()] == [(5, 2, 1, 4_000), (4, 1, 0, 2_000)]


def test_a_close_in_order_is_not_counted(open_store: OpenStore, files: StoreFiles) -> None:
    store = open_store()
    given(store, commands=9)
    note(Running.create(files.running, store.store_id, store.epoch, COUNTS), "cards", 4)
    store.close()
    assert open_store().suspects() == []


def test_numbers_that_were_never_durably_given_are_not_counted(
    open_store: OpenStore, files: StoreFiles
) -> None:
    store = open_store()
    given(store, commands=9)
    cut_off(
        store, files, ("cards", 10), ("payment", 1), ("cards", -1), (COORDINATOR, 1), ("cards", -(1 << 63))
    )
    assert open_store().suspects() == []


def test_a_suspect_is_forgotten_with_a_commit(open_store: OpenStore, files: StoreFiles) -> None:
    store = open_store()
    given(store, commands=9)
    cut_off(store, files, ("cards", 4), ("cards", 5))
    store = open_store()
    batch = Batch()
    batch.suspects.append(("cards", "command", 4))
    assert not batch.is_empty
    assert batch.split()[0].suspects == batch.suspects
    store.commit(batch)
    assert [row.key for row in store.suspects()] == [("cards", "command", 5)]


def test_a_store_in_memory_has_no_such_file() -> None:
    with pytest.raises(ValueError, match="in memory"):
        _ = StoreFiles.at(":memory:").running
