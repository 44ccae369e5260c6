"""Money: `Decimal` in messages, whole cents in tables, where SQL can add them up exactly."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["amount", "cents"]


def cents(amount: Decimal) -> int:
    """Return an amount in cents. ValueError when it has fractions of a cent."""
    whole = amount.scaleb(2)
    if whole != whole.to_integral_value():
        raise ValueError(f"{amount} is no amount of money: it has fractions of a cent")
    return int(whole)


def amount(cents: int) -> Decimal:
    """Return cents as an amount, with two decimals."""
    return Decimal(cents).scaleb(-2)
