"""The points at which a crash is tested. Off, each costs one look at a module-level name.

A test sets `hook`, which is called with the name of every seam that is passed: before and after each commit and each
other change of a file, between the steps of opening, recovering and closing, between commit and dispatch, before an
answer leaves. There is no list of them: `reliability.crash.points` reads the names from the calls, all literals.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["seam"]

hook: Callable[[str], None] | None = None
"""Called with the name of each seam; set by tests only."""


def seam(name: str) -> None:
    """Pass the seam of this name."""
    if hook is not None:
        hook(name)
