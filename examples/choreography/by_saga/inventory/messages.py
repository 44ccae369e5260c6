"""What Inventory understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Command, Event, Key

__all__ = ["GoodsUnavailable", "ReleaseGoods", "ReserveGoods"]


@dataclass(frozen=True, slots=True)
class ReserveGoods(Command[None]):
    """Keep the goods of this order. Refused with code `sold-out`."""

    order: Order


@dataclass(frozen=True, slots=True)
class ReleaseGoods(Command[None]):
    """Let others have the goods of this order."""

    order: Order


@dataclass(frozen=True, slots=True)
class GoodsUnavailable(Event):
    """There are not enough goods for this order."""

    order_id: Key[str]
