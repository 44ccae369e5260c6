"""What Payment and its gateway understand, and what Payment tells. Sagas send nothing with a card number."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command, Event, Key

__all__ = [
    "BookPayment",
    "CancelPayment",
    "CardCharged",
    "ChargeCard",
    "KeepCard",
    "OpenPayment",
    "PaymentFailed",
    "PaymentOpened",
    "PaymentReceived",
    "PaymentReturned",
    "RefundCharge",
]

# --- to Payment -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeepCard(Command[None]):
    """This is the customer's card. Sent to Payment by `Runtime.send`, so that no journal sees it."""

    customer_id: str
    number: str


@dataclass(frozen=True, slots=True)
class PaymentOpened:
    """A payment with this id can be charged."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class OpenPayment(Command[PaymentOpened]):
    """An order is to be paid. Refused with code `no-card` for a customer without one."""

    order_id: str
    customer_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class BookPayment(Command[None]):
    """The card was charged: the money is ours."""

    payment_id: str
    charge_id: str


@dataclass(frozen=True, slots=True)
class CancelPayment(Command[None]):
    """The order is not to be paid after all. Whatever was charged has been given back already."""

    payment_id: str


# --- to its gateway, the card processor -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardCharged:
    """The card was charged."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class ChargeCard(Command[CardCharged]):
    """Charge the card of the customer whose payment this is. Refused with code `card-declined`."""

    payment_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundCharge(Command[None]):
    """Give back what was charged for this payment, if anything was; nothing more can be charged for it."""

    payment_id: str
    charge_id: str | None
    """None: nobody knows whether it came to a charge."""


# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaymentReceived(Event):
    """This order is paid."""

    order_id: Key[str]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PaymentReturned(Event):
    """This order was paid, and the money was given back."""

    order_id: Key[str]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PaymentFailed(Event):
    """This order could not be paid."""

    order_id: Key[str]
