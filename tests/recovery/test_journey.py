"""Trips that use every element of the language: what must hold after them bites."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reliability.crash import trips_invariants as invariants
from reliability.crash.harness import Run, Workers, place
from reliability.crash.job import Job

FORGERIES = {
    "happens twice": ("agency", "INSERT INTO effects SELECT * FROM effects WHERE key = 'good-1-r0'"),
    "is missing": ("agency", "DELETE FROM effects WHERE what = 'check' AND key = 'good-1'"),
    "is not undone": ("agency", "DELETE FROM effects WHERE what = 'unguide' AND key = 'refused-1-r2'"),
    "is undone too often": ("bank", "INSERT INTO effects VALUES ('uncharge', 'refused-1', 2)"),
    "is undone by nobody": ("bank", "DELETE FROM effects WHERE what = 'uncharge' AND key = 'denied-1'"),
}


@pytest.fixture
def travelled(workers: Workers) -> Iterator[tuple[Path, Run]]:
    with place() as store:
        yield store, workers.run(Job(str(store), "journey"))


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_must_hold_does_not_hold_when_an_effect(travelled: tuple[Path, Run], forgery: str) -> None:
    store, run = travelled
    invariants.check_all(store, [run])
    context, statement = FORGERIES[forgery]
    with closing(sqlite3.connect(store / f"{context}.db")) as connection:
        connection.execute(statement)
        connection.commit()
    with pytest.raises(AssertionError):
        invariants.check_all(store, [run])
