"""The customers: each orders when the basket says so, and gives another card when asked for one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog

from examples.order_fulfilment.checkout.messages import OrderLine, PlaceOrder
from examples.order_fulfilment.notification.letter_box import CardLetter, LetterBox
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.baskets import Basket
from examples.order_fulfilment.payment.messages import KeepCard, RedeemVoucher
from saga import Rejected, Runtime

__all__ = ["CardHolders", "Customers"]

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
        """Customers whose card and voucher Payment has, as far as we know."""

    async def order(self, now: datetime) -> None:
        """Place the orders that are due."""
        due = []
        while self._baskets and self._baskets[0].placed_at <= now:
            due.append(self._baskets.popleft())
        await asyncio.gather(*map(self._introduce, {basket.customer_id for basket in due} - self._known))
        await asyncio.gather(*map(self._place, due))

    async def _introduce(self, customer_id: str) -> None:
        """The page for card numbers and vouchers is Payment's own."""
        card, voucher = KeepCard(customer_id, fate.card_of(customer_id)), fate.voucher_of(customer_id)
        await self._shop.send_async(card, id=f"card-of-{customer_id}")
        if voucher is not None:
            await self._shop.send_async(RedeemVoucher(customer_id, voucher), id=f"voucher-of-{customer_id}")
        self._known.add(customer_id)

    async def _place(self, basket: Basket) -> None:
        lines = tuple(OrderLine(*line) for line in basket.lines)
        order = PlaceOrder(basket.order_id, basket.customer_id, basket.placed_at, lines)
        try:
            await self._shop.send_async(order, id=f"order-{basket.order_id}")
        except Rejected as refusal:
            log.info("order_refused", order_id=basket.order_id, code=refusal.code)


class CardHolders:
    """The same customers, as readers of their letters. A card that is given twice is given with the same id."""

    def __init__(self, shop: Runtime, letters: LetterBox, baskets: Iterable[Basket]) -> None:
        """`baskets`: everything that is ordered."""
        self._shop, self._letters = shop, letters
        self._placed_at: Mapping[str, datetime] = {basket.order_id: basket.placed_at for basket in baskets}
        self._done: set[str] = set()
        """Customers whose other card Payment has, as far as we know."""

    async def answer(self, now: datetime) -> None:
        """Give Payment the cards that were asked for long enough ago."""
        due = {letter.customer_id for letter in self._letters.read() if self._is_answered(letter, now)}
        await asyncio.gather(*map(self._give_another_card, due - self._done))

    def _is_answered(self, letter: CardLetter, now: datetime) -> bool:
        if fate.answers_reminders_only(letter.customer_id):
            return letter.is_reminder
        return self._placed_at[letter.order_id] + fate.time_to_answer(letter.order_id) <= now

    async def _give_another_card(self, customer_id: str) -> None:
        card = KeepCard(customer_id, fate.new_card_of(customer_id))
        await self._shop.send_async(card, id=f"new-card-of-{customer_id}")
        self._done.add(customer_id)
