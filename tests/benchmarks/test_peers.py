"""How peers are asked, without any of them installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import peering
from benchmarks.environments import NotInstalled, kept_environment

FAKE = """
from benchmarks.peers.steps import Refused, ship
from benchmarks.peers.talk import serve

class Fake:
    def run(self, orders, concurrency):
        print("what an engine says is no answer")
        completed = 0
        for order in orders:
            try:
                ship(order, "p")
                completed += 1
            except Refused:
                completed += {0}
        return completed

serve(Fake(), "in memory", (1, 4))
"""


def play(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(peering, "_program", lambda name: [sys.executable, "-c", program])
    monkeypatch.setattr(peering, "_versions", lambda name: iter(["fake 1.0"]))


def test_a_peer_is_measured_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, FAKE.replace("{0}", "0"))

    figures, [fact] = peering.measure_peers(["dbos"], "tiny")

    assert [each.name for each in figures] == [
        "peers.dbos.throughput",
        "peers.dbos.latency",
        "peers.best.throughput",
    ]
    assert figures[0].ratios["ours"][0] > 0
    assert fact["how"].startswith("in memory; ")
    assert fact["how"].endswith(" at a time; fake 1.0")


def test_a_peer_that_undoes_nothing_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, FAKE.replace("{0}", "1"))

    figures, [fact] = peering.measure_peers(["dbos"], "tiny")

    assert figures == []
    assert "10 of 10 orders completed, and 9 were to" in fact["missing"]


def test_a_peer_whose_program_ends_is_named_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, "raise SystemExit('no room for me')")

    assert (
        peering.measure_peers(["dbos"], "tiny")[1][0]["missing"]
        == "its program does not answer: no room for me"
    )


def test_an_environment_that_cannot_be_made_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.environments.CACHE", tmp_path)

    with pytest.raises(NotInstalled, match="no environment could be made"):
        kept_environment("x", str(tmp_path / "no-python"), ["nothing"])
