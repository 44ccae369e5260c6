"""The steps of an order as plain functions: what each engine calls, and makes durable."""

from __future__ import annotations

__all__ = ["Refused", "goes_nowhere", "refund", "release", "reserve", "ship", "take"]

NOWHERE = "-nowhere"


class Refused(Exception):
    """It will not be shipped."""


def goes_nowhere(order_id: str) -> bool:
    return order_id.endswith(NOWHERE)


def reserve(order_id: str) -> str:
    return f"r-{order_id}"


def release(order_id: str) -> None: ...


def take(order_id: str, amount: str) -> str:
    return f"p-{order_id}"


def refund(order_id: str) -> None: ...


def ship(order_id: str, payment_id: str) -> None:
    if goes_nowhere(order_id):
        raise Refused("nobody ships there")
