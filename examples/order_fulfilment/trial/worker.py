"""The process that is killed: the shop itself, with the customers and the warehouse people around it.

It says `opening` when it begins to open its store and `open` when the shop is open. It ends in order at
SIGTERM, and when its standard input is closed: so it does not outlive the process that started it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from examples.order_fulfilment.checkout.shop_window import ShopWindow
from examples.order_fulfilment.inventory.pick_list import PickList
from examples.order_fulfilment.notification.letter_box import LetterBox
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.baskets import Basket, read_baskets
from examples.order_fulfilment.outside.customers import CardHolders, Customers
from examples.order_fulfilment.outside.warehouse import Warehouse
from examples.order_fulfilment.shop import make_shop
from saga import Runtime, ScaledClock

__all__ = ["main"]

BEFORE_OPENING = timedelta(hours=1)
"""The clock begins so long before the first order, for the shelves to be filled."""

LOOK_S = 0.02
"""How often customers and warehouse people look at the clock, in real seconds."""

GRACE_S = 15.0
"""A worker that nobody supervises any more and that does not end by itself is ended after that."""


def main() -> None:
    """Arguments: store, address of the card processor, factor of the clock, number of orders."""
    store, processor_url, factor, orders = sys.argv[1:]
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    baskets = read_baskets(int(orders))
    clock = ScaledClock(float(factor), start=baskets[0].placed_at - BEFORE_OPENING)
    asyncio.run(_run(make_shop(Path(store), clock, processor_url), clock, Path(store), baskets))


async def _run(shop: Runtime, clock: ScaledClock, store: Path, baskets: Sequence[Basket]) -> None:
    """Open the shop, and close it in order when it is time."""
    closing_time = _closing_time()
    _say("opening")
    async with shop:
        _say("open")
        with (
            closing(PickList(store / "inventory.db")) as pick_list,
            closing(ShopWindow(store / "checkout.db")) as window,
            closing(LetterBox(store / "notification.db")) as letters,
        ):
            warehouse, card_holders = Warehouse(shop, pick_list), CardHolders(shop, letters, baskets)
            trade = asyncio.create_task(_trade(shop, clock, baskets, window, warehouse, card_holders))
            closed = asyncio.create_task(closing_time.wait())
            await asyncio.wait([trade, closed], return_when=asyncio.FIRST_COMPLETED)
            if trade.done():
                trade.result()  # it goes on for ever, so this raises
            trade.cancel()
            await asyncio.wait([trade])


async def _trade(
    shop: Runtime,
    clock: ScaledClock,
    baskets: Sequence[Basket],
    window: ShopWindow,
    warehouse: Warehouse,
    card_holders: CardHolders,
) -> None:
    """Let the customers and the warehouse people do what they do, for ever."""
    stock = fate.opening_stock(baskets)
    await warehouse.fill(stock)
    while window.products() < len(stock):  # customers come when Checkout has heard of everything
        await asyncio.sleep(LOOK_S)
    placed = window.placed()
    customers = Customers(shop, [basket for basket in baskets if basket.order_id not in placed])

    async def again_and_again(act: Callable[[datetime], Awaitable[None]]) -> None:
        while True:
            await act(datetime.fromtimestamp(clock.now_ms() / 1000, UTC))
            await asyncio.sleep(LOOK_S)

    acts = (customers.order, card_holders.answer, warehouse.fetch)
    await asyncio.gather(*map(again_and_again, acts))


def _closing_time() -> asyncio.Event:
    """Return what is set at SIGTERM, and when standard input ends: then whoever held it is gone."""
    closing_time, loop = asyncio.Event(), asyncio.get_running_loop()
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(closing_time.set))

    def end_with_supervisor() -> None:
        while os.read(0, 1):  # not sys.stdin: its lock would be held when the interpreter ends
            pass
        loop.call_soon_threadsafe(closing_time.set)
        threading.Event().wait(GRACE_S)
        os._exit(1)

    threading.Thread(target=end_with_supervisor, daemon=True).start()
    return closing_time


def _say(word: str) -> None:
    print(word, flush=True)


if __name__ == "__main__":
    main()
