"""`saga prune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saga import Runtime, VirtualClock
from saga.cli.main import NOT_FOUND, OK, USAGE
from saga.store import StoreReader
from saga.verification import verify_store

from . import shop
from .conftest import Run
from .test_scheduling import DAY, NIGHT, Nap


@pytest.fixture
def naps(tmp_path: Path) -> Path:
    """A store of the past, in which two sagas have ended and one has not."""
    store, clock = tmp_path / "shop", VirtualClock(NIGHT - 400 * DAY)
    order = shop.Order("o", "plain")
    with Runtime(store, sagas=[Nap], clock=clock) as runtime:
        handles = [runtime.start(Nap, order, id=id) for id in ("one", "two")]
        clock.advance(2 * DAY)
        for handle in handles:
            handle.wait(20)
        runtime.start(Nap, order, id="three")
    return store


def ids(store: Path) -> list[str]:
    with StoreReader.open(store) as reader:
        return [row.id for row in reader.overview()]


def test_what_has_ended_long_ago_is_let_go_of(run: Run, naps: Path) -> None:
    with StoreReader.open(naps) as reader:
        before = reader.store()
    result = run("prune", "--older-than", "30d", store=naps)
    assert (result.stdout, result.exit_code) == ("2 sagas were let go of\n", OK)
    assert ids(naps) == ["three"]
    assert list(verify_store(naps)) == []
    with StoreReader.open(naps) as reader:
        after = reader.store()
    assert after.high_ms == before.high_ms, "no timer is due by it"
    assert after.clean == before.clean
    result = run("prune", "--older-than", "30d", store=naps)
    assert result.stdout == "nothing is old enough, or all of it is needed\n"


def test_a_dry_run_says_it_and_changes_nothing(run: Run, naps: Path) -> None:
    result = run("prune", "--older-than", "30d", "--dry-run", store=naps)
    assert (result.stdout, result.exit_code) == ("2 sagas would be let go of\n", OK)
    assert len(ids(naps)) == 3
    facts = json.loads(run("prune", "--older-than", "30d", "--dry-run", "--json", store=naps).stdout)
    assert facts == {"sagas": 2, "rows": 4, "events": 0, "sends": 0, "dry_run": True}


def test_the_program_that_runs_a_store_does_it(run: Run, busy: Path) -> None:
    facts = json.loads(run("prune", "--older-than", "0s", "--json", store=busy).stdout)
    assert facts["sagas"] > 0
    assert facts["dry_run"] is False
    assert list(verify_store(busy)) == []


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1.5d", "30 d", "1y", "99999999d", "٣d"])
def test_an_age_that_is_none_is_refused(run: Run, naps: Path, age: str) -> None:
    result = run("prune", "--older-than", age, store=naps)
    assert "is no age; write a number and one of s, m, h, d, w, such as 30d" in result.stderr
    assert result.exit_code == USAGE


def test_an_age_is_asked_for(run: Run, naps: Path) -> None:
    result = run("prune", store=naps)
    assert "--older-than" in result.stderr
    assert result.exit_code == USAGE


def test_where_there_is_no_store_none_is_made(run: Run, tmp_path: Path) -> None:
    result = run("prune", "--older-than", "1d", store=tmp_path / "none")
    assert result.exit_code == NOT_FOUND
    assert not (tmp_path / "none").exists()
