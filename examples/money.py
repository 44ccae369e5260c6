"""Money: `Decimal` in messages, whole cents in tables, where SQL can add them up exactly."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

__all__ = ["amount", "cents", "total_of"]


def cents(amount: Decimal) -> int:
    """Return an amount in cents. ValueError when it has fractions of a cent."""
    whole = amount.scaleb(2)
    if whole != whole.to_integral_value():
        raise ValueError(f"{amount} is no amount of money: it has fractions of a cent")
    return int(whole)


def amount(cents: int) -> Decimal:
    """Return cents as an amount, with two decimals."""
    return Decimal(cents).scaleb(-2)


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum, with two decimals also when there is nothing to add."""
    return sum(amounts, Decimal("0.00"))
