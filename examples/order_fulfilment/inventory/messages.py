"""What Inventory understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from saga import Command, Event, Key

__all__ = [
    "GoodsFetched",
    "GoodsReserved",
    "GoodsUnavailable",
    "Item",
    "ReceiveGoods",
    "ReleaseGoods",
    "ReportFetched",
    "ReserveGoods",
    "StockChanged",
    "StockLevel",
]


@dataclass(frozen=True, slots=True)
class Item:
    """So many pieces of a product."""

    product_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StockLevel:
    """How many pieces of a product are on the shelf, reserved or not."""

    product_id: str
    on_hand: int


@dataclass(frozen=True, slots=True)
class GoodsReserved:
    """The goods wait for this order."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReserveGoods(Command[GoodsReserved]):
    """Keep these goods for an order. Refused with code `sold-out` when not all of them are there."""

    order_id: str
    placed_at: datetime
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ReleaseGoods(Command[None]):
    """The goods of a reservation can be sold to others; who looks for them may stop."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReceiveGoods(Command[None]):
    """A delivery has come: put it on the shelves."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ReportFetched(Command[None]):
    """The goods of an order were brought to the packing table. Refused when nobody wants them any more."""

    order_id: str


@dataclass(frozen=True, slots=True)
class StockChanged(Event):
    """There are now so many pieces of these products on the shelves."""

    levels: tuple[StockLevel, ...]


@dataclass(frozen=True, slots=True)
class GoodsUnavailable(Event):
    """Goods could not be reserved for this order, since there are not enough of these products."""

    order_id: Key[str]
    product_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoodsFetched(Event):
    """The goods of this order lie on the packing table."""

    order_id: Key[str]
    pick_id: str
