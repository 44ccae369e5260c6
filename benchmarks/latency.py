"""How long one saga takes when it is alone, from `start` to its outcome; by turns with the floor's same commits."""

from __future__ import annotations

from benchmarks.figures import Figure, Size, pairs
from benchmarks.floor import record, written
from benchmarks.measure import KINDS, fresh_directory, latencies_ms
from benchmarks.progress import say

__all__ = ["FIGURES", "measure"]

FIGURES = ("latency.p50", "latency.p99", "floor.latency")
SIZES: dict[Size, tuple[int, int]] = {"tiny": (20, 1), "quick": (300, 3), "full": (1_000, 7)}
"""Sagas, repeats."""


def measure(size: Size) -> list[Figure]:
    sagas, repeats = SIZES[size]
    kind = KINDS["gateways"]
    with fresh_directory() as directory:
        recorded = record(directory, kind, sagas)
    p50, p99, floor = [], [], []
    for number in range(repeats):
        say(f"latency {number + 1}/{repeats}")
        with fresh_directory() as directory:
            both = [*zip(written(directory, recorded, 1), latencies_ms(kind, sagas), strict=True)]
        floor.append(percentile([seconds * 1000 for seconds, _ in both], 50))
        p50.append(percentile([ms for _, ms in both], 50))
        p99.append(percentile([ms for _, ms in both], 99))
    return [
        Figure("latency.p50", p50, "ms", "lower", {"floor.latency": pairs(p50, floor)}),
        Figure("latency.p99", p99, "ms", "lower", {"latency.p50": pairs(p99, p50)}),
        Figure("floor.latency", floor, "ms", "lower", note="p50: four commits, one after the other"),
    ]


def percentile(found: list[float], percent: int) -> float:
    """Return the value that so many of a hundred in `found` are not above."""
    return sorted(found)[min(len(found) * percent // 100, len(found) - 1)]
