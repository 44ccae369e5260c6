"""Writes figures: a line each for a person, and the tables of docs/performance.md.

The tables stand between pairs of markers and are made from what `--json` wrote, so that no figure there is typed by
hand. What stands around the markers is written by hand, and stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import OURS
from benchmarks.machine import head_line

__all__ = ["publish", "shown", "shown_profile"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
Row = Mapping[str, Any]

GROUPS: dict[str, tuple[str, ...]] = {
    "throughput": ("throughput.", "floor.", "yardstick.", "ratio.", "latency."),
    "recovery": ("recovery.", "dormant.", "growth.", "gateway."),
    "footprint": ("bytes.", "import.", "install.", "each.", "virtual.", "events."),
    "peers": ("peers.",),
}
"""Table of the page: what the names of its figures begin with."""


def shown(row: Row) -> str:
    """Return a figure as a line of text."""
    spread = f"({_number(row['lowest'])} to {_number(row['highest'])})" if row["repeats"] > 1 else ""
    line = f"{row['name']:32} {_number(row['median']):>12} {row['unit']:18} {spread}"
    for to, ratio in row.get("ratios", {}).items():
        line += f"\n{'':32} {_ratio(to, ratio)}"
    if "goal" in row:
        line += f"\n{'':45} goal {row['goal']}: {'reached' if row['reached'] else 'NOT reached'}"
    return line.rstrip()


def publish(found: Mapping[str, Any], page: Path = PAGE) -> None:
    """Put tables made of `found`, the content of a `--json` file, into the page. What it has no figures of stays."""
    text = page.read_text()
    for group, prefixes in GROUPS.items():
        rows = [row for row in found["results"] if row["name"].startswith(prefixes)]
        if rows:
            tables = [_caption(found), _table(rows)]
            if group == "peers":
                tables.append(_guarantees(found["peers"]))
            text = _between(text, group, "\n\n".join(tables))
    if found.get("profile"):
        text = _between(text, "profile", f"{_caption(found)}\n\n{shown_profile(found['profile'])}")
    page.write_text(text)


def shown_profile(profile: Mapping[str, Any]) -> str:
    """Return shares by part as a table in Markdown, a column for each load; or why there are none."""
    if "missing" in profile:
        return f"No profile: {profile['missing']}"
    loads: Mapping[str, Row] = profile["shares"]
    parts: Counter[str] = Counter()
    for each in loads.values():
        parts.update(each["parts"])
    lines = [f"| part | {' | '.join(loads)} |", "|---" * (1 + len(loads)) + "|"]
    for part, _ in parts.most_common():
        shares = " | ".join(f"{each['parts'].get(part, 0):.0%}" for each in loads.values())
        lines.append(f"| {part} | {shares} |")
    for name, title in (("cpu_us", "processor's time a saga, µs"), ("cores", "cores that were busy")):
        lines.append(f"| **{title}** | {' | '.join(_number(each[name]) for each in loads.values())} |")
    return "\n".join(lines)


def _between(text: str, group: str, table: str) -> str:
    begin, end = f"<!-- {group}: written by `run.py bench --publish` -->", f"<!-- end of {group} -->"
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(
            f"the page has not both markers, {begin!r} and {end!r}, so there is no place for figures"
        )
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def _caption(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    size = "" if found["size"] == "full" else f" ({found['size']} run)"
    return f"Taken on {machine['date']} at commit {machine['commit']}{size}: {head_line(machine)}."


def _table(rows: Iterable[Row]) -> str:
    lines = ["| figure | median | lowest to highest | beside it | goal |", "|---|---|---|---|---|"]
    for row in rows:
        name = f"`{row['name']}`" + (f": {row['note']}" if row.get("note") else "")
        spread = f"{_number(row['lowest'])} to {_number(row['highest'])}" if row["repeats"] > 1 else "once"
        ratios = "; ".join(_ratio(to, each) for to, each in row.get("ratios", {}).items())
        goal = f"{row['goal']}: {'reached' if row['reached'] else '**missed**'}" if "goal" in row else ""
        lines.append(f"| {name} | {_number(row['median'])} {row['unit']} | {spread} | {ratios} | {goal} |")
    return "\n".join(lines)


def _guarantees(peers: Sequence[Row]) -> str:
    lines = ["| peer | what is on disk, and when | in this run |", "|---|---|---|"]
    for peer in peers:
        how = f"not measured: {peer['missing']}" if "missing" in peer else peer["how"]
        lines.append(f"| {peer['title']} | {peer['durability']} | {how} |")
    return "\n".join(lines)


def _ratio(to: str, ratio: Row) -> str:
    spread = f"({_number(ratio['lowest'])} to {_number(ratio['highest'])})"
    median = _number(ratio["median"])
    return f"ours is {median} of this {spread}" if to == OURS else f"{median} of `{to}` {spread}"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.3g}"
