"""The points at which a crash is tested. Off, each costs one look at a module-level name.

A test sets `hook`, which is called with the name of every seam that is passed: before and after each commit, between
commit and dispatch, between a context's commit and its answer, during recovery, while a store is copied, and
while what is over is let go of. `NAMES` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["NAMES", "seam"]

NAMES = (
    "coordinator.before-commit",
    "coordinator.after-commit",
    "coordinator.after-dispatch",
    "context.before-commit",
    "context.after-commit",
    "context.after-answer",
    "gateway.before-call",
    "gateway.after-call",
    "gateway.after-answer",
    "recovery.opened",
    "recovery.recalled",
    "recovery.timers-fired",
    "recovery.sent-again",
    "copy.file-written",
    "copy.before-rename",
    "copy.after-rename",
    "prune.answers-forgotten",
    "prune.sagas-let-go",
)

hook: Callable[[str], None] | None = None
"""Called with the name of each seam; set by tests only."""


def seam(name: str) -> None:
    """Pass the seam of this name."""
    if hook is not None:
        hook(name)
