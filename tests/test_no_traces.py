"""Nothing that is committed names the machine it was written on, or the host of a package registry.

An address of a registry in a lock file breaks the installation of everybody behind a mirror; a path of one
machine breaks it everywhere else. The patterns are written so that this file does not match itself.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

TRACES = {
    "host of a package registry": re.compile(
        r"pypi[.]org|pythonhosted[.]org|registry[.](npmjs|yarnpkg)|deb[.]debian|archive[.]ubuntu"
        r"|proxy[.]golang|crates[.]io|conda[.]anaconda",
        re.IGNORECASE,
    ),
    "address of a package index": re.compile(r"(extra-)?index-url[ =]|find-links[ =]|trusted-host[ =]"),
    "path of one machine": re.compile(r"(?<![\w.~/-])/(root|home|work|Users)/\w|[A-Za-z]:\\Users\\\w"),
    "folder outside the project": re.compile(r"[.]{2}/shared\b"),
}


def committed_files() -> Iterator[Path]:
    """List what git knows or would take; without git (an unpacked sdist), all but what starts with a dot."""
    line = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(line, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        inside = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        names = [str(path) for path in inside if not path.parts[0].startswith(".")]
    else:
        names = [name for name in listed.decode().split("\0") if name]
    yield from (ROOT / name for name in names if (ROOT / name).is_file())


def traces_in(text: str) -> list[str]:
    """Return the traces found in `text`, each with its line number."""
    return [
        f"{number}: {kind}: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for kind, pattern in TRACES.items()
        if (match := pattern.search(line))
    ]


def test_no_committed_file_names_a_registry_or_a_machine() -> None:
    found = []
    for path in committed_files():
        content = path.read_bytes()
        if b"\0" not in content:  # text
            name = path.relative_to(ROOT).as_posix()
            found += [f"{name}:{trace}" for trace in traces_in(content.decode("utf-8", "replace"))]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    "parts",
    [
        ("https://files.python", "hosted.org/packages/x.whl"),
        ("--index", "-url https://example.org/simple"),
        ("cd /ro", "ot/project"),
        ('path = "/ho', 'me/someone/project"'),
        ("../sha", "red/notes.md"),
    ],
)
def test_a_trace_is_found(parts: tuple[str, str]) -> None:
    assert traces_in("a line\n" + "".join(parts))[0].startswith("2: ")


@pytest.mark.parametrize(
    "text", ["https://example.org/home/page", "docs/work/plan.md", "~/work/x", "GET /orders/42", "/root"]
)
def test_what_only_looks_like_a_trace_is_left_alone(text: str) -> None:
    assert traces_in(text) == []
