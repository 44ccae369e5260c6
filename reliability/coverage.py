"""`reliability coverage`: which branches of the core, the store and the actors the tests take.

The tests run in a process of their own under coverage.py; what they start and fork is measured, too, what they kill is
not. What is left out of the count, and why, is written in pyproject.toml.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from reliability.result import SIZES, Result, Size

__all__ = ["command", "counted", "measured"]

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("messages", "codec", "flow", "machine", "store", "coordination", "actors")
LEAST = 98.0
SIZED: dict[Size, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "small": (("tests/codec",), ("codec",)),
    "nightly": (("tests",), PACKAGES),
    "release": (("tests",), PACKAGES),
}
"""What is run, and which packages of `saga` that is to cover."""


class Count(NamedTuple):
    """Lines and branches of one package, and where some of them are missing."""

    all: int
    taken: int
    missing: list[str]

    @property
    def percent(self) -> float:
        """Share of lines and branches that were taken."""
        return 100 * self.taken / self.all if self.all else 0.0


@click.command()
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option(
    "--tests", multiple=True, metavar="PATH", help="run these instead; what follows pytest on its line"
)
@click.option("--package", "packages", multiple=True, type=click.Choice(PACKAGES), help="look at these only")
@click.option("--least", type=float, default=LEAST, show_default=True, help="percent of each package")
def command(size: Size, tests: tuple[str, ...], packages: tuple[str, ...], least: float) -> Result:
    """Run the tests under coverage.py, and count lines and branches for each package.

    small: the codec by its own tests. nightly and release: everything, by all tests.
    """
    begun = time.monotonic()
    tests, packages = tests or SIZED[size][0], packages or SIZED[size][1]
    counts, told = measured(tests, packages)
    again = " ".join(
        ["python3 run.py reliability coverage", *(f"--tests {each}" for each in tests)]
        + [f"--package {each}" for each in packages]
    )
    violations = [
        f"saga/{name}: {count.percent:.1f} %, missing {'; '.join(count.missing)[:2000]}: {again}"
        for name, count in counts.items()
        if count.percent < least
    ]
    total = Count(sum(each.all for each in counts.values()), sum(each.taken for each in counts.values()), [])
    return Result(
        command="coverage",
        did=f"{total.all:,} lines and branches of {len(packages)} packages, by {' '.join(tests)}: {told}",
        goal=f"at least {least:g} % of each package",
        violations=violations,
        holds=not violations,
        seconds=time.monotonic() - begun,
        figures={
            **{name: f"{count.percent:.1f} % of {count.all:,}" for name, count in counts.items()},
            "all of them": f"{total.percent:.2f} %",
        },
    )


def measured(tests: Sequence[str], packages: Sequence[str]) -> tuple[dict[str, Count], str]:
    """Run tests, and return what they cover of each package, and what pytest has said last."""
    with tempfile.TemporaryDirectory(prefix="saga-coverage-") as home:
        environment = {**os.environ, "COVERAGE_FILE": str(Path(home) / "data")}
        line = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "300", *tests]
        ran = _coverage(["run", *line], environment)
        told = re.findall(r"^\d+ .* in [\d.]+s.*$", ran.stdout, re.MULTILINE)
        for failed in re.findall(r"^(?:FAILED|ERROR) .*$", ran.stdout, re.MULTILINE):
            click.echo(failed, err=True)  # being measured is slow, which some tests notice
        if not told:
            raise click.ClickException(f"the tests did not run: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")
        _coverage(["combine", "-q"], environment)
        report = Path(home) / "report.json"
        _coverage(["json", "-q", "-o", str(report)], environment)
        files = json.loads(report.read_text())["files"]
    return {name: counted(name, files) for name in packages}, told[-1]


def _coverage(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "coverage", *words]
    return subprocess.run(line, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def counted(package: str, files: dict[str, Any]) -> Count:
    """Return the count of one package; `files` is what coverage.py reports as JSON."""
    inside = (f"saga/{package}/", f"saga/{package}.py")
    taken = every = 0
    missing = []
    for path, file in sorted(files.items()):
        if not path.replace(os.sep, "/").startswith(inside):
            continue
        summary = file["summary"]
        every += summary["num_statements"] + summary["num_branches"]
        taken += summary["covered_lines"] + summary["covered_branches"]
        lines = [str(line) for line in file["missing_lines"]]
        lines += [f"{here}->{'end' if there < 0 else there}" for here, there in file["missing_branches"]]
        if lines:
            missing.append(f"{path} {', '.join(lines)}")
    return Count(every, taken, missing)
