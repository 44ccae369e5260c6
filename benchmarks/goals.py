"""What is to be reached, by the name of the figure: of its median, or of its ratio to another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["GOALS", "OURS", "Goal"]

OURS = "ours"
"""In the row of a peer: ours as a multiple of it."""


@dataclass(frozen=True)
class Goal:
    """A limit, which is itself good enough."""

    kind: Literal["at least", "at most"]
    limit: float
    of: str = ""
    """Name of the figure that the ratio is to; "" for the median itself."""

    def __str__(self) -> str:
        sign = "≥" if self.kind == "at least" else "≤"
        if self.of == OURS:
            return f"ours {sign} {self.limit:g} of it"
        return f"{sign} {self.limit:g} of {self.of}" if self.of else f"{sign} {self.limit:,g}"

    def reached_by(self, row: Mapping[str, Any]) -> bool:
        """Say whether a row of `figures.row` is good enough; without the ratio that is asked for, it is not."""
        found = row.get("ratios", {}).get(self.of) if self.of else row
        if found is None:
            return False
        median: float = found["median"]
        return median >= self.limit if self.kind == "at least" else median <= self.limit


def _at_least(limit: float, of: str = "") -> Goal:
    return Goal("at least", limit, of)


def _at_most(limit: float, of: str = "") -> Goal:
    return Goal("at most", limit, of)


GOALS: dict[str, tuple[Goal, ...]] = {
    "throughput.gateways": (_at_least(10_000), _at_least(0.4, "floor.gateways")),
    "throughput.contexts": (_at_least(5_500), _at_least(0.45, "floor.contexts")),
    "throughput.compensated": (_at_least(0.85, "throughput.contexts"),),
    "latency.p50": (_at_most(1.6, "floor.latency"),),
    "latency.p99": (_at_most(4, "latency.p50"),),
    "throughput.busy_process": (_at_least(1_500),),
    "recovery.first_s": (_at_most(3),),
    "recovery.all_s": (_at_most(15),),
    "dormant.start_s": (_at_most(2),),
    "dormant.rss_mb": (_at_most(150),),
    "dormant.late_ms": (_at_most(20),),
    "growth.ratio": (_at_least(0.85),),
    "gateway.async_calls": (_at_least(8_000),),
    "bytes.per_saga": (_at_most(900),),
    "import.ms": (_at_most(150),),
    "install.mb": (_at_most(12),),
    "each.seconds": (_at_most(1),),
    "virtual.fortnight": (_at_most(50),),
    "events.seconds": (_at_most(60),),
    "peers.dbos.throughput": (_at_least(100, OURS),),
    "peers.dbos.latency": (_at_most(0.2, OURS),),
    "peers.best.throughput": (_at_least(20, OURS),),
}
"""For two cores, CPython 3.11, `synchronous=FULL`."""
