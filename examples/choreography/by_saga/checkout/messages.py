"""What Checkout understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Command, Event, Key

__all__ = ["OrderPlaced", "PlaceOrder"]


@dataclass(frozen=True, slots=True)
class PlaceOrder(Command[None]):
    """A customer wants this."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderPlaced(Event):
    """A customer has ordered."""

    order_id: Key[str]
    order: Order
