"""What Shipment understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Command, Event, Key

__all__ = ["GoodsShipped", "ShipGoods", "ShipmentRefused"]


@dataclass(frozen=True, slots=True)
class ShipGoods(Command[None]):
    """Hand the goods of this order to a carrier. Refused with code `no-carrier`."""

    order: Order


@dataclass(frozen=True, slots=True)
class GoodsShipped(Event):
    """The goods of this order have left the house."""

    order_id: Key[str]


@dataclass(frozen=True, slots=True)
class ShipmentRefused(Event):
    """Nobody drives to the town of this order."""

    order_id: Key[str]
