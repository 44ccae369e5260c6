"""The scenarios by name, and what must hold after each: those of a shop, and those of trips."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability.crash import shop_invariants, shopping, trips, trips_invariants
from reliability.crash.job import Job

__all__ = ["SCENARIOS", "Business", "business_of"]


@dataclass(frozen=True)
class Business:
    """Scenarios that share contexts and books."""

    scenarios: tuple[str, ...]
    run: Callable[[Job], None]
    acknowledged: Callable[[Path, Iterable[Any]], None]
    """What these runs were acknowledged is there, whatever else is not yet."""
    check_all: Callable[[Path, Iterable[Any]], None]
    """Everything that must hold when all has come to an end."""
    everything: Callable[[Path], dict[str, Any]]
    """What must not change any more then."""
    unchanged: Callable[[dict[str, Any], dict[str, Any]], None]


SHOP = Business(
    tuple(shopping.SCENARIOS),
    shopping.run,
    shop_invariants.acknowledged,
    shop_invariants.check_all,
    shop_invariants.everything,
    shop_invariants.unchanged,
)
TRIPS = Business(
    tuple(trips.SCENARIOS),
    trips.run,
    trips_invariants.acknowledged,
    trips_invariants.check_all,
    trips_invariants.everything,
    shop_invariants.unchanged,
)

SCENARIOS: tuple[str, ...] = (*SHOP.scenarios, *TRIPS.scenarios)
"""All of them, in the order in which they are played."""


def business_of(scenario: str) -> Business:
    """Return whose scenario this is."""
    return SHOP if scenario in SHOP.scenarios else TRIPS
