"""The floor writes what a real run writes, byte for byte: else it would be no floor."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.floor import record, written
from benchmarks.measure import KINDS

KINDS_OF_NUMBERS = {"store", "participants", "_saga_file"}
"""Tables of numbers that every commit changes; the floor changes them as often, to other numbers."""


def content(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for path in sorted(directory.glob("*.db")):
        with closing(sqlite3.connect(path)) as connection:
            schema = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            for (table,) in connection.execute(schema).fetchall():
                if table not in KINDS_OF_NUMBERS:
                    rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
                    of_journal = 1 if table == "journal" else 0  # its row numbers tell who was first
                    found[f"{path.name} {table}"] = sorted(
                        (row[of_journal:] for row in rows), key=lambda row: tuple(map(str, row))
                    )
            found[f"{path.name} schema"] = sorted(
                connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall(), key=str
            )
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_flight", [1, 7])
def test_the_floor_writes_the_rows_of_a_real_run(tmp_path: Path, kind: str, in_flight: int) -> None:
    real, floor = tmp_path / "real", tmp_path / "floor"
    floor.mkdir()
    recorded = record(real, KINDS[kind], 20)

    times = [*written(floor, recorded, in_flight)]

    assert len(times) == -(-20 // in_flight)
    assert content(floor) == content(real)


def test_rows_that_are_missing_would_be_noticed(tmp_path: Path) -> None:
    """The control: a floor that leaves out one commit of one saga is told from the real run."""
    real, floor = tmp_path / "real", tmp_path / "floor"
    floor.mkdir()
    recorded = record(real, KINDS["compensated"], 20)
    recorded.sagas[9].pop()

    assert [*written(floor, recorded, 7)]
    assert content(floor) != content(real)
