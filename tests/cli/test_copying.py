"""`saga backup` and `saga restore`."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from saga.cli import asking
from saga.cli.main import NOT_FOUND, OK, STORE_FAILED
from saga.store import StoreFiles, StoreReader, read_owner
from saga.verification import verify_store

from .conftest import Run


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def test_a_store_that_nobody_runs_is_copied(run: Run, store: Path, target: Path) -> None:
    result = run("backup", str(target), store=store)
    assert result.stdout.startswith(f"{target}: 5 files, ")
    assert result.stdout.endswith(", copied\n")
    assert result.exit_code == OK
    assert list(verify_store(target)) == []


def test_a_store_that_was_killed_is_copied(run: Run, killed: Path, target: Path) -> None:
    assert run("backup", str(target), store=killed).exit_code == OK
    assert list(verify_store(target)) == []


def test_the_facts_come_as_json(run: Run, store: Path, target: Path) -> None:
    facts = json.loads(run("backup", str(target), "--json", store=store).stdout)
    with StoreReader.open(target) as reader:
        assert facts["store_id"] == reader.store().store_id
    assert facts["directory"] == str(target)
    assert facts["files"][0] == "saga.db"
    assert facts["bytes"] == sum(os.path.getsize(target / name) for name in facts["files"])


def test_the_program_that_runs_a_store_copies_it(run: Run, busy: Path, target: Path) -> None:
    for name in ("one", "two"):
        result = run("backup", str(target / name), store=busy)
        assert result.stdout.endswith("copied by the program that runs the store\n"), result.stderr
        assert list(verify_store(target / name)) == []
    result = run("backup", str(target / "one"), store=busy)
    what = "the directory is not empty; name one that is not there yet"
    assert result.stderr == f"saga: no copy was made at {target / 'one'}: {what}\n"
    assert result.exit_code == STORE_FAILED


def test_a_program_that_does_not_answer_is_told(
    run: Run, busy: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ANSWERED_WITHIN_S", 0.2)
    owner = read_owner(StoreFiles.at(busy))
    assert owner is not None
    os.kill(owner.pid, signal.SIGSTOP)
    try:
        result = run("backup", str(target), store=busy)
    finally:
        os.kill(owner.pid, signal.SIGCONT)
    assert f"process {owner.pid} on {owner.host}" in result.stderr
    assert "does not answer" in result.stderr
    assert result.exit_code == STORE_FAILED
    assert not (busy / "runtime.request").exists()


def test_a_backup_is_restored(run: Run, store: Path, target: Path, tmp_path: Path) -> None:
    run("backup", str(target), store=store)
    result = run("restore", str(target), str(tmp_path / "new"), store=None)
    assert result.stdout.startswith(f"{tmp_path / 'new'}: 5 files, ")
    assert list(verify_store(tmp_path / "new")) == []
    listed = run("list", store=store).stdout
    assert run("list", store=tmp_path / "new").stdout == listed


def test_nothing_is_restored_over_what_is_there(run: Run, store: Path, target: Path) -> None:
    run("backup", str(target), store=store)
    result = run("restore", str(target), str(store), store=None)
    assert result.stderr == (
        f"saga: no copy was made at {store}: the directory is not empty; name one that is not there yet\n"
    )
    assert result.exit_code == STORE_FAILED


def test_what_is_run_is_not_restored_from(run: Run, running: Path, target: Path) -> None:
    result = run("restore", str(running), str(target), store=None)
    assert "take a backup of it first" in result.stderr
    assert result.exit_code == STORE_FAILED


def test_what_is_no_store_is_neither_backed_up_nor_restored(run: Run, tmp_path: Path) -> None:
    for line in (["backup", str(tmp_path / "to")], ["restore", str(tmp_path / "from"), str(tmp_path / "to")]):
        result = run(*line, store=tmp_path / "from")
        assert (
            result.stderr
            == f"saga: no store at {tmp_path / 'from'}: a store is a directory that holds saga.db\n"
        )
        assert result.exit_code == NOT_FOUND
    assert list(tmp_path.iterdir()) == []
