"""All families of figures: a module each, which is imported when it is asked for.

A module has `FIGURES`, the names it finds, and `measure(size)`, which returns a `Figure` for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from benchmarks.figures import Figure, Size

__all__ = ["FAMILIES", "Family", "chosen"]


class Family(NamedTuple):
    """Figures that are taken together."""

    name: str
    what: str
    module: str
    quick: bool = True
    """Whether it is part of a quick run."""

    def figures(self) -> Sequence[str]:
        """Return the names of what it finds."""
        found: Sequence[str] = self._module().FIGURES
        return found

    def measure(self, size: Size) -> list[Figure]:
        """Take the figures."""
        found: Callable[[Size], list[Figure]] = self._module().measure
        return found(size)

    def _module(self) -> Any:
        return import_module(f"benchmarks.{self.module}")


FAMILIES = (
    Family("throughput", "sagas per second, all started at once, beside the floor", "throughput"),
    Family("latency", "one saga at a time, by turns with the floor", "latency"),
    Family("busy", "beside a thread that computes without pause", "busy_process"),
    Family("async", "calls per second of an async gateway", "async_calls"),
    Family("each", "one saga with many items", "items"),
    Family("fortnight", "fourteen days of waiting in virtual time", "fortnight"),
    Family("recovery", "after kill -9, with many sagas in flight", "recovery"),
    Family("dormant", "very many sagas asleep", "dormant"),
    Family("growth", "throughput with very many rows behind it", "growth"),
    Family("footprint", "bytes on disk, time to import, megabytes to install", "footprint"),
    Family("events", "a delivery of events to five subscribers, checked one by one", "events", quick=False),
)


def chosen(names: Sequence[str], *, quick: bool) -> list[Family]:
    """Return the families that `names` ask for, by their names or those of figures; without names those of a run.

    Raises ValueError for a name that there is not.
    """
    if not names:
        return [each for each in FAMILIES if each.quick or not quick]
    found = []
    for name in names:
        family = next((each for each in FAMILIES if each.name == name or name in each.figures()), None)
        if family is None:
            known = ", ".join(each.name for each in FAMILIES)
            raise ValueError(f"there is no figure and no family {name!r}; families are {known}")
        if family not in found:
            found.append(family)
    return found
