"""`reliability mutants`: the pure core is changed in small ways, one at a time; the tests must notice.

mutmut makes the mutants and runs, in a forked process for each, the tests that come to the function it has changed. It
works in a copy of the project. Functions and methods are changed, not class bodies, and nothing at import.

What does not count: a mutant that changes nothing but the wording of a text for people (`words`): a string with a blank
in it, as messages and reasons have. Tests hold on to what is said where it matters, and to no more. A mutant that the
type checker refuses counts as noticed with `--types`: no change gets past `run.py lint`.
"""

from __future__ import annotations

import ast
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from random import Random

import click

from reliability.result import SIZES, Result, Size

__all__ = ["Mutant", "command", "mutants_in", "only_words", "verdict", "within"]

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (
    "saga", "tests", "reliability", "examples", "benchmarks", "docs", "run.py", "README.md", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE", "constraints.txt", "pyproject.toml",
)  # fmt: skip
CORE: dict[str, tuple[str, ...]] = {
    "messages": ("tests/codec", "tests/flow"),
    "codec": ("tests/codec",),
    "flow": ("tests/flow",),
    "machine": ("tests/machine",),
}
"""Package → where its tests are."""
SLOW = (
    "tests/codec/test_codec_random.py",
    "tests/flow/test_random_flows.py",
    "tests/machine/test_forty_elements.py",
    "tests/machine/test_properties.py",
)
"""Tests that take seconds each and would be run for nearly every mutant."""
FRAMES = ("saga/flow/saga.py",)
"""What looks at the frame of its caller, which for mutmut is a function of its own."""
SAMPLE: dict[Size, int] = {"small": 40, "nightly": 400, "release": 2_000}
LEAST = 90.0
FRESH = '''"""Forgets what was worked out by unchanged code: mutmut forks a process that has run all tests once."""

import sys

import pytest


def pytest_runtest_setup(item):
    from saga.codec import type_codec

    type_codec._codecs.clear()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config):
    for name in [name for name in sys.modules if name.rpartition(".")[2].startswith("test_")]:
        del sys.modules[name]
'''
"""A plugin of pytest for the copy: what is cached by type, and the classes that test modules define when imported."""


@dataclass(frozen=True)
class Mutant:
    """One change: its name, the package it is in, what came of it, and whether only words were changed."""

    name: str
    package: str
    verdict: str
    words: bool
    diff: str


@click.command()
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--sample", type=click.IntRange(0), help="how many of all mutants, drawn by the seed; 0: all")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--package", "packages", multiple=True, type=click.Choice(list(CORE)), help="only of this one")
@click.option("--name", "names", multiple=True, help="only these mutants, by the name that a run has told")
@click.option(
    "--out", type=click.Path(path_type=Path), help="a file for the diffs of those that were not noticed"
)
@click.option("--jobs", type=click.IntRange(1), help="processes; as many as there are processors")
@click.option("--types", is_flag=True, help="let mypy look at them first, which takes minutes")
@click.option("--least", type=float, default=LEAST, show_default=True, help="percent that must be noticed")
def command(
    size: Size,
    sample: int | None,
    seed: int,
    packages: tuple[str, ...],
    names: tuple[str, ...],
    out: Path | None,
    jobs: int | None,
    types: bool,
    least: float,
) -> Result:
    """Change the core, and run its tests. small: 40 mutants of the codec. release: 2,000 of the whole core."""
    begun = time.monotonic()
    packages = packages or (("codec",) if size == "small" else tuple(CORE))
    sample = SAMPLE[size] if sample is None else sample
    with tempfile.TemporaryDirectory(prefix="saga-mutants-") as home:
        found = _made_and_tried(Path(home), packages, sample, seed, names, jobs or os.cpu_count() or 1, types)
    counted = [each for each in found if not each.words]
    left = [each for each in counted if not _noticed(each)]
    noticed = len(counted) - len(left)
    share = 100 * noticed / len(counted) if counted else 100.0
    low, high = within(noticed, len(counted))
    if out is not None:
        out.write_text("\n".join(f"{each.name}: {each.verdict}\n{each.diff}" for each in left))
    holds = share >= least
    again = "python3 run.py reliability mutants --package"
    return Result(
        command="mutants",
        did=f"{len(counted):,} mutants of {', '.join(packages)}"
        + (f", drawn with seed {seed}" if sample and not names else ""),
        goal=f"at least {least:g} % are noticed",
        violations=[]
        if holds
        else [f"{each.name}: {again} {each.package} --name {each.name}" for each in left],
        holds=holds,
        seconds=time.monotonic() - begun,
        figures={
            "noticed": f"{share:.1f} % (95 % of the time within {low:.1f} and {high:.1f})",
            **{
                name: f"{sum(map(_noticed, of))} of {len(of)}"
                for name in packages
                if (of := [each for each in counted if each.package == name])
            },
            **Counter(each.verdict for each in counted),
            "only words, not counted": len(found) - len(counted),
        },
    )


def _noticed(mutant: Mutant) -> bool:
    return mutant.verdict not in ("survived", "no tests", "not checked", "suspicious")


def within(some: int, every: int) -> tuple[float, float]:
    """Return the interval of Wilson (95 %) for a share that was found in a sample, in percent."""
    if not every:
        return 0.0, 100.0
    z, p = 1.96, some / every
    middle = p + z * z / (2 * every)
    spread = z * math.sqrt(p * (1 - p) / every + z * z / (4 * every * every))
    return tuple(100 * (middle + side) / (1 + z * z / every) for side in (-spread, spread))  # type: ignore[return-value]


# --- mutmut -------------------------------------------------------------------------------------------


def _made_and_tried(
    home: Path,
    packages: tuple[str, ...],
    sample: int,
    seed: int,
    names: tuple[str, ...],
    jobs: int,
    types: bool,
) -> list[Mutant]:
    for name in NEEDED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, home / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, home / name)
    (home / "fresh.py").write_text(FRESH)
    with (home / "pyproject.toml").open("a") as project:
        project.write(_settings(packages, types))
    _mutmut(home, ["nothing.at.all"], jobs)
    chosen = list(names)
    if not chosen and sample:
        every = sorted(each.name for each in mutants_in(home, packages))
        chosen = sorted(Random(seed).sample(every, min(sample, len(every))))
    said = _mutmut(home, chosen, jobs)
    found = [each for each in mutants_in(home, packages) if not chosen or each.name in {*chosen}]
    if all(each.verdict == "not checked" for each in found):
        raise click.ClickException(f"mutmut has not tried any of them: {said[-3000:]}")
    return found


def _settings(packages: tuple[str, ...], types: bool) -> str:
    sources = [f"saga/{name}.py" if name == "messages" else f"saga/{name}/*" for name in packages]
    tests = sorted({path for name in packages for path in CORE[name]})
    settings = {
        "source_paths": ["saga/"],
        "only_mutate": sources,
        "do_not_mutate": list(FRAMES),
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": [
            "-p",
            "no:cacheprovider",
            "-p",
            "fresh",
            *(word for path in SLOW for word in ("--deselect", path)),
        ],
        "also_copy": ["fresh.py", *(name for name in NEEDED if name not in ("saga", "pyproject.toml"))],
        "type_check_command": ["mypy", "--strict", "--output", "json", *sources] if types else [],
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items() if value]
    return "\n".join(["", "[tool.mutmut]", *lines, ""])


def _mutmut(home: Path, names: list[str], jobs: int) -> str:
    """Run it for these mutants, or for all, and return what it says; what it finds is in files of its own."""
    line = [sys.executable, "-m", "mutmut", "run", "--max-children", str(jobs), *names]
    ran = subprocess.run(line, cwd=home, capture_output=True, text=True, check=False)
    if not (home / "mutants" / "mutmut-stats.json").exists():
        raise click.ClickException(f"mutmut did not run: {ran.stdout[-3000:]}{ran.stderr[-3000:]}")
    return ran.stdout + ran.stderr


VERDICTS = {
    0: "survived",
    1: "failed",
    2: "failed",
    3: "failed",
    5: "no tests",
    33: "no tests",
    37: "refused by mypy",
}
TIMEOUTS = (24, -24, 36, 152, 255)
CRASHES = (-6, -9, -11)


def verdict(exit_code: int | None) -> str:
    """Return what the exit code of a mutant's process means, as mutmut has it."""
    if exit_code in TIMEOUTS:
        return "took too long"
    if exit_code in CRASHES:
        return "crashed"
    return "not checked" if exit_code is None else VERDICTS.get(exit_code, "suspicious")


def mutants_in(home: Path, packages: tuple[str, ...]) -> list[Mutant]:
    """Return the mutants that were made in a copy, with what has come of them so far."""
    found = []
    for package in packages:
        for meta in sorted((home / "mutants" / "saga").glob(f"{package}*/**/*.meta")) + sorted(
            (home / "mutants" / "saga").glob(f"{package}.py.meta")
        ):
            codes = json.loads(meta.read_text())["exit_code_by_key"]
            functions = _functions(meta.with_suffix("").read_text())
            for name, code in codes.items():
                changed = functions[name.rpartition(".")[2]]
                before = functions[f"{name.rpartition('.')[2].rpartition('__mutmut_')[0]}__mutmut_orig"]
                words = only_words(before, changed)
                found.append(Mutant(name, package, verdict(code), words, _diff(before, changed)))
    return found


def _functions(source: str) -> dict[str, ast.AST]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)}


def only_words(before: ast.AST, after: ast.AST) -> bool:
    """Say whether two functions differ in nothing but the wording of strings with a blank in them."""
    differ = False
    for one, other in zip(_parts(before), _parts(after), strict=False):
        if one == other:
            continue
        if not (isinstance(one, str) and isinstance(other, str) and " " in one.strip()):
            return False
        differ = True
    return differ and len(list(_parts(before))) == len(list(_parts(after)))


def _parts(function: ast.AST) -> Iterator[object]:
    """Yield all there is in a function but its name: kinds of nodes, names and constants, in order."""
    for node in ast.walk(function):
        yield type(node)
        for name, value in ast.iter_fields(node):
            if node is not function and not isinstance(value, ast.AST | list):
                yield value if name == "value" else (name, value)


def _diff(before: ast.AST, after: ast.AST) -> str:
    one, other = ast.unparse(before).splitlines()[1:], ast.unparse(after).splitlines()[1:]
    lines = unified_diff(one, other, n=0, lineterm="")
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++"))
