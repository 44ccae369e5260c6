"""What a trial has left, read from all the books: of the contexts, of the sagas, of the card processor."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from examples.money import amount, total_of
from examples.order_fulfilment.outside.baskets import Basket, read_baskets
from examples.order_fulfilment.trial.folder import Folder, reading

__all__ = [
    "ABOUT_CARDS",
    "COMPLETED",
    "REFUSED_AT_CHECKOUT",
    "Account",
    "Evidence",
    "Movement",
    "SagaFact",
    "Stock",
    "gather",
]

COMPLETED = "completed"
REFUSED_AT_CHECKOUT = "refused at checkout"

ABOUT_CARDS = {"ask_for_card": "card expired", "remind_customer": "card still expired"}
"""What Payment's saga publishes → what the letter about it is about. All other letters tell how an order ended."""


class SagaFact(NamedTuple):
    """How a saga ended."""

    id: str
    name: str
    status: str
    code: str | None
    """Of the refusal, when it was undone."""
    reason: str | None


class Account(NamedTuple):
    """Money of one order, added up."""

    taken: Decimal
    returned: Decimal

    @property
    def kept(self) -> Decimal:
        """What is left."""
        return self.taken - self.returned


class Movement(NamedTuple):
    """A line of Payment's book."""

    customer_id: str
    order_id: str | None
    """None: a voucher."""
    kind: str
    cents: int


class Stock(NamedTuple):
    """One product in Inventory."""

    on_hand: int
    reserved: int


_Facts: TypeAlias = dict[str, list[SagaFact]]

NOTHING = Account(Decimal("0.00"), Decimal("0.00"))


@dataclass
class Evidence:
    """All that the reconciliation looks at; `[str, ...]` are by order id, where nothing else is said."""

    baskets: Mapping[str, Basket]
    answers: Mapping[str, str]
    """What Checkout answered: `accepted` or `sold-out`."""
    sagas: Mapping[str, list[SagaFact]]
    """Sagas of orders."""
    called: Mapping[str, list[SagaFact]]
    """Sagas of Payment, which the saga of the order has called."""
    asked: Mapping[str, Counter[str]]
    """How often Payment's saga has asked for another card and reminded of it, by what the letter is about."""
    book: Sequence[Movement]
    """Of Payment, in its order."""
    by_card: Mapping[str, Account]
    """By Payment's book."""
    by_credit: Mapping[str, Account]
    """By Payment's book."""
    credit: Mapping[str, int]
    """Cents that are left, by customer."""
    ledger: Mapping[str, Account]
    """Of the card processor."""
    asked_again: int
    """How many orders the card processor was given more than once."""
    stock: Mapping[str, Stock]
    """By product."""
    shelf: Mapping[str, int]
    """Checkout's copy, by product."""
    open_reservations: list[str]
    parcels: Mapping[str, int]
    letters: Mapping[str, list[tuple[str, str]]]
    """Customer, and what it is about."""

    def outcome(self, order_id: str) -> str:
        """Return what became of an order: completed, refused at checkout, or why its saga was undone."""
        if self.answers.get(order_id) == "sold-out":
            return REFUSED_AT_CHECKOUT
        facts = self.sagas.get(order_id, [])
        if len(facts) != 1:
            return f"{len(facts)} sagas"
        [fact] = facts
        if fact.status == "COMPLETED":
            return COMPLETED
        return fact.code or "no reason" if fact.status == "COMPENSATED" else fact.status

    def kind(self, order_id: str) -> str:
        """Return the outcome, and of a completed order, how it was paid."""
        outcome = self.outcome(order_id)
        if outcome != COMPLETED:
            return outcome
        if order_id in self.asked:
            reminded = ABOUT_CARDS["remind_customer"] in self.asked[order_id]
            return f"{COMPLETED}, with another card{', after a reminder' if reminded else ''}"
        by_credit = self.account(self.by_credit, order_id).kept
        if by_credit:
            part = "" if by_credit == self.value(order_id) else "partly "
            return f"{COMPLETED}, paid {part}with credit"
        return outcome

    def value(self, order_id: str) -> Decimal:
        """Return what the basket costs."""
        return total_of(line.price for line in self.baskets[order_id].lines)

    def account(self, book: Mapping[str, Account], order_id: str) -> Account:
        """Return the account of an order in one of the books."""
        return book.get(order_id, NOTHING)


def gather(folder: Folder, orders: int) -> Evidence:
    """Read it all. Raises sqlite3.Error."""
    with reading(folder.context("checkout")) as db:
        answers = dict(db.execute("SELECT order_id, answer FROM orders"))
        shelf = dict(db.execute("SELECT product_id, on_hand FROM shelf"))
    with reading(folder.context("inventory")) as db:
        products = db.execute("SELECT product_id, on_hand, reserved FROM stock")
        stock = {product: Stock(*pieces) for product, *pieces in products}
        reservations = db.execute("SELECT order_id FROM reservations WHERE state NOT IN ('gone', 'released')")
        open_reservations = [order_id for (order_id,) in reservations]
    with reading(folder.context("payment")) as db:
        lines = db.execute(
            "SELECT b.customer_id, order_id, kind, b.amount_cents FROM book b"
            " LEFT JOIN payments USING (payment_id) ORDER BY b.no"
        )
        book = [Movement(*line) for line in lines]
        credit = dict(db.execute("SELECT customer_id, amount_cents FROM credit"))
    with reading(folder.ledger) as db:
        entries = db.execute("SELECT reference, kind = 'charge', amount_cents FROM entries")
        ledger = _accounts((ref.removeprefix("payment-"), taken, cents) for ref, taken, cents in entries)
        (asked_again,) = db.execute("SELECT count(*) FROM orders WHERE asked > 1").fetchone()
    with reading(folder.context("shipment")) as db:
        parcels = dict(db.execute("SELECT order_id, count(*) FROM parcels GROUP BY order_id"))
    letters = defaultdict(list)
    with reading(folder.context("notification")) as db:
        for order_id, *letter in db.execute("SELECT order_id, customer_id, about FROM letters"):
            letters[order_id].append(tuple(letter))
    sagas, called, asked = _sagas(folder)
    return Evidence(
        baskets={basket.order_id: basket for basket in read_baskets(orders)},
        answers=answers,
        sagas=sagas,
        called=called,
        asked=asked,
        book=book,
        by_card=_accounts((m.order_id, m.kind == "card charged", m.cents) for m in book if "card" in m.kind),
        by_credit=_accounts(
            (m.order_id, m.kind == "credit used", m.cents) for m in book if "credit" in m.kind
        ),
        credit=credit,
        ledger=ledger,
        asked_again=asked_again,
        stock=stock,
        shelf=shelf,
        open_reservations=open_reservations,
        parcels=parcels,
        letters=letters,
    )


def _sagas(folder: Folder) -> tuple[_Facts, _Facts, dict[str, Counter[str]]]:
    """Read the sagas, by two views that are public interface: those of orders, those that were called by them, and
    how often customers were asked. Which order a saga is for stands in the input of the outermost."""
    own: _Facts = defaultdict(list)
    called: _Facts = defaultdict(list)
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    with reading(folder.shop / "saga.db") as db:
        started = db.execute(
            "SELECT id, json_extract(detail, '$.parent'), json_extract(detail, '$.input.order_id')"
            " FROM step_history WHERE seq = 1 AND what = 'started' ORDER BY json_extract(detail, '$.parent')"
        )
        orders: dict[str, str] = {}
        were_called = set()
        for saga_id, parent, order_id in started:  # those without a parent first
            orders[saga_id] = orders[parent] if parent else order_id
            if parent:
                were_called.add(saga_id)
        facts = db.execute("SELECT id, name, status, refusal_code, refusal_reason FROM sagas_overview")
        for fact in map(SagaFact._make, facts):
            (called if fact.id in were_called else own)[orders[fact.id]].append(fact)
        for saga_id, element in db.execute(
            "SELECT id, json_extract(detail, '$.element') FROM step_history WHERE what = 'event-published'"
        ):
            asked[orders[saga_id]][ABOUT_CARDS[element]] += 1
    return own, called, asked


def _accounts(movements: Iterable[tuple[str | None, bool, int]]) -> dict[str, Account]:
    """Add up movements of money: order id, whether it was taken, cents."""
    taken, returned = Counter[str](), Counter[str]()
    for order_id, was_taken, cents in movements:
        if order_id is not None:
            (taken if was_taken else returned)[order_id] += cents
    return {each: Account(amount(taken[each]), amount(returned[each])) for each in taken | returned}
