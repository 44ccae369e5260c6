"""The small size of `run.py reliability backups`, and that its checks can fail."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reliability.backups import command
from reliability.backups.bank import CONTEXTS, SAGAS, Grant, Note, Order, Transfer
from reliability.backups.books import faults_of
from reliability.result import Result
from saga import Runtime


@pytest.mark.timeout(180)
def test_backups_under_load_are_restored_and_other_copies_are_found_out() -> None:
    result = command.main(["--size", "small"], standalone_mode=False)
    assert isinstance(result, Result)
    assert not result.violations, result.violations
    assert result.holds


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("made") / "bank"
    with Runtime(store, contexts=CONTEXTS, sagas=SAGAS) as runtime:
        for id in ("plain-1", "refused-1", "called-1", "both-1"):
            runtime.start(Transfer, Order(id, 10), id=id).wait(20)
        runtime.send(Grant("1", 5), id="grant-1")
        runtime.send(Note("1"), id="note-1")
    return store


@pytest.fixture
def bank(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bank"))


DONE = ["start plain-1", "start called-1", "grant 1", "note 1"]


def test_a_bank_that_is_whole_has_no_faults(bank: Path) -> None:
    assert faults_of(bank, DONE) == []


@pytest.mark.parametrize(
    ("context", "statement", "fault"),
    [
        ("giro", "DELETE FROM effects WHERE saga = 'plain-1'", "plain-1: {'deposit': 1}"),
        ("giro", "INSERT INTO effects SELECT * FROM effects LIMIT 1", "'withdraw': 2"),
        ("giro", "UPDATE money SET cents = cents + 1", "cents are there"),
        ("giro", "DELETE FROM grants", "grant 1 was acknowledged, and is not there"),
        ("savings", "DELETE FROM notes", "note 1 was acknowledged, and is not there"),
        ("auditor", "UPDATE heard SET cents = 1 WHERE saga = 'both-1'", "heard, and deposited"),
        ("saga", "DELETE FROM journal WHERE seq = 1", "verify: "),
    ],
)
def test_what_is_missing_twice_or_wrong_is_found(
    bank: Path, context: str, statement: str, fault: str
) -> None:
    with closing(sqlite3.connect(bank / f"{context}.db")) as connection:
        connection.execute(statement)
        connection.commit()
    assert any(fault in found for found in faults_of(bank, DONE)), fault


def test_what_was_acknowledged_and_is_missing_is_found(bank: Path) -> None:
    assert faults_of(bank, ["start plain-2"]) == ["start plain-2 was acknowledged, and is not there"]


def test_a_copy_that_cannot_be_opened_is_a_fault(bank: Path) -> None:
    (bank / "giro.db").unlink()
    assert any("giro.db" in fault for fault in faults_of(bank, []))
