"""When the worker is killed: at random positions of the journal, and now and then while it comes back."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

__all__ = ["Kill", "plan_kills"]

ROWS_PER_ORDER = 9.5
"""Rows that an order adds to the journal, or more: so that every position is reached."""

WHILE_OPENING = 0.2
"""Share of the kills that hit a worker which is still recovering from the kill before."""


class Kill(NamedTuple):
    """One kill: at a position of the journal, or so far into the opening of the store."""

    at_row: int | None
    into_opening: float = 0.0
    """Share of the time that the last opening took."""


def plan_kills(kills: int, orders: int, seed: int) -> list[Kill]:
    """Return so many kills in the order in which they happen; the same for the same arguments."""
    chance = Random(seed)
    positions = sorted(chance.randrange(1, int(orders * ROWS_PER_ORDER)) for _ in range(kills))
    plan = []
    for number, position in enumerate(positions):
        while_opening = number > 0 and chance.random() < WHILE_OPENING
        plan.append(Kill(None, chance.random()) if while_opening else Kill(position))
    return plan
