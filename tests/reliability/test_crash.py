"""The command `crash`: some stories, a protection that is taken away, and the line that shows a violation again."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from reliability.crash import command, plan
from reliability.crash.stories import Crash, Story
from reliability.result import Result

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9 and fork")


def run(*arguments: str) -> Result:
    result = command.main(list(arguments), standalone_mode=False)
    assert isinstance(result, Result)
    return result


def test_some_stories_hold() -> None:
    result = run("--stories", "12")
    assert result.holds, result.violations
    assert result.figures["kills"] >= 12


def test_some_pairs_hold() -> None:
    result = run("--pairs", "--scenario", "single", "--stories", "4")
    assert result.holds, result.violations
    assert result.figures["stories"] == 4


def test_without_a_protection_a_violation_is_told_in_one_line_with_what_shows_it_again() -> None:
    result = run("--story", "success[coordinator.before-commit:2]", "--without", "acknowledgement")
    (line,) = result.violations
    assert not result.holds
    assert "lost: " in line
    assert "\n" not in line
    again = (
        "run.py reliability crash --story 'success[coordinator.before-commit:2]' --without acknowledgement"
    )
    assert line.endswith(again)


def test_a_story_is_read_as_it_is_told() -> None:
    story = Story("each", [Crash("saga-db.before-commit", 3), Crash("recovery.opened", 1)])
    assert Story.read(str(story)) == story


@pytest.mark.parametrize("text", ["nonsense", "nonsense[]", "each[recovery.opened]"])
def test_what_is_no_story_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        Story.read(text)


def test_an_unknown_point_is_refused() -> None:
    refused = CliRunner().invoke(command, ["--point", "nonsense"])
    assert refused.exit_code == 2
    assert "'nonsense' is no point" in refused.output


@pytest.mark.parametrize(
    ("times", "count", "expected"),
    [(0, 3, []), (2, 3, [1, 2]), (9, 3, [1, 5, 9]), (9, 1, [5]), (100, 5, [1, 25, 50, 75, 100])],
)
def test_passings_are_the_first_the_last_and_some_between(
    times: int, count: int, expected: list[int]
) -> None:
    assert plan.passings(times, count) == expected
