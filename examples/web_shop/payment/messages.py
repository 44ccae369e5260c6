"""What Payment and its gateway understand, and what Payment tells. Sagas send nothing with a card number."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command, Event, Key

__all__ = ["AskForCard", "CardCharged", "CardUpdated", "ChargeCard", "KeepCard", "RefundCharge"]


@dataclass(frozen=True, slots=True)
class KeepCard(Command[None]):
    """This is the customer's card. Sent to Payment by `Runtime.send`, so that no journal sees it."""

    customer_id: str
    number: str
    expires: str
    """The last month in which it is good, such as `2027-01`."""


@dataclass(frozen=True, slots=True)
class CardUpdated(Event):
    """There is another card of this customer."""

    customer_id: Key[str]


@dataclass(frozen=True, slots=True)
class AskForCard(Command[None]):
    """Write to the customer: the card is no good, this order waits for another one."""

    order_id: str
    customer_id: str


# --- to its gateway, the bank ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardCharged:
    """The card was charged."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class ChargeCard(Command[CardCharged]):
    """Charge the customer's card. Refused with code `no-valid-card` or `card-declined`."""

    order_id: str
    customer_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundCharge(Command[None]):
    """Give back what was charged for this order, if anything was; nothing more can be charged for it."""

    order_id: str
    charge_id: str | None
    """None: nobody knows whether it came to a charge."""
