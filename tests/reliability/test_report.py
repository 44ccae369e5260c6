"""The results of fault tests: what a person reads, and the table that is made from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from reliability.__main__ import COMMANDS, main
from reliability.report import BEGIN, END, record, shown
from reliability.result import Result

GOOD = Result("sim", "1,000 seeds from 0", "0 violations", [], True, 12.34, {"crashes": 4567})
BAD = Result("crash", "3 kills", "0 violations", ["again: run.py reliability crash x"], False, 1.0)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "reliability.md").write_text(f"Before.\n\n{BEGIN}\n\n{END}\n\nAfter.\n")
    return tmp_path


def test_a_result_says_what_was_done_and_what_came_of_it() -> None:
    assert shown(GOOD).splitlines() == [
        "sim: 1,000 seeds from 0",
        "  goal: 0 violations: holds (12.3 s)",
        "  crashes: 4,567",
    ]


def test_every_violation_is_shown_with_what_shows_it_again() -> None:
    assert "DOES NOT HOLD" in shown(BAD)
    assert "  ! again: run.py reliability crash x" in shown(BAD)


def test_nothing_holds_that_has_violations() -> None:
    with pytest.raises(ValueError, match="cannot hold with 1 violations"):
        Result("sim", "", "", ["one"], True, 0.0)


def test_a_recorded_result_stands_in_the_table_and_the_text_around_it_stays(docs: Path) -> None:
    record(GOOD, ["--record", "sim", "--seeds", "1000"], docs)
    record(BAD, ["crash"], docs)
    page = (docs / "reliability.md").read_text()
    assert page.startswith("Before.\n")
    assert page.endswith("After.\n")
    assert "| `sim` | 1,000 seeds from 0 | 0 violations | holds | 0 | 12 s |" in page
    assert "| `crash` | 3 kills | 0 violations | **does not hold** | 1 | 1 s |" in page
    assert "- `python3 run.py reliability sim --seeds 1000`" in page
    assert "crashes 4,567" in page


def test_a_result_takes_the_place_of_the_one_before(docs: Path) -> None:
    record(GOOD, ["sim"], docs)
    record(Result("sim", "5 seeds", "0 violations", [], True, 1.0), ["sim"], docs)
    page = (docs / "reliability.md").read_text()
    assert "5 seeds" in page
    assert "1,000 seeds" not in page


def test_a_page_without_a_place_for_results_is_said_so(docs: Path) -> None:
    (docs / "reliability.md").write_text("no markers")
    with pytest.raises(ValueError, match="has not both markers"):
        record(GOOD, ["sim"], docs)


def test_the_commands_are_listed_and_an_unknown_one_is_refused() -> None:
    listed = CliRunner().invoke(main, ["--help"])
    assert listed.exit_code == 0
    for name in COMMANDS:
        assert name in listed.output
    unknown = CliRunner().invoke(main, ["nonsense"])
    assert unknown.exit_code == 2
    assert "No such command 'nonsense'" in unknown.output
