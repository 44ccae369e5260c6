"""Figures as rows, as lines, and as tables in docs/performance.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Figure, pairs, row
from benchmarks.goals import OURS
from benchmarks.profiling import shares
from benchmarks.report import GROUPS, PAGE, publish, shown

MACHINE = {
    "date": "2026-11-26",
    "python": "CPython 3.11.7, built without PGO",
    "sqlite": "3.40.1",
    "commit": "abc1234",
    "cores": "2",
    "processor": "AMD EPYC",
    "load": "0.1 at the start",
}
P50 = Figure("latency.p50", [2.0, 2.2, 2.1], "ms", "lower", {"floor.latency": [1.5, 1.7, 1.6]})
DBOS = Figure("peers.dbos.latency", [30.0], "ms", "lower", {OURS: [0.25]})


def found(*figures: Figure, peers: Any = ()) -> dict[str, Any]:
    return {"machine": MACHINE, "size": "full", "results": [row(each) for each in figures], "peers": peers}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    markers = [
        f"<!-- {group}: written by `run.py bench --publish` -->\n<!-- end of {group} -->\n"
        for group in GROUPS
    ]
    markers.append("<!-- profile: written by `run.py bench --publish` -->\n<!-- end of profile -->\n")
    path = tmp_path / "performance.md"
    path.write_text("Before.\n" + "Between.\n".join(markers) + "After.\n")
    return path


def test_a_ratio_is_taken_pair_by_pair() -> None:
    assert pairs([10, 30], [20, 20]) == [0.5, 1.5]


def test_a_row_says_whether_its_goal_is_reached() -> None:
    assert row(P50)["reached"] is True
    assert row(DBOS)["reached"] is False
    assert row(Figure("latency.p50", [2.0], "ms", "lower"))["reached"] is False, "no ratio, not reached"


def test_a_line_has_the_median_the_ratio_and_the_goal() -> None:
    assert [" ".join(line.split()) for line in shown(row(P50)).splitlines()] == [
        "latency.p50 2.1 ms (2 to 2.2)",
        "1.6 of `floor.latency` (1.5 to 1.7)",
        "goal ≤ 1.6 of floor.latency: reached",
    ]


def test_tables_are_written_between_the_markers_and_the_rest_stays(page: Path) -> None:
    fact = {"title": "DBOS", "durability": "synced", "how": "SQLite; 4 at a time"}
    publish(found(P50, DBOS, peers=[fact]), page)
    text = page.read_text()

    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert "| `latency.p50` | 2.1 ms | 2 to 2.2 | 1.6 of `floor.latency` (1.5 to 1.7) |" in text
    assert "goal" in text
    assert "| DBOS | synced | SQLite; 4 at a time |" in text
    assert "CPython 3.11.7, built without PGO" in text


def test_a_peer_that_is_missing_is_named_with_the_reason(page: Path) -> None:
    publish(
        found(DBOS, peers=[{"title": "Restate", "durability": "a log", "missing": "there is no npm"}]), page
    )

    assert "| Restate | a log | not measured: there is no npm |" in page.read_text()


def test_what_was_not_measured_stays_as_it_was(page: Path) -> None:
    publish(found(P50), page)
    publish(found(DBOS, peers=[]), page)

    assert "`latency.p50`" in page.read_text()


def test_shares_of_time_are_a_table(page: Path) -> None:
    raw = """\
run (threading.py:982);work (saga/actors/worker.py:1);commit (saga/store/saga_store.py:5) 30
run (threading.py:982);work (saga/actors/worker.py:1);loads (json/__init__.py:5) 10
"""
    parts = shares(raw)
    assert parts == {
        "store: SQLite, and the values that it is given": 0.75,
        "actors: threads, mailboxes, hand-overs": 0.25,
    }

    publish(
        {**found(), "profile": {"shares": {"gateways": {"parts": parts, "cpu_us": 101.0, "cores": 1.2}}}},
        page,
    )

    assert "| actors: threads, mailboxes, hand-overs | 25% |" in page.read_text()
    assert "| **processor's time a saga, µs** | 101 |" in page.read_text()


def test_a_profile_that_could_not_be_taken_says_why(page: Path) -> None:
    publish({**found(), "profile": {"missing": "py-spy cannot look"}}, page)

    assert "No profile: py-spy cannot look" in page.read_text()


def test_a_page_without_markers_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing.\n")

    with pytest.raises(ValueError, match="not both markers"):
        publish(found(P50), page)


def test_the_page_has_a_place_for_every_table(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text(PAGE.read_text())
    every = [Figure(f"{prefixes[0]}x", [1.0], "", "higher") for prefixes in GROUPS.values()]

    publish({**found(*every), "profile": {"missing": "x"}}, copy)

    assert all(f"`{each.name}`" in copy.read_text() for each in every)
