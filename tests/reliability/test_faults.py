"""User code that does everything wrong, everywhere; and a guard that lets some of it through."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest
from click.testing import CliRunner

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="some of the deeds are forks"),
    pytest.mark.filterwarnings(
        "ignore::RuntimeWarning"
    ),  # coroutines that nobody awaits, which is what they are for
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.timeout(240),
]


def faults(*arguments: str) -> Any:
    from reliability.faults import command

    return CliRunner().invoke(command, arguments, standalone_mode=False, catch_exceptions=False).return_value


def test_every_saga_ends_as_declared_and_the_runtime_lives() -> None:
    result = faults("--size", "small", "--shutdowns", "0")
    if result.violations and all("did not end" in each for each in result.violations):
        result = faults("--size", "small", "--shutdowns", "0")  # a fork had no processor in time
    assert result.violations == []
    assert result.holds
    assert result.figures["pairs tried"] > 2_000


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_process_that_is_told_to_end_does_so_in_time() -> None:
    result = faults("--hook", "clock-now", "--deed", "Exception", "--shutdowns", "2")
    assert result.violations == []
    assert result.figures["shutdowns"] == 2


@pytest.mark.parametrize("hook", ["context-handler", "gateway", "gateway-async", "listener", "step"])
def test_a_guard_that_lets_through_what_is_no_exception_is_found(hook: str) -> None:
    result = faults("--hook", hook, "--deed", "SystemExit", "--broken", "guard", "--deadline", "2")
    assert not result.holds
    assert all(
        "again: python3 run.py reliability faults --deed SystemExit" in each for each in result.violations
    )


def test_pairs_that_make_no_sense_are_listed_with_the_reason() -> None:
    ran = CliRunner().invoke(
        _command(), ["--hook", "sleep", "--deed", "closes-the-database", "--senseless"], standalone_mode=False
    )
    assert "sleep.closes-the-database: there is no database at hand that could be written" in ran.output
    assert ran.return_value.figures["pairs tried"] == 0


def _command() -> Any:
    from reliability.faults import command

    return command
