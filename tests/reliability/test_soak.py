"""A soak of some seconds, and its control."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from click.testing import CliRunner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it kills and stops processes")


def soak(*arguments: str) -> Any:
    from reliability.soak import command

    return CliRunner().invoke(command, arguments, standalone_mode=False).return_value


def test_nothing_is_lost_or_done_twice_and_nobody_is_stuck() -> None:
    result = soak("--size", "small")
    assert result.violations == []
    assert result.holds
    assert result.figures["kills"] >= 2
    assert result.figures["sagas"] > 20


def test_without_the_inbox_effects_happen_twice() -> None:
    """It takes a kill between an effect and its answer, which not every seed brings in so short a time."""
    for seed in range(8):
        result = soak("--minutes", "0.1", "--broken", "inbox", "--seed", str(seed))
        if any("happened 2 times" in each for each in result.violations):
            break
    assert not result.holds
    assert any("happened 2 times" in each for each in result.violations)
    assert all("again: python3 run.py reliability soak" in each for each in result.violations)
