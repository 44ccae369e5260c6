"""What Payment understands, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

from examples.choreography.order import Order
from saga import Command, Event, Key

__all__ = ["PaymentDeclined", "PaymentReturned", "RefundPayment", "TakePayment"]


@dataclass(frozen=True, slots=True)
class TakePayment(Command[None]):
    """Take the money for this order. Refused with code `declined`."""

    order: Order


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    """Give the money of this order back."""

    order: Order


@dataclass(frozen=True, slots=True)
class PaymentDeclined(Event):
    """This order could not be paid."""

    order_id: Key[str]


@dataclass(frozen=True, slots=True)
class PaymentReturned(Event):
    """This order was paid, and the money was given back."""

    order_id: Key[str]
