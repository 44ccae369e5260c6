"""The process of the example with time moved by hand: what a trial shows seldom, or never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from examples.order_fulfilment.checkout.messages import OrderLine, OrderPlaced
from examples.order_fulfilment.inventory.messages import Item, ReceiveGoods, ReportFetched
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.processor import Ledger, Processor
from examples.order_fulfilment.payment.messages import KeepCard
from examples.order_fulfilment.shop import make_shop
from examples.order_fulfilment.trial.folder import reading
from saga import Outcome, Rejected, Runtime, VirtualClock, WaitTimeout


def first(good: Callable[[str], bool]) -> str:
    """Return the first number, as an id, that is good."""
    return next(number for number in map(str, count(1)) if good(number))


CUSTOMER = first(lambda customer: fate.card_is_good(fate.card_of(customer)))
BROKE = first(lambda customer: not fate.card_is_good(fate.card_of(customer)))
PRICE = Decimal("3.50")


class Shop:
    """A shop with two boxes of tea, and a clock that is moved."""

    def __init__(self, folder: Path, runtime: Runtime, clock: VirtualClock) -> None:
        self._folder, self.runtime, self._clock = folder, runtime, clock
        for customer in (CUSTOMER, BROKE):
            runtime.send(KeepCard(customer, fate.card_of(customer)))
        runtime.send(ReceiveGoods((Item("tea", 2),)))

    def sell(self, order_id: str, *, customer: str = CUSTOMER, boxes: int = 1) -> Outcome:
        """Have tea ordered; let time pass until the order is over."""
        lines = (OrderLine("tea", boxes, PRICE),)
        order = OrderPlaced(order_id, customer, datetime(2026, 1, 1, tzinfo=UTC), lines, PRICE)
        self.runtime.publish(order, id=order_id)
        handle = self.runtime.handle(f"FulfilOrder:runtime:{order_id}")
        for _ in range(200):
            try:
                return handle.wait(0.1)
            except WaitTimeout:
                self._clock.advance(timedelta(hours=1))
        pytest.fail("the order is not over after 200 hours")

    def book(self) -> list[tuple[str, int]]:
        """Movements of money by Payment's book."""
        with reading(self._folder / "shop" / "payment.db") as db:
            return db.execute("SELECT kind, amount_cents FROM book ORDER BY no").fetchall()

    def ledger(self) -> list[tuple[str, int]]:
        """Movements of money by the card processor's ledger."""
        with reading(self._folder / "processor.db") as db:
            return db.execute("SELECT kind, amount_cents FROM entries ORDER BY no").fetchall()

    def tea(self) -> tuple[int, int]:
        """Boxes on hand, and reserved ones."""
        with reading(self._folder / "shop" / "inventory.db") as db:
            [row] = db.execute("SELECT on_hand, reserved FROM stock")
        return row


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    clock = VirtualClock()
    with (
        Processor(tmp_path / "processor.db") as processor,
        make_shop(tmp_path / "shop", clock, processor.url) as runtime,
    ):
        yield Shop(tmp_path, runtime, clock)


def refusal(outcome: Outcome) -> str | None:
    return outcome.refusal.code if outcome.refusal else None


def test_goods_that_nobody_finds_are_paid_back_after_twelve_hours(shop: Shop) -> None:
    order_id = first(lambda order_id: fate.time_to_fetch(order_id) is None)
    assert refusal(shop.sell(order_id)) == "timeout"
    assert shop.book() == [("taken", 350), ("returned", 350)]
    assert shop.ledger() == [("charge", 350), ("refund", 350)]
    assert shop.tea() == (2, 0)


def test_goods_that_are_brought_after_all_are_not_wanted_any_more(shop: Shop) -> None:
    shop.sell("1")
    with pytest.raises(Rejected, match="not to be fetched any more"):
        shop.runtime.send(ReportFetched("1"))


def test_a_declined_card_costs_nothing(shop: Shop) -> None:
    assert refusal(shop.sell("1", customer=BROKE)) == "card-declined"
    assert shop.book() == shop.ledger() == []
    assert shop.tea() == (2, 0)


def test_more_than_there_is_is_not_reserved(shop: Shop) -> None:
    assert refusal(shop.sell("1", boxes=3)) == "sold-out"
    assert shop.tea() == (2, 0)


def test_a_charge_that_nobody_ever_hears_of_is_given_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line breaks at each attempt, each time after the card was charged: the outcome stays unknown."""
    carry_out: Any = Ledger.carry_out

    def always_new(ledger: Ledger, key: str, path: str, order: dict[str, Any]) -> tuple[Any, bool]:
        return carry_out(ledger, key, path, order)[0], path == "/charges"

    monkeypatch.setattr(Ledger, "carry_out", always_new)
    monkeypatch.setattr(fate, "answer_gets_lost", lambda key: True)
    assert refusal(shop.sell("1")) == "failed"
    assert shop.ledger() == [("charge", 350), ("refund", 350)]
    assert shop.book() == []
    assert shop.tea() == (2, 0)
