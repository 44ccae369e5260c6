"""An order, as it travels: each message carries all of it, so that nobody has to ask or to remember."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Order"]


@dataclass(frozen=True, slots=True)
class Order:
    """So many pieces of a product, for a customer, to a town."""

    order_id: str
    customer_id: str
    product: str
    quantity: int
    total_cents: int
    town: str
