"""The types of the author's language, as mypy and pyright see them: right uses pass, each wrong use is flagged.

Both checkers are needed: what only one of them accepts is of no use to half of the authors. A checker that is
not installed fails the test; it is part of what is promised.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RIGHT = ("shop.py", "payment.py", "travel.py", "party.py", "running.py", "wrong_at_import.py")
WRONG = ("wrong.py", "wrong_blocks.py")

Flagged = dict[str, dict[int, str]]
"""File name → line → what the checker says."""


def run(*line: str) -> str:
    """Run a module of this Python in this folder; return what it prints, fail when it cannot be run."""
    done = subprocess.run(
        [sys.executable, "-m", *line],
        cwd=HERE,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), f"{line[0]} could not be run: {done.stdout}{done.stderr}"
    assert f"No module named {line[0]}" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def by_mypy(tmp_path_factory: pytest.TempPathFactory) -> Flagged:
    cache = tmp_path_factory.mktemp("mypy")
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary", f"--cache-dir={cache}"]
    found: Flagged = {name: {} for name in (*RIGHT, *WRONG)}
    for text in run("mypy", *options, *found).splitlines():
        match = re.match(r"(\w+\.py):(\d+): error: (.*)", text)
        if match:
            found[match[1]][int(match[2])] = match[3]
        else:
            assert ": note: " in text, text
    return found


@pytest.fixture(scope="module")
def by_pyright() -> Flagged:
    report = json.loads(run("pyright", "--project", str(HERE), "--pythonpath", sys.executable, "--outputjson"))
    assert report["summary"]["filesAnalyzed"] >= len(RIGHT) + len(WRONG)
    found: Flagged = {name: {} for name in (*RIGHT, *WRONG)}
    for each in report["generalDiagnostics"]:
        name = Path(each["file"]).name
        if each["severity"] == "error" and name in found:
            found[name][each["range"]["start"]["line"] + 1] = each["message"]
    return found


def marks(name: str) -> dict[int, str]:
    """Return the marked lines of a file of wrong uses: line → W and number."""
    lines = (HERE / name).read_text().splitlines()
    found = {number: re.search(r"# (W\d+)", text) for number, text in enumerate(lines, 1)}
    return {number: match[1] for number, match in found.items() if match and "W15" not in match[1]}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("checker", ["by_mypy", "by_pyright"])
def test_right_uses_pass(checker: str, name: str, request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue(checker)[name] == {}


def test_the_code_of_the_language_reference_passes(tmp_path: Path) -> None:
    """What stands in docs/flow.md is what people copy."""
    code = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "flow.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "flow_in_docs.py"
    file.write_text("\n".join(["from __future__ import annotations", *code]))
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--no-error-summary"]
    assert run("mypy", *options, f"--cache-dir={tmp_path / 'cache'}", str(file)) == ""


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("checker", ["by_mypy", "by_pyright"])
def test_every_wrong_use_is_flagged_and_nothing_else(
    checker: str, name: str, request: pytest.FixtureRequest
) -> None:
    flagged = request.getfixturevalue(checker)[name]
    marked = marks(name)
    missed = sorted(set(marked.values()) - {marked[line] for line in flagged if line in marked})
    assert not missed
    assert {line: text for line, text in flagged.items() if line not in marked} == {}


def test_all_wrong_uses_of_the_sketch_are_there() -> None:
    assert {f"W{number}" for number in range(1, 15)} <= set(marks("wrong.py").values())


def test_wrong_uses_are_numbered_through() -> None:
    numbers = {int(mark[1:]) for name in WRONG for mark in marks(name).values()} | {15}
    assert numbers == set(range(1, max(numbers) + 1))


def test_a_leaf_of_another_saga_is_refused_when_the_class_is_made() -> None:
    """W15, which no type checker sees."""
    done = subprocess.run(
        [sys.executable, "-c", "import wrong_at_import"],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "take_payment: belongs to FulfilOrder, not to C; declare a method of C for it" in done.stderr


@pytest.mark.parametrize("name", ["payment", "travel", "party"])
def test_right_uses_can_be_imported(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
