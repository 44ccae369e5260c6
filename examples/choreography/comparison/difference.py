"""What is different between two folders: computed from the files, not from the patch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Change", "differences"]


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is different. `lines`: those of its unified diff, without line ends."""

    path: str
    lines: tuple[str, ...]

    @property
    def added(self) -> int:
        """How many lines there are now that were not."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """How many lines there were that are not now."""
        return sum(line.startswith("-") for line in self.lines)


def differences(before: Path, after: Path) -> list[Change]:
    """Return the files that are different, also those that are in one of the folders only, by name."""
    names = {path.relative_to(root).as_posix() for root in (before, after) for path in root.rglob("*.py")}
    changes = [Change(name, _diff(before / name, after / name)) for name in sorted(names)]
    return [change for change in changes if change.lines]


def _diff(before: Path, after: Path) -> tuple[str, ...]:
    old, new = (
        path.read_text(encoding="utf-8").splitlines() if path.exists() else [] for path in (before, after)
    )
    return tuple(difflib.unified_diff(old, new, lineterm="", n=1))[2:]  # without the two lines of names
