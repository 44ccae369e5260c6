"""The fuzz targets in their small size: nothing is found, and whatever is broken on purpose is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from reliability.__main__ import main
from reliability.fuzz import targets
from reliability.fuzz.command_line import HOME
from reliability.fuzz.running import Share, attack, run_shares
from reliability.fuzz.stores import made_in
from reliability.fuzz.targets import TARGETS, control

INPUTS = {"values": 2000, "bytes": 2000, "journals": 1000, "graphs": 1000, "arguments": 150, "stores": 10}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    directory = tmp_path_factory.mktemp("stores")
    os.environ[HOME] = str(directory)
    with made_in(directory):
        yield
    del os.environ[HOME]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.usefixtures("stores")
def test_random_input_breaks_nothing(name: str) -> None:
    assert run_shares([Share(name, 0, INPUTS.get(name, 200))], jobs=1) == []


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.usefixtures("stores")
def test_what_is_broken_on_purpose_is_noticed(name: str) -> None:
    assert control(name) is not None


def test_an_input_is_the_same_each_time_and_what_it_finds_says_how_to_see_it_again() -> None:
    with TARGETS["bytes"].broken():
        first = run_shares([Share("bytes", 0, 30)], jobs=1)
        assert first
        assert first == run_shares([Share("bytes", 0, 30)], jobs=1)
    assert "--target bytes --from " in first[0]
    assert first[0].endswith(" --inputs 1")


def test_what_takes_too_long_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(rng: object) -> None:
        while True:
            pass

    monkeypatch.setattr("reliability.fuzz.running.PATIENCE_S", 0.05)
    monkeypatch.setitem(targets.TARGETS, "slow", targets.Target(slow, 0.0, lambda: None))
    [found] = run_shares([Share("slow", 0, 1)], jobs=1)
    assert "interrupted after 0.05 s" in found
    assert attack("values", 0) is None


def test_the_command_divides_its_inputs(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["fuzz", "--target", "values", "--target", "graphs", "--inputs", "93"])
    assert told.exit_code == 0, told.output
    assert "93 inputs for 2 targets, from number 0" in told.output
    assert "inputs of values: 64" in told.output
