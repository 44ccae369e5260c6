"""A play that goes wrong, made smaller: entries are left out as long as the same goes wrong, with any order of turns.

Chunks first, then single entries, until none can be left out any more (A. Zeller and R. Hildebrandt, "Simplifying and
Isolating Failure-Inducing Input", IEEE TSE 2002). Leaving one out changes who goes next, so each candidate is played
with some other orders, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from reliability.sim.disks import Disks
from reliability.sim.plan import Entry, Knobs, Plan
from reliability.sim.world import Outcome, play

__all__ = ["shrunk"]

ORDERS = 6
"""Other orders of turns that are tried."""

PATIENCE_S = 90.0

WIDE = Knobs(
    cache=50,
    credit=64,
    max_active=100,
    prune_every=256,
    events_kept=10_000,
    window=512,
    haste=0,
    greed=9,
    cut=0,
)
"""Limits that nothing comes near."""


def shrunk(plan: Plan, disks: Disks) -> list[str]:
    """Return what is left of a plan, and the story of its play, line by line."""
    first = play(plan, disks)
    if not first.violation:
        return []
    kind = _kind(first)
    until = time.monotonic() + PATIENCE_S

    def still(candidate: Plan) -> Plan | None:
        """Return the candidate, with an order in which the same goes wrong; None if there is none."""
        for n in range(ORDERS):
            if time.monotonic() > until:
                return None
            ordered = replace(candidate, chance=candidate.chance + n)
            if _kind(play(ordered, disks)) == kind:
                return ordered
        return None

    plan = _with_fewer_entries(plan, still)
    plan = _with_wider_limits(plan, still)
    for entry in plan.entries:
        for smaller in _smaller(entry):
            others = [each for each in plan.entries if each is not entry]
            found = still(plan.only([*others, smaller]))
            if found is not None:
                plan = found
                break
    told = play(plan, disks, told=True)
    knobs = [f"{each.name}={getattr(plan.knobs, each.name)}" for each in fields(Knobs)]
    return [
        f"seed {plan.seed}: {first.violation}",
        f"shrunk from {first.steps} steps to {told.steps}: {told.violation}",
        f"limits: {' '.join(knobs)}",
        "plan:",
        *(f"  {entry}" for entry in plan.entries),
        "story:",
        *(f"  {line}" for line in told.story),
    ]


def _kind(outcome: Outcome) -> str:
    """Return what went wrong, without the names of who it happened to."""
    head, colon, rest = outcome.violation.partition(":")
    if colon and head[:1] == "I" and head[1:].isdigit():
        return head
    return " ".join(word for word in (head or rest).split() if word.isalpha())[:24]


def _with_fewer_entries(plan: Plan, still: Callable[[Plan], Plan | None]) -> Plan:
    size = max(1, len(plan.entries) // 2)
    while True:
        shorter = next((found for each in _without(plan, size) if (found := still(each))), None)
        if shorter is not None:
            plan = shorter
            size = min(size, max(1, len(plan.entries) // 2))
        elif size == 1:
            return plan
        else:
            size //= 2


def _without(plan: Plan, size: int) -> Iterator[Plan]:
    entries = list(plan.entries)
    for at in range(0, len(entries), size):
        yield plan.only(entries[:at] + entries[at + size :])


def _with_wider_limits(plan: Plan, still: Callable[[Plan], Plan | None]) -> Plan:
    for each in fields(Knobs):
        wide = getattr(WIDE, each.name)
        if getattr(plan.knobs, each.name) != wide:
            plan = still(replace(plan, knobs=replace(plan.knobs, **{each.name: wide}))) or plan
    return plan


def _smaller(entry: Entry) -> Iterator[Entry]:
    if entry.step:
        yield replace(entry, step=1)
    if entry.n > 1:
        yield replace(entry, n=1)
