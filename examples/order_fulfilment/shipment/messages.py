"""What Shipment understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from saga import Command, Event, Key

__all__ = ["GoodsShipped", "ParcelSent", "ShipGoods"]


@dataclass(frozen=True, slots=True)
class ParcelSent:
    """The carrier has the parcel."""

    parcel_id: str


@dataclass(frozen=True, slots=True)
class ShipGoods(Command[ParcelSent]):
    """Send what lies on the packing table. Refused with code `no-carrier` when nobody drives there."""

    order_id: str
    pick_id: str


@dataclass(frozen=True, slots=True)
class GoodsShipped(Event):
    """The goods of this order have left the house."""

    order_id: Key[str]
    parcel_id: str
