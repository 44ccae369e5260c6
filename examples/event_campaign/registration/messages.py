"""What Registration and its gateway understand, and what Registration tells."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from saga import Command, Event, Key

__all__ = [
    "Charge",
    "Charged",
    "CloseRegistration",
    "Closed",
    "ConfirmSeat",
    "HoldSeat",
    "NoteRefund",
    "OpenRegistration",
    "PaidSeat",
    "PayBack",
    "Prices",
    "RefundEverybody",
    "Register",
    "ReleaseSeat",
    "SeatHeld",
    "SoldOut",
    "StopRegistration",
    "Stopped",
    "Ticket",
]


# --- of a campaign --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prices:
    """What a seat costs: the first ones less."""

    regular: Decimal
    early: Decimal
    early_seats: int


@dataclass(frozen=True, slots=True)
class OpenRegistration(Command[None]):
    """Sell so many seats."""

    campaign_id: str
    seats: int
    prices: Prices


@dataclass(frozen=True, slots=True)
class SoldOut(Event):
    """The last seat is sold."""

    campaign_id: Key[str]


@dataclass(frozen=True, slots=True)
class Closed:
    """What was sold."""

    registered: int
    income: Decimal


@dataclass(frozen=True, slots=True)
class CloseRegistration(Command[Closed]):
    """Sell no more: the day has come."""

    campaign_id: str


@dataclass(frozen=True, slots=True)
class RefundEverybody(Command[None]):
    """Sell no more, and give everybody the money back: the conference does not take place. Takes its time."""

    campaign_id: str


# --- of one seat ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ticket:
    """A seat is paid for."""

    registration_id: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Register(Command[Ticket]):
    """Somebody wants a seat. Sent by the application, with an id: sent again with it, it is the same seat.

    Refused with code `sold-out`, `closed` or `declined`.
    """

    campaign_id: str
    name: str
    account: str
    """By which the payment provider knows the payer; no number of a card."""


@dataclass(frozen=True, slots=True)
class SeatHeld:
    """A seat is kept free, for this price."""

    price: Decimal


@dataclass(frozen=True, slots=True)
class HoldSeat(Command[SeatHeld]):
    """Keep a seat free until it is paid for. Refused with code `sold-out` or `closed`."""

    registration_id: str
    campaign_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ReleaseSeat(Command[None]):
    """It was not paid for."""

    registration_id: str


@dataclass(frozen=True, slots=True)
class ConfirmSeat(Command[None]):
    """It is paid for. Refused with code `closed` when the sale has ended meanwhile."""

    registration_id: str


@dataclass(frozen=True, slots=True)
class PaidSeat:
    """A seat whose payer gets the money back."""

    registration_id: str
    name: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class Stopped:
    """Who has paid and was not paid back."""

    paid: tuple[PaidSeat, ...]


@dataclass(frozen=True, slots=True)
class StopRegistration(Command[Stopped]):
    """From now on nobody registers, not even who is about to pay."""

    campaign_id: str


@dataclass(frozen=True, slots=True)
class NoteRefund(Command[None]):
    """The payer has the money back."""

    registration_id: str


# --- to its gateway, the payment provider ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Charged:
    """The money is here."""

    charge_id: str


@dataclass(frozen=True, slots=True)
class Charge(Command[Charged]):
    """Take the price of a seat. Refused with code `declined`."""

    registration_id: str
    account: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PayBack(Command[None]):
    """Give back what was taken for this seat, if anything was; nothing more can be taken for it.

    Refused with code `account-closed` when the payer has no account there any more.
    """

    registration_id: str
