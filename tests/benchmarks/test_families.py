"""Every figure of `run.py bench` can be taken, in sizes that say nothing about speed."""

from __future__ import annotations

import pytest

from benchmarks.figures import row
from benchmarks.goals import GOALS
from benchmarks.measure import KINDS, check_outcomes
from benchmarks.peering import PEERS
from benchmarks.registry import FAMILIES, Family, chosen

ONLY_IN_FULL = {"install.mb"}


@pytest.mark.parametrize("family", FAMILIES, ids=[each.name for each in FAMILIES])
def test_a_family_finds_the_figures_that_it_names(family: Family) -> None:
    found = [row(each) for each in family.measure("tiny")]

    assert {each["name"] for each in found} == set(family.figures()) - ONLY_IN_FULL
    assert all(each["lowest"] <= each["median"] <= each["highest"] for each in found)
    assert all(each["median"] > 0 for each in found if each["name"] not in {"growth.gb"})


def test_there_is_a_figure_for_every_goal() -> None:
    figures = {name for family in FAMILIES for name in family.figures()}
    peers = {f"peers.{peer}.{what}" for peer in (*PEERS, "best") for what in ("throughput", "latency")}

    assert set(GOALS) <= figures | peers


def test_families_are_found_by_their_names_and_by_those_of_figures() -> None:
    found = chosen(["latency", "throughput.contexts", "latency.p99"], quick=True)

    assert [each.name for each in found] == ["latency", "throughput"]


def test_a_quick_run_leaves_out_what_takes_long() -> None:
    assert {each.name for each in chosen([], quick=False)} - {
        each.name for each in chosen([], quick=True)
    } == {"events"}


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"no figure and no family 'speed'; families are throughput, latency"
    ):
        chosen(["speed"], quick=False)


@pytest.mark.parametrize(("kind", "completed"), [("gateways", 99), ("contexts", 99), ("compensated", 100)])
def test_sagas_that_did_not_end_as_they_should_are_no_figure(kind: str, completed: int) -> None:
    with pytest.raises(RuntimeError, match=f"{completed} of 100 sagas completed"):
        check_outcomes(KINDS[kind], 100, completed)
