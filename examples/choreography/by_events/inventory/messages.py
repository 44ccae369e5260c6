"""What Inventory tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Event, Key

__all__ = ["GoodsReserved", "GoodsUnavailable"]


@dataclass(frozen=True, slots=True)
class GoodsReserved(Event):
    """The goods wait for this order."""

    order_id: Key[str]
    order: Order


@dataclass(frozen=True, slots=True)
class GoodsUnavailable(Event):
    """There are not enough goods for this order."""

    order_id: Key[str]
    order: Order
