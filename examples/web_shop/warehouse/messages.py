"""What Warehouse understands."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command

__all__ = ["GoodsReserved", "Line", "ParcelSent", "ReleaseGoods", "ReserveGoods", "ShipGoods"]


@dataclass(frozen=True, slots=True)
class Line:
    """So many pieces of a product."""

    product: str
    quantity: int


@dataclass(frozen=True, slots=True)
class GoodsReserved:
    """The goods wait for this order, at the prices of now."""

    total: Decimal


@dataclass(frozen=True, slots=True)
class ReserveGoods(Command[GoodsReserved]):
    """Keep these goods. Refused with code `unknown-product` or `sold-out`."""

    order_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class ReleaseGoods(Command[None]):
    """The goods of this order can be sold to others."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ParcelSent:
    """The carrier has the parcel."""

    parcel_id: str


@dataclass(frozen=True, slots=True)
class ShipGoods(Command[ParcelSent]):
    """Send what is reserved for this order."""

    order_id: str
