"""Writes results: for a person, and into docs/reliability.md.

The table in docs/reliability.md stands between two markers and is made anew from docs/reliability.json, which holds the
last recorded result of each command. What stands around the markers is written by hand, and stays.
"""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reliability.result import Result

__all__ = ["record", "render", "shown"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- results: written by `run.py reliability --record` -->", "<!-- end of results -->"
SHOWN = 20
"""Violations that are printed; the count tells how many there are."""


def shown(result: Result) -> str:
    """Return a result as text: what was done, the figures, the first violations."""
    verdict = "holds" if result.holds else "DOES NOT HOLD"
    lines = [f"{result.command}: {result.did}", f"  goal: {result.goal}: {verdict} ({result.seconds:,.1f} s)"]
    lines += [f"  {name}: {_figure(value)}" for name, value in result.figures.items()]
    lines += [f"  ! {violation}" for violation in result.violations[:SHOWN]]
    if len(result.violations) > SHOWN:
        lines.append(f"  ! and {len(result.violations) - SHOWN:,} more")
    return "\n".join(lines)


def record(result: Result, arguments: list[str], docs: Path = DOCS) -> None:
    """Keep a result as the last one of its command, and write the table anew."""
    path = docs / "reliability.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept[result.command] = {
        **asdict(result),
        "violations": len(result.violations),
        "seconds": round(result.seconds, 1),
        "date": datetime.now(UTC).date().isoformat(),
        "line": " ".join(["python3 run.py reliability", *(word for word in arguments if word != "--record")]),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "commit": _commit(),
    }
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    page = docs / "reliability.md"
    before, found, rest = page.read_text().partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(
            f"{page} has not both markers, {BEGIN!r} and {END!r}, so there is no place for results"
        )
    page.write_text(f"{before}{BEGIN}\n\n{render(kept)}\n\n{END}{after}")


def render(kept: dict[str, Any]) -> str:
    """Return kept results as a table in Markdown, in the order of the commands' names, with their figures below it."""
    rows = [
        "| command | what was done | goal | result | violations | took | on |",
        "|---|---|---|---|---|---|---|",
    ]
    details = []
    for name, each in sorted(kept.items()):
        verdict = "holds" if each["holds"] else "**does not hold**"
        rows.append(
            f"| `{name}` | {each['did']} | {each['goal']} | {verdict} | {each['violations']:,} "
            f"| {each['seconds']:,.0f} s | {each['date']} |"
        )
        figures = "; ".join(f"{key} {_figure(value)}" for key, value in each["figures"].items())
        where = f"Python {each['python']}, SQLite {each['sqlite']}, commit {each['commit']}"
        details.append(f"- `{each['line']}` ({where}){': ' + figures if figures else ''}")
    return "\n".join([*rows, "", *details])


def _figure(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,}"


def _commit() -> str:
    line = ["git", "rev-parse", "--short", "HEAD"]
    try:
        found = subprocess.run(line, capture_output=True, text=True, check=True, cwd=DOCS)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
