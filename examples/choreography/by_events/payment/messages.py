"""What Payment tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Event, Key

__all__ = ["PaymentDeclined", "PaymentReceived", "PaymentReturned"]


@dataclass(frozen=True, slots=True)
class PaymentReceived(Event):
    """This order is paid."""

    order_id: Key[str]
    order: Order


@dataclass(frozen=True, slots=True)
class PaymentDeclined(Event):
    """This order could not be paid."""

    order_id: Key[str]
    order: Order


@dataclass(frozen=True, slots=True)
class PaymentReturned(Event):
    """This order was paid, and the money was given back."""

    order_id: Key[str]
    order: Order
