"""Where the flow goes on, and where it stops: what stands behind something that the flow never leaves is never reached.

Rules
1. A `refuse`, an `end` and an `again` are never left; nor is a choice, race or scope of which every way ends so, nor a
   parallel of which one branch does, since the others would wait for it.
2. An `end` completes the scope around it, so the flow goes on behind that; so it does behind an `each`, which may have
   no items. What happens beside something (`every`, `whenever`) leads nowhere.
"""

from __future__ import annotations

from saga.flow.blocks import Again, Each, End, Parallel, Refuse, Repeat, Scope
from saga.flow.elements import Task, Wait
from saga.flow.parts import Part, Role

__all__ = ["goes_on", "stop_in"]

ON, ENDS = "on", "ends the scope"


def goes_on(part: Part) -> bool:
    """Return whether the flow may go on behind `part`."""
    return ON in _ways(part)


def stop_in(part: Part) -> str:
    """Return the name of the leaf or block in `part` behind which the flow does not go on."""
    if isinstance(part.block, tuple):
        return stop_in(next(inner for inner in part.parts if not goes_on(inner)))
    return part.id


def _ways(part: Part) -> set[str]:
    """Return how the flow may leave `part`: going ON behind it, or because it ENDS the scope it stands in."""
    match part.block:
        case tuple():
            return _ways_of_sequence(part)
        case Parallel() if part.parts:
            ways = [_ways(branch) for branch in part.parts]
            goes = all(ON in each for each in ways)
            return set().union(*ways) - (set() if goes else {ON})
        case Scope() | Repeat():
            completes = {ON} if _inside(part, "body") else set()
            return completes | _inside(part, "catch")
        case Each():
            return {ON}
        case Wait() | Task():
            return {ON} | _inside(part, "late")
        case End():
            return {ENDS}
        case Again() | Refuse():
            return set()
        case _:  # a choice or race: all its ways; a leaf, or what is none: it has no parts
            return set().union(*map(_ways, part.parts)) if part.parts else {ON}


def _ways_of_sequence(part: Part) -> set[str]:
    ends: set[str] = set()
    for inner in part.parts:
        ways = _ways(inner)
        ends |= ways - {ON}
        if ON not in ways:
            return ends
    return ends | {ON}


def _inside(part: Part, role: Role) -> set[str]:
    return set().union(*map(_ways, part.inner(role)))
