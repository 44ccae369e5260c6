"""What somebody outside asks of the runtime that owns a store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from saga.errors import UsageError
from saga.store import (
    Answered,
    Asked,
    StoreFiles,
    answer,
    answer_to,
    ask,
    clear_requests,
    take_request,
    withdraw,
)
from saga.store.errors import CannotOpen

BACKUP = Asked("1", directory="/there")
PRUNE = Asked("2", older_than_ms=1_000)


@pytest.fixture
def files(tmp_path: Path) -> StoreFiles:
    (tmp_path / "runtime.lock").touch()
    return StoreFiles.at(tmp_path)


def left(files: StoreFiles) -> list[str]:
    return sorted(path.name for path in Path(files.directory).iterdir() if path.name != "runtime.lock")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")
def test_root_may_ask_and_others_may_not(files: StoreFiles) -> None:
    os.chown(files.lock, 1_000, 1_000)
    ask(files, BACKUP)
    request = Path(files.directory, "runtime.request")
    assert request.stat().st_uid == 1_000, "the owner can read it"
    assert take_request(files) is None, "we are root, and it is that of somebody else"
    os.chown(request, 0, 0)
    assert take_request(files) == BACKUP


def test_a_request_is_taken_once_and_its_answer_read_once(files: StoreFiles) -> None:
    ask(files, BACKUP)
    assert take_request(files) == BACKUP
    assert take_request(files) is None
    assert answer_to(files, BACKUP) is None
    answer(files, BACKUP, Answered({"bytes": 5}))
    assert answer_to(files, BACKUP) == Answered({"bytes": 5})
    assert left(files) == []


def test_one_request_waits_at_a_time(files: StoreFiles) -> None:
    ask(files, BACKUP)
    with pytest.raises(UsageError, match="somebody else asks for something"):
        ask(files, PRUNE)


def test_a_request_is_withdrawn_by_who_has_asked_as_long_as_it_waits(files: StoreFiles) -> None:
    ask(files, BACKUP)
    assert withdraw(files, BACKUP)
    assert take_request(files) is None
    assert not withdraw(files, BACKUP)
    ask(files, PRUNE)
    assert not withdraw(files, BACKUP)
    assert take_request(files) == PRUNE


def test_what_is_no_request_is_left(files: StoreFiles) -> None:
    for nonsense in ("", "{", '{"id":1}', "[]"):
        Path(files.directory, "runtime.request").write_text(nonsense)
        assert take_request(files) is None


def test_what_was_left_is_taken_away(files: StoreFiles) -> None:
    ask(files, BACKUP)
    answer(files, BACKUP, Answered())
    answer(files, PRUNE, Answered())
    clear_requests(files)
    assert left(files) == []


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match=r"runtime\.request: cannot be written"):
        ask(StoreFiles.at(tmp_path / "missing"), BACKUP)
