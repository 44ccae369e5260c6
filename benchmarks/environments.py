"""Environments of their own, for what must not be in ours: peers, and the library alone.

They are kept below `.bench-peers`, which git ignores, so that a second run installs nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "CACHE",
    "NotInstalled",
    "fresh_environment",
    "install",
    "kept_environment",
    "python_in",
    "site_mb",
]

CACHE = Path(".bench-peers").absolute()
STAMP = "bench.json"
"""In an environment: what was installed into it; written last."""

LIMIT_S = 600


class NotInstalled(Exception):
    """Something cannot be installed here; the text says why, in one line."""


def python_in(environment: Path) -> Path:
    """Return the Python of an environment."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def kept_environment(name: str, interpreter: str, packages: Sequence[str]) -> Path:
    """Return an environment that has these packages; it is made when it is not there, or has others."""
    environment = CACHE / name
    wanted = json.dumps([interpreter, *packages])
    stamp = environment / STAMP
    if not stamp.exists() or stamp.read_text() != wanted:
        fresh_environment(environment, interpreter)
        install(environment, packages)
        stamp.write_text(wanted)
    return environment


def fresh_environment(environment: Path, interpreter: str) -> None:
    """Make an empty environment, in place of what was there."""
    shutil.rmtree(environment, ignore_errors=True)
    environment.parent.mkdir(parents=True, exist_ok=True)
    _run([interpreter, "-m", "venv", str(environment)], "no environment could be made")


def install(environment: Path, packages: Sequence[str], *, constraints: str = "") -> None:
    """Install packages with pip. Raises NotInstalled."""
    line = [str(python_in(environment)), "-m", "pip", "install", "--quiet", "--no-input"]
    line += ["-c", constraints] if constraints else []
    _run([*line, *packages], f"pip could not install {' '.join(packages)}")


def site_mb(environment: Path) -> float:
    """Return the size of all files that are installed in an environment, in megabytes."""
    return sum(path.stat().st_size for path in environment.rglob("*") if path.is_file()) / 1e6


def _run(line: list[str], failure: str) -> None:
    env = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        done = subprocess.run(line, env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{failure}: {error}") from error
    if done.returncode != 0:
        said = [text for text in (done.stderr or done.stdout).splitlines() if text.strip()]
        raise NotInstalled(f"{failure}: {said[-1].strip() if said else done.returncode}")
