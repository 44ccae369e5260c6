"""What Payment understands, and what it tells. No message but `KeepCard` has a card number in it.

`inner_messages.py` has what Payment's own sagas send; that is nobody else's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command, Event, Key

__all__ = [
    "CardExpired",
    "CardStillExpired",
    "KeepCard",
    "PaymentFailed",
    "PaymentReceived",
    "PaymentReturned",
    "PaymentTaken",
    "RedeemVoucher",
    "RefundPayment",
    "TakePayment",
]

# --- from customers -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeepCard(Command[None]):
    """This is the customer's card from now on. Sent by `Runtime.send`, so that no journal sees it."""

    customer_id: str
    number: str


@dataclass(frozen=True, slots=True)
class RedeemVoucher(Command[None]):
    """The customer hands in a voucher: so much credit for orders to come."""

    customer_id: str
    amount: Decimal


# --- from whoever sells something -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaymentTaken:
    """The order is paid."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class TakePayment(Command[PaymentTaken]):
    """Have an order paid, however that is done; it may take two weeks.

    Refused with code `card-declined`, or `no-card` when the customer gives none that can be charged.
    """

    order_id: str
    customer_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    """Give back what was paid, in the way in which it was paid."""

    payment_id: str


# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaymentReceived(Event):
    """This order is paid."""

    order_id: Key[str]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PaymentReturned(Event):
    """This order was paid, and the money was given back: so much to the card, so much as credit."""

    order_id: Key[str]
    to_card: Decimal
    as_credit: Decimal


@dataclass(frozen=True, slots=True)
class PaymentFailed(Event):
    """This order was not paid, and will not be."""

    order_id: Key[str]


@dataclass(frozen=True, slots=True)
class CardExpired(Event):
    """The order cannot be paid, as the card has expired: the customer is asked for another one."""

    order_id: Key[str]


@dataclass(frozen=True, slots=True)
class CardStillExpired(Event):
    """The customer was asked for another card and has not given one yet."""

    order_id: Key[str]
