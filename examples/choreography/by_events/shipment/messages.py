"""What Shipment tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Event, Key

__all__ = ["GoodsShipped", "ShipmentRefused"]


@dataclass(frozen=True, slots=True)
class GoodsShipped(Event):
    """The goods of this order have left the house."""

    order_id: Key[str]
    order: Order


@dataclass(frozen=True, slots=True)
class ShipmentRefused(Event):
    """Nobody drives to the town of this order."""

    order_id: Key[str]
    order: Order
