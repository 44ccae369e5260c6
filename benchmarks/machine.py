"""What the figures were taken on, in the words of a head line."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sysconfig
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

__all__ = ["describe", "head_line"]


def describe() -> dict[str, str]:
    """Return machine, versions and date, by name."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {_build()}",
        "sqlite": sqlite3.sqlite_version,
        "saga": metadata.version("saga-actors"),
        "commit": _commit(),
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "load": f"{os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else "unknown",
    }


def head_line(found: dict[str, str]) -> str:
    """Return it all in a line or two, for a person."""
    return (
        f"{found['python']}; SQLite {found['sqlite']}, synchronous=FULL;"
        f" {found['cores']} cores, {found['processor']}; load {found['load']}"
    )


def _build() -> str:
    """Say whether this Python was built with a profile: one that was not takes a third more of the processor's time."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS")
    if arguments is None:
        return "build unknown"
    return "with PGO" if "--enable-optimizations" in arguments else "built without PGO"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    line = ["git", "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
