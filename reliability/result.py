"""What a command has found, as data: the same for a person, for the table in docs/reliability.md, and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["SIZES", "Result", "Size"]

Size = Literal["small", "nightly", "release"]
SIZES = ("small", "nightly", "release")
"""`small` is for every change, in seconds; `nightly` for minutes; `release` is what docs/reliability.md shows."""


@dataclass(frozen=True)
class Result:
    """What one run of a command came to."""

    command: str
    """Its name, as in `reliability.__main__.COMMANDS`."""
    did: str
    """What was done, in a few words with figures, such as "20,000 seeds from 0, 61,234 crashes"."""
    goal: str
    """What must come of it, such as "0 violations"."""
    violations: list[str]
    """What went wrong, one line each, with the command line that shows it again; empty when all is well."""
    holds: bool
    """Whether the goal was reached. Never true with violations."""
    seconds: float
    figures: dict[str, int | float | str] = field(default_factory=dict)
    """Counts, seeds and rates, by name."""

    def __post_init__(self) -> None:
        if self.holds and self.violations:
            raise ValueError(f"{self.command} cannot hold with {len(self.violations)} violations")
