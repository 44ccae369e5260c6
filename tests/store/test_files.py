"""Where the files of a store are."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga.store import MEMORY, CannotOpen, StoreFiles


def test_a_store_is_a_directory_of_databases_and_a_lock(tmp_path: Path) -> None:
    files = StoreFiles.at(tmp_path)
    assert files.saga == str(tmp_path / "saga.db")
    assert files.context("payment") == str(tmp_path / "payment.db")
    assert files.lock == str(tmp_path / "runtime.lock")


def test_a_relative_directory_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = StoreFiles.at("shop")
    monkeypatch.chdir("/")
    assert files.directory == str(tmp_path / "shop")


def test_a_store_in_memory_has_private_files_and_no_lock() -> None:
    files = StoreFiles.at(":memory:")
    assert files.in_memory
    assert files.saga == files.context("payment") == MEMORY
    assert files.context_names() == []
    files.make_directory()
    with pytest.raises(ValueError, match="no lock file"):
        _ = files.lock


@pytest.mark.parametrize("name", ["saga", "", "a/b", "..", "with space"])
def test_a_context_cannot_have_a_name_that_is_no_file_of_its_own(name: str) -> None:
    with pytest.raises(CannotOpen, match="rename its class"):
        StoreFiles.at("shop").context(name)


def test_the_files_beside_saga_db_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("saga.db", "payment.db", "inventory.db", "payment.db-wal", "runtime.lock", "not-ours.db"):
        (tmp_path / name).touch()
    assert StoreFiles.at(tmp_path).context_names() == ["inventory", "payment"]


def test_the_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    StoreFiles.at(tmp_path / "a" / "b").make_directory()
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_in_the_place_of_the_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "shop").touch()
    for place in (tmp_path / "shop", tmp_path / "shop" / "inside"):
        with pytest.raises(CannotOpen, match="a store is a directory"):
            StoreFiles.at(place).make_directory()
