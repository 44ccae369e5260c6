"""The people in the warehouse: deliveries come in, goods are fetched as the pick list says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

import structlog

from examples.order_fulfilment.inventory.messages import Item, ReceiveGoods, ReportFetched
from examples.order_fulfilment.inventory.pick_list import Pick, PickList
from examples.order_fulfilment.outside import fate
from saga import Rejected, Runtime

__all__ = ["Warehouse"]

log: structlog.stdlib.BoundLogger = structlog.get_logger("warehouse")

PALLET = 500
"""Products in one delivery."""


class Warehouse:
    """Whatever is reported twice, before a kill and after it, is one report: it is sent with the same id."""

    def __init__(self, shop: Runtime, pick_list: PickList) -> None:
        self._shop = shop
        self._pick_list = pick_list

    async def fill(self, stock: Mapping[str, int]) -> None:
        """Put the opening stock on the shelves."""
        goods = [Item(product_id, pieces) for product_id, pieces in stock.items()]
        for first in range(0, len(goods), PALLET):
            delivery = ReceiveGoods(tuple(goods[first : first + PALLET]))
            await self._shop.send_async(delivery, id=f"delivery-{first}")

    async def fetch(self, now: datetime) -> None:
        """Bring the goods that have been looked for long enough to the packing table."""
        found = [pick for pick in self._pick_list.read() if _is_found(pick, now)]
        await asyncio.gather(*map(self._report, found))

    async def _report(self, pick: Pick) -> None:
        try:
            await self._shop.send_async(ReportFetched(pick.order_id), id=f"fetched-{pick.order_id}")
        except Rejected as refusal:
            log.info("fetched_in_vain", order_id=pick.order_id, code=refusal.code)


def _is_found(pick: Pick, now: datetime) -> bool:
    needed = fate.time_to_fetch(pick.order_id)
    return needed is not None and pick.placed_at + needed <= now
