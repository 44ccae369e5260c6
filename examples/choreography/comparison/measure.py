"""Makes the change in a copy of each variant, checks the business before and after it, and counts.

Before and after work on the same store: what was settled before the change must not be touched by it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from examples.choreography.comparison.difference import Change, differences
from examples.choreography.comparison.in_flight import KILLED, Fate
from examples.choreography.comparison.patches import apply_patch

__all__ = ["CheckFailed", "Measured", "contexts_in", "measure"]

CHOREOGRAPHY = Path(__file__).parent.parent
CHANGE = CHOREOGRAPHY / "change"
LONGEST_S = 120.0


class CheckFailed(Exception):
    """The business is not as it must be, before the change or after it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A variant, its change, and what came of it."""

    variant: str
    contexts: tuple[str, ...]
    """All there are."""
    changes: tuple[Change, ...]
    fate: Fate
    """Of an order that was under way when the change was made."""
    more: tuple[Change, ...] = ()
    """What had to be changed beside that, for such orders to be finished by the old rule; empty: nothing is known."""
    fate_then: Fate | None = None

    @property
    def touched(self) -> tuple[str, ...]:
        """The contexts that were changed."""
        return contexts_in(self.contexts, self.changes)


def contexts_in(contexts: Sequence[str], changes: Sequence[Change]) -> tuple[str, ...]:
    """Return those of the contexts that are changed."""
    return tuple(name for name in contexts if any(change.path.startswith(f"{name}/") for change in changes))


def measure(variant: str, folder: Path, patch: Path | None = None) -> Measured:
    """Change a variant in a copy below `folder`; return what there is to say. Raises CheckFailed, PatchFailed.

    `patch`: the change, None for the one of this variant. The store that both checks have used is left in
    `folder / "store"`.
    """
    patch = patch or CHANGE / f"{variant}.patch"
    before, after = _copy(folder / "before"), _copy(folder / "after", patch)
    store, other, another = (folder / name for name in ("store", "in-flight", "in-flight-too"))
    _run(before, "check", variant, store, "payment-first", "before")
    _run(after, "check", variant, store, "payment-first", "before", "goods-first", "after")
    for each in (other, another):
        _run(before, "in_flight", "place", variant, each, expect=KILLED)
    contexts = tuple(sorted(path.parent.name for path in (CHOREOGRAPHY / variant).glob("*/context.py")))
    measured = Measured(variant, contexts, _changes(variant, before, after), _look(after, variant, other))
    more = CHANGE / f"{variant}_in_flight.patch"
    if not more.exists():
        return measured
    kept = _copy(folder / "kept", patch, more)
    _run(kept, "check", variant, store, "payment-first", "before", "goods-first", "kept")
    return replace(measured, more=_changes(variant, after, kept), fate_then=_look(kept, variant, another))


def _look(root: Path, variant: str, store: Path) -> Fate:
    return Fate(**json.loads(_run(root, "in_flight", "look", variant, store)))


def _changes(variant: str, old: Path, new: Path) -> tuple[Change, ...]:
    return tuple(differences(*(root / "examples" / "choreography" / variant for root in (old, new))))


def _copy(root: Path, *patches: Path) -> Path:
    """Copy this example to `root`, and change it there; return `root`."""
    target = root / "examples"
    shutil.copytree(CHOREOGRAPHY, target / "choreography", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHOREOGRAPHY.parent / "__init__.py", target)
    for patch in patches:
        apply_patch(patch.read_text(encoding="utf-8"), target / "choreography")
    return root


def _run(root: Path, module: str, *words: str | Path, expect: int = 0) -> str:
    """Run a module of the copy in `root`; return what it said. Raises CheckFailed when it ends otherwise."""
    line: Sequence[str] = ["-m", f"examples.choreography.comparison.{module}", *map(str, words)]
    done = subprocess.run(
        [sys.executable, *line], cwd=root, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    if done.returncode != expect:
        raise CheckFailed(f"{' '.join(line)}, {root.name} the change:\n{done.stdout}{done.stderr}")
    return done.stdout
