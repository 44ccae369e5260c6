"""Mutants: what came of them, what does not count, and how sure a sample is. A whole run takes half a minute."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from reliability.mutants import mutants_in, only_words, verdict, within

MADE = """
class Reader:
    def xǁReaderǁread__mutmut_orig(self, path):
        raise ValueError("not a path", path, "kind")

    def xǁReaderǁread__mutmut_1(self, path):
        raise ValueError("NOT A PATH", path, "kind")

    def xǁReaderǁread__mutmut_2(self, path):
        raise ValueError("not a path", None, "kind")

    def xǁReaderǁread__mutmut_3(self, path):
        raise ValueError("not a path", path, "KIND")
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What mutmut leaves of one module with three mutants."""
    package = tmp_path / "mutants" / "saga" / "codec"
    package.mkdir(parents=True)
    (package / "reading.py").write_text(MADE)
    codes = {f"saga.codec.reading.xǁReaderǁread__mutmut_{n}": code for n, code in ((1, 0), (2, 1), (3, 0))}
    (package / "reading.py.meta").write_text(json.dumps({"exit_code_by_key": codes}))
    return tmp_path


def test_each_mutant_has_a_verdict_and_a_diff(copy: Path) -> None:
    first, second, third = mutants_in(copy, ("codec",))
    assert [each.verdict for each in (first, second, third)] == ["survived", "failed", "survived"]
    assert [each.words for each in (first, second, third)] == [True, False, False]
    assert "+    raise ValueError('not a path', None, 'kind')" in second.diff
    assert mutants_in(copy, ("flow",)) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("f('not done')", "f('XXnot doneXX')", True),
        ("f('done')", "f('XXdoneXX')", False),
        ("f('not done')", "f(None)", False),
        ("f('not done', 1)", "f('NOT DONE', 2)", False),
        ("f('not done')", "f('not done')", False),
        ("f('not done', x)", "f('NOT DONE')", False),
        ("f(f'{x} is not done')", "f(f'{x} IS NOT DONE')", True),
    ],
)
def test_only_the_wording_for_people_does_not_count(before: str, after: str, words: bool) -> None:
    one, other = (ast.parse(f"def g():\n    {line}").body[0] for line in (before, after))
    assert only_words(one, other) is words


@pytest.mark.parametrize(
    ("code", "means"),
    [
        (0, "survived"),
        (1, "failed"),
        (33, "no tests"),
        (-24, "took too long"),
        (-11, "crashed"),
        (35, "suspicious"),
    ],
)
def test_the_exit_code_of_a_mutant_says_what_came_of_it(code: int, means: str) -> None:
    assert verdict(code) == means
    assert verdict(None) == "not checked"


def test_the_share_of_a_sample_comes_with_an_interval() -> None:
    low, high = within(360, 400)
    assert (round(low, 1), round(high, 1)) == (86.7, 92.6)
    assert within(0, 0) == (0.0, 100.0)
