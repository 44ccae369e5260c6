"""Programs that work side by side for a command: whoever has much to tell does not wait for the others."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from reliability.forks import reports_of, tell

MUCH = 4_000
"""Reports of a program: more than a pipe holds."""


def program() -> None:
    """Tell a lot, then wait until the other has told as much."""
    mine, other = json.loads(sys.stdin.readline())
    if mine == "fails":
        sys.exit(3)
    for n in range(MUCH):
        tell([Path(mine).name, n, "x" * 50])
    Path(mine).touch()
    while not Path(other).exists():
        time.sleep(0.01)


def test_all_are_listened_to_at_the_same_time(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    reports = list(reports_of("tests.reliability.test_forks", [(one, two), (two, one)]))
    for name in ("one", "two"):
        assert [n for who, n, _ in reports if who == name] == list(range(MUCH))


def test_a_program_that_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        list(reports_of("tests.reliability.test_forks", [("fails", "")]))
