"""A process graph in saga.db that is not what was stored: one clear error at the start, and nothing is dispatched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from saga import Runtime, Saga, sleep
from saga.errors import CorruptStore


@dataclass(frozen=True)
class Nap:
    minutes: int


class Sleep(Saga[Nap]):
    @sleep
    def nap(self) -> timedelta:
        return timedelta(minutes=self.input.minutes)

    flow = nap


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("replace(graph, '{', '[')", "cannot be read"),
        ("replace(graph, 'nap', 'map')", "does not fit its hash"),
    ],
)
def test_a_damaged_graph_is_refused_at_the_start(tmp_path: Path, change: str, words: str) -> None:
    with Runtime(tmp_path / "store", sagas=[Sleep]) as runtime:
        runtime.start(Sleep, Nap(60), id="one")
    with closing(sqlite3.connect(tmp_path / "store" / "saga.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE definitions SET graph = {change}")
    with pytest.raises(CorruptStore, match=f"the graph of Sleep version 1 {words}"):
        Runtime(tmp_path / "store", sagas=[Sleep]).open()
