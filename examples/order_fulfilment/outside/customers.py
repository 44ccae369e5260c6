"""The customers: each orders when the basket says so."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import datetime

import structlog

from examples.order_fulfilment.checkout.messages import OrderLine, PlaceOrder
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.baskets import Basket
from examples.order_fulfilment.payment.messages import KeepCard
from saga import Rejected, Runtime

__all__ = ["Customers"]

log: structlog.stdlib.BoundLogger = structlog.get_logger("customers")


class Customers:
    """Place orders, in the order of their time.

    An order that is placed twice, before a kill and after it, is one order: it is sent with the same id.
    """

    def __init__(self, shop: Runtime, baskets: Iterable[Basket]) -> None:
        """`baskets`: what is still to be ordered."""
        self._shop = shop
        self._baskets = deque(baskets)
        self._known: set[str] = set()
        """Customers whose card Payment has, as far as we know."""

    async def order(self, now: datetime) -> None:
        """Place the orders that are due."""
        due = []
        while self._baskets and self._baskets[0].placed_at <= now:
            due.append(self._baskets.popleft())
        await asyncio.gather(*map(self._give_card, {basket.customer_id for basket in due} - self._known))
        await asyncio.gather(*map(self._place, due))

    async def _give_card(self, customer_id: str) -> None:
        """The page for card numbers is Payment's own."""
        card = KeepCard(customer_id, fate.card_of(customer_id))
        await self._shop.send_async(card, id=f"card-of-{customer_id}")
        self._known.add(customer_id)

    async def _place(self, basket: Basket) -> None:
        lines = tuple(OrderLine(*line) for line in basket.lines)
        order = PlaceOrder(basket.order_id, basket.customer_id, basket.placed_at, lines)
        try:
            await self._shop.send_async(order, id=f"order-{basket.order_id}")
        except Rejected as refusal:
            log.info("order_refused", order_id=basket.order_id, code=refusal.code)
