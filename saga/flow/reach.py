"""What can be reached in a graph: one search, used by the compiler and by the rules of the pivot."""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["reach"]


def reach(entries: Iterable[str], targets: Callable[[str], Iterable[str]]) -> set[str]:
    """Return `entries` and all that is reached from them; `targets` tells where a node leads."""
    found = set(entries)
    waiting = list(found)
    while waiting:
        new = set(targets(waiting.pop())) - found
        found |= new
        waiting.extend(new)
    return found
