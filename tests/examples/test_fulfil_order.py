"""The process of the example with time moved by hand: what a trial shows seldom, or never."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from examples.money import cents
from examples.order_fulfilment.checkout.messages import OrderLine, OrderPlaced
from examples.order_fulfilment.inventory.messages import Item, ReceiveGoods, ReportFetched
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.processor import Ledger, Processor
from examples.order_fulfilment.payment.messages import KeepCard, RedeemVoucher
from examples.order_fulfilment.shop import make_shop
from examples.order_fulfilment.trial.folder import reading
from saga import Handle, Outcome, Rejected, Runtime, VirtualClock, WaitTimeout

DEADLINE_S = 20.0
"""For what should come at once; reached only when it never comes."""


def first(good: Callable[[str], bool]) -> str:
    """Return the first number, as an id, that is good."""
    return next(number for number in map(str, count(1)) if good(number))


def is_good(card: str) -> bool:
    return not (fate.card_is_expired(card) or fate.card_is_declined(card))


CUSTOMER = first(lambda customer: is_good(fate.card_of(customer)))
BROKE = first(lambda customer: fate.card_is_declined(fate.card_of(customer)))
LATE = first(lambda customer: fate.card_is_expired(fate.card_of(customer)))
"""A customer whose card has expired; the other cards are good (1), declined (2), expired (3)."""
GOOD_CARD, DECLINED_CARD = fate.card_of(CUSTOMER), fate.card_of(BROKE)
EXPIRED_CARD = fate.card_of(first(lambda other: fate.card_is_expired(fate.card_of(other)) and other != LATE))
STRANGER = "nobody"
"""A customer without a card."""

PRICE = Decimal("3.50")
NOT_FOUND = first(lambda order_id: fate.time_to_fetch(order_id) is None)
"""An order whose goods nobody finds."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Shop:
    """A shop with three boxes of tea, and a clock that is moved."""

    def __init__(self, folder: Path, runtime: Runtime, clock: VirtualClock) -> None:
        self._folder, self.runtime, self.clock = folder, runtime, clock
        for customer in (CUSTOMER, BROKE, LATE):
            runtime.send(KeepCard(customer, fate.card_of(customer)))
        runtime.send(ReceiveGoods((Item("tea", 3),)))

    def order(self, order_id: str, customer: str = CUSTOMER, *, boxes: int = 1) -> Handle:
        """Have tea ordered."""
        lines = (OrderLine("tea", boxes, PRICE),)
        order = OrderPlaced(order_id, customer, datetime(2026, 1, 1, tzinfo=UTC), lines, PRICE)
        self.runtime.publish(order, id=order_id)
        return self.runtime.handle(f"FulfilOrder:runtime:{order_id}")

    def sell(self, order_id: str, customer: str = CUSTOMER, *, boxes: int = 1) -> Outcome:
        """Have tea ordered; let time pass until the order is over. Nobody fetches anything."""
        handle = self.order(order_id, customer, boxes=boxes)
        for _ in range(200):
            try:
                return handle.wait(0.1)
            except WaitTimeout:
                self.clock.advance(HOUR)
        pytest.fail("the order is not over after 200 hours")

    def fetch(self, order_id: str) -> None:
        """Bring the goods to the packing table, as soon as they are on the pick list."""
        wait_until(lambda: self.reservation(order_id) == "to fetch")
        self.runtime.send(ReportFetched(order_id))

    def ask_for_card(self, order_id: str) -> Handle:
        """Have tea ordered by the customer whose card has expired; return when Payment waits for another one."""
        handle = self.order(order_id, LATE)
        wait_until(lambda: self.waits_for_card(handle))
        return handle

    def waits_for_card(self, order: Handle) -> bool:
        """Return whether Payment's saga waits for a card now; that it is there is known from the order's."""
        if "command-sent take_payment.1" not in self.story(order.id):
            return False
        story = self.story(f"{order.id}:take_payment.1")
        return any("wait-begun card_updated" in entry for entry in story[-1:])

    def story(self, saga_id: str) -> list[str]:
        """What has happened to a saga so far, as kind and path; nothing when there is no such saga yet."""
        if not self.read("saga", f"SELECT 1 FROM sagas_overview WHERE id = '{saga_id}'"):
            return []
        return [f"{entry.what} {entry.path}" for entry in self.runtime.history(saga_id)]

    def let_pass(self, *, days: int = 0, hours: int = 0) -> None:
        """Let time pass, step by step, and everybody do what is to be done, reminders included."""
        for step in [DAY] * days + [HOUR] * hours:
            self.clock.advance(step)
            wait_until(lambda: not self.read("saga", self._overdue()))

    def _overdue(self) -> str:
        return f"SELECT 1 FROM timers WHERE due_ms <= {self.clock.now_ms()}"

    def needs_somebody(self, saga_id: str) -> bool:
        """Return whether a person has to look at a saga."""
        return bool(self.read("saga", f"SELECT 1 FROM incidents WHERE id = '{saga_id}'"))

    # --- what there is then -----------------------------------------------------------------------

    def read(self, file: str, statement: str) -> list[tuple[Any, ...]]:
        """Read in a file of the shop."""
        with reading(self._folder / "shop" / f"{file}.db") as db:
            return db.execute(statement).fetchall()

    def book(self) -> list[tuple[str, int]]:
        """Movements of money by Payment's book."""
        return self.read("payment", "SELECT kind, amount_cents FROM book ORDER BY no")

    def ledger(self) -> list[tuple[str, int]]:
        """Movements of money by the card processor's ledger."""
        with reading(self._folder / "processor.db") as db:
            return db.execute("SELECT kind, amount_cents FROM entries ORDER BY no").fetchall()

    def credit(self, customer: str) -> int:
        """Cents of credit that a customer has."""
        [(left,)] = self.read("payment", f"SELECT amount_cents FROM credit WHERE customer_id = '{customer}'")
        return int(left)

    def tea(self) -> tuple[int, int]:
        """Boxes on hand, and reserved ones."""
        [(on_hand, reserved)] = self.read("inventory", "SELECT on_hand, reserved FROM stock")
        return on_hand, reserved

    def reservation(self, order_id: str) -> str | None:
        """What has become of a reservation."""
        states = self.read("inventory", f"SELECT state FROM reservations WHERE order_id = '{order_id}'")
        return states[0][0] if states else None

    def letters(self, count: int) -> list[str]:
        """What the customers were written about, as soon as there are so many letters."""
        wait_until(lambda: len(self.read("notification", "SELECT 1 FROM letters")) >= count)
        return [about for (about,) in self.read("notification", "SELECT about FROM letters ORDER BY no")]


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something is true; fail when that takes too long."""
    until = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < until, "it took too long"


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


# --- goods ----------------------------------------------------------------------------------------


def test_goods_that_nobody_finds_are_paid_back_after_twelve_hours(shop: Shop) -> None:
    assert refusal(shop.sell(NOT_FOUND)) == "timeout"
    assert shop.book() == [("card charged", 350), ("card refunded", 350)]
    assert shop.ledger() == [("charge", 350), ("refund", 350)]
    assert shop.tea() == (3, 0)


def test_goods_that_are_brought_after_all_are_not_wanted_any_more(shop: Shop) -> None:
    shop.sell("1")
    with pytest.raises(Rejected, match="not to be fetched any more"):
        shop.runtime.send(ReportFetched("1"))


def test_more_than_there_is_is_not_reserved(shop: Shop) -> None:
    assert refusal(shop.sell("1", boxes=4)) == "sold-out"
    assert shop.tea() == (3, 0)


# --- cards ----------------------------------------------------------------------------------------


def test_a_declined_card_costs_nothing(shop: Shop) -> None:
    assert refusal(shop.sell("1", BROKE)) == "card-declined"
    assert shop.book() == shop.ledger() == []
    assert shop.tea() == (3, 0)


def test_who_has_no_card_is_not_asked_for_another_one(shop: Shop) -> None:
    assert refusal(shop.sell("1", STRANGER)) == "no-card"
    assert shop.letters(1) == ["not paid"]


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
    assert shop.tea() == (3, 0)


# --- credit ---------------------------------------------------------------------------------------


def test_credit_that_is_enough_spares_the_card(shop: Shop) -> None:
    """Here there is no card at all."""
    shop.runtime.send(RedeemVoucher(STRANGER, Decimal(5)))
    order = shop.order("1", STRANGER)
    shop.fetch("1")
    assert order.wait(DEADLINE_S).completed
    assert shop.book() == [("voucher", 500), ("credit used", 350)]
    assert shop.credit(STRANGER) == 150
    assert shop.ledger() == []


def test_what_credit_does_not_cover_is_charged(shop: Shop) -> None:
    shop.runtime.send(RedeemVoucher(CUSTOMER, Decimal(2)))
    order = shop.order("1")
    shop.fetch("1")
    assert order.wait(DEADLINE_S).completed
    assert shop.book() == [("voucher", 200), ("credit used", 200), ("card charged", 150)]
    assert shop.ledger() == [("charge", 150)]


@pytest.mark.parametrize(("voucher", "to_card"), [(Decimal(2), 150), (Decimal(5), 0)], ids=["part", "all"])
def test_what_is_given_back_goes_where_it_came_from(shop: Shop, voucher: Decimal, to_card: int) -> None:
    shop.runtime.send(RedeemVoucher(CUSTOMER, voucher))
    shop.sell(NOT_FOUND)
    assert shop.credit(CUSTOMER) == cents(voucher)
    assert shop.ledger() == ([("charge", to_card), ("refund", to_card)] if to_card else [])
    assert dict(shop.book())["credit restored"] == 350 - to_card
    assert shop.letters(1) == ["money returned"]


def test_a_declined_card_costs_no_credit(shop: Shop) -> None:
    shop.runtime.send(RedeemVoucher(BROKE, Decimal(2)))
    assert refusal(shop.sell("1", BROKE)) == "card-declined"
    assert shop.book() == [("voucher", 200), ("credit used", 200), ("credit restored", 200)]
    assert shop.credit(BROKE) == 200


# --- a card that has expired ----------------------------------------------------------------------


def test_the_order_goes_on_with_another_card_after_five_days_and_one_reminder(shop: Shop) -> None:
    order = shop.ask_for_card("1")
    shop.let_pass(days=5)
    shop.runtime.send(KeepCard(LATE, GOOD_CARD))
    shop.fetch("1")
    assert order.wait(DEADLINE_S).completed
    assert shop.ledger() == [("charge", 350)]
    assert shop.letters(3) == ["card expired", "card still expired", "shipped"]


def test_without_another_card_it_is_over_after_fourteen_days_and_four_reminders(shop: Shop) -> None:
    shop.runtime.send(RedeemVoucher(LATE, Decimal(2)))
    order = shop.ask_for_card("1")
    assert shop.credit(LATE) == 0
    shop.let_pass(days=13)
    assert shop.tea() == (3, 1)
    shop.clock.advance(DAY)
    assert refusal(order.wait(DEADLINE_S)) == "no-card"
    assert shop.letters(6) == ["card expired", *["card still expired"] * 4, "not paid"]
    assert shop.credit(LATE) == 200
    assert shop.ledger() == []
    assert shop.tea() == (3, 0)


def test_fourteen_days_that_pass_at_once_are_over_at_once(shop: Shop) -> None:
    """As when the process was down all the time: reminders that nobody could send are not sent late."""
    order = shop.ask_for_card("1")
    shop.clock.advance(14 * DAY)
    assert refusal(order.wait(DEADLINE_S)) == "no-card"
    assert shop.letters(3) == ["card expired", "card still expired", "not paid"]


def test_the_order_knows_nothing_of_all_that(shop: Shop) -> None:
    order = shop.ask_for_card("1")
    shop.let_pass(days=14)
    order.wait(DEADLINE_S)
    story = [entry for entry in shop.story(order.id) if "take_payment" in entry]
    assert story == ["command-sent take_payment.1", "step-refused take_payment.1"]


def test_one_new_card_is_enough_for_all_orders_of_the_customer(shop: Shop) -> None:
    orders = [shop.ask_for_card("1"), shop.ask_for_card("2")]
    shop.runtime.send(KeepCard(LATE, GOOD_CARD))
    shop.fetch("1")
    shop.fetch("2")
    assert all(order.wait(DEADLINE_S).completed for order in orders)
    assert shop.ledger() == [("charge", 350), ("charge", 350)]


def test_another_card_that_is_declined_is_refused(shop: Shop) -> None:
    order = shop.ask_for_card("1")
    shop.runtime.send(KeepCard(LATE, DECLINED_CARD))
    assert refusal(order.wait(DEADLINE_S)) == "card-declined"
    assert shop.letters(2) == ["card expired", "not paid"]


def test_another_card_that_has_expired_too_is_asked_about_again(shop: Shop) -> None:
    order = shop.ask_for_card("1")
    shop.runtime.send(KeepCard(LATE, EXPIRED_CARD))
    assert shop.letters(2) == ["card expired", "card expired"]
    shop.runtime.send(KeepCard(LATE, GOOD_CARD))
    shop.fetch("1")
    assert order.wait(DEADLINE_S).completed


def test_an_order_that_is_cancelled_meanwhile_is_not_waited_for_any_more(shop: Shop) -> None:
    shop.runtime.send(RedeemVoucher(LATE, Decimal(2)))
    order = shop.ask_for_card("1")
    shop.runtime.cancel(order.id)
    assert refusal(order.wait(DEADLINE_S)) == "cancelled"
    payment = shop.runtime.find(f"{order.id}:take_payment.1")
    assert payment.status == "COMPENSATED"
    assert shop.credit(LATE) == 200
    assert shop.tea() == (3, 0)
    assert shop.letters(2) == ["card expired", "not paid"]

    shop.runtime.send(KeepCard(LATE, GOOD_CARD))  # it comes too late
    shop.let_pass(days=15)
    assert shop.ledger() == []
    assert shop.letters(2) == ["card expired", "not paid"]


# --- giving money back ----------------------------------------------------------------------------


def test_a_refund_that_does_not_get_through_waits_for_a_person_at_payment(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order waits; what is to be done about it is Payment's business, there it is parked and retried."""
    carry_out: Any = Ledger.carry_out

    def refuse_refunds(ledger: Ledger, key: str, path: str, order: dict[str, Any]) -> tuple[Any, bool]:
        if path == "/refunds":
            return (503, {}), False
        done: tuple[Any, bool] = carry_out(ledger, key, path, order)
        return done

    order = shop.order(NOT_FOUND)
    wait_until(lambda: shop.reservation(NOT_FOUND) == "to fetch")
    refund = f"{order.id}:take_payment.1~1"
    with monkeypatch.context() as out_of_order:
        out_of_order.setattr(Ledger, "carry_out", refuse_refunds)
        wait_until(lambda: shop.let_pass(hours=1) or shop.needs_somebody(refund))
    assert shop.runtime.find(order.id).status == "COMPENSATING"
    shop.runtime.retry(refund, "the processor is there again")
    assert refusal(order.wait(DEADLINE_S)) == "timeout"
    assert shop.ledger() == [("charge", 350), ("refund", 350)]
    assert shop.tea() == (3, 0)
