"""What a benchmark finds, as data: the same for the terminal, for `--json` and for docs/performance.md.

A time means little on a machine that others use as well, so a figure carries *ratios*: to the floor, or to a peer, each
taken in the same run, one right after the other, pair by pair.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.goals import GOALS

__all__ = ["Figure", "Size", "pairs", "row"]

Size = Literal["tiny", "quick", "full"]
"""`tiny` is for the tests, `quick` for every change, `full` is what docs/performance.md shows."""


@dataclass(frozen=True)
class Figure:
    """One name with what was measured for it, once in each repeat."""

    name: str
    values: Sequence[float]
    unit: str
    better: Literal["higher", "lower"]
    ratios: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Name of another figure, and this one as a multiple of it, once in each repeat."""
    note: str = ""
    """What a reader must know about it, in half a line."""


def pairs(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return each of ours as a multiple of the other that was measured beside it."""
    return [one / other for one, other in zip(ours, others, strict=True)]


def row(figure: Figure) -> dict[str, Any]:
    """Return a figure as it stands in `--json`: medians, lowest and highest, and whether its goals are reached."""
    found: dict[str, Any] = {"name": figure.name, **_spread(figure.values)}
    found |= {"unit": figure.unit, "better": figure.better, "repeats": len(figure.values)}
    if figure.ratios:
        found["ratios"] = {to: _spread(values) for to, values in figure.ratios.items()}
    if figure.note:
        found["note"] = figure.note
    goals = GOALS.get(figure.name, ())
    if goals:
        found["goal"] = " and ".join(map(str, goals))
        found["reached"] = all(goal.reached_by(found) for goal in goals)
    return found


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": _short(statistics.median(values)),
        "lowest": _short(min(values)),
        "highest": _short(max(values)),
    }


def _short(value: float) -> float:
    """Three decimals, and for what is below one three digits that say something."""
    return round(value, 3) if abs(value) >= 1 else float(f"{value:.3g}")
