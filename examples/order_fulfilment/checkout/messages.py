"""What Checkout understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from saga import Command, Event, Key

__all__ = ["OrderAccepted", "OrderLine", "OrderPlaced", "PlaceOrder"]


@dataclass(frozen=True, slots=True)
class OrderLine:
    """So many pieces of a product, and what they cost together."""

    product_id: str
    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """The order is taken; how it went on, the customer hears later."""

    order_id: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class PlaceOrder(Command[OrderAccepted]):
    """A customer wants these goods. Refused with code `sold-out` when they are not on the shelves."""

    order_id: str
    customer_id: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True)
class OrderPlaced(Event):
    """A customer has ordered."""

    order_id: Key[str]
    customer_id: str
    placed_at: datetime
    lines: tuple[OrderLine, ...]
    total: Decimal
