"""What Payment's own sagas send and wait for. Nobody else imports this: how one is paid is Payment's business."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command, Event, Key

__all__ = [
    "BookPayment",
    "CardCharged",
    "CardUpdated",
    "ChargeCard",
    "ClosePayment",
    "CreditUsed",
    "FindPayment",
    "OpenPayment",
    "PaymentFound",
    "PaymentOpened",
    "RefundCharge",
    "RestoreCredit",
    "UseCredit",
]

# --- to Payment -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaymentOpened:
    """There is a payment of this id now, and nothing is paid yet."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class OpenPayment(Command[PaymentOpened]):
    """An order is to be paid."""

    order_id: str
    customer_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CreditUsed:
    """So much is left to be paid otherwise, perhaps nothing, perhaps everything."""

    left: Decimal


@dataclass(frozen=True, slots=True)
class UseCredit(Command[CreditUsed]):
    """Pay with what credit the customer has, as far as it goes."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class RestoreCredit(Command[None]):
    """The customer gets the credit back that was used for this payment."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class BookPayment(Command[None]):
    """The money is ours. `charge_id`: of the charge of the card, None when credit was enough."""

    payment_id: str
    charge_id: str | None


@dataclass(frozen=True, slots=True)
class ClosePayment(Command[None]):
    """The order is not to be paid after all. Whatever was paid has been given back already."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class PaymentFound:
    """How it was paid: the charge of the card, None when credit was enough."""

    charge_id: str | None


@dataclass(frozen=True, slots=True)
class FindPayment(Command[PaymentFound]):
    """Look a payment up in the book."""

    payment_id: str


# --- to its gateway, the card processor -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CardCharged:
    """The card was charged."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class ChargeCard(Command[CardCharged]):
    """Charge the card of the customer whose payment this is.

    Refused with code `card-declined`, `card-expired`, or `no-card`.
    """

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
class CardUpdated(Event):
    """The customer has another card than before. Every payment that waits for one may go on."""

    customer_id: Key[str]
