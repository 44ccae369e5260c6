"""What a trial has left, read from all the books: of the contexts, of the sagas, of the card processor."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from examples.order_fulfilment.money import amount, total_of
from examples.order_fulfilment.outside.baskets import Basket, read_baskets
from examples.order_fulfilment.trial.folder import Folder, reading

__all__ = ["COMPLETED", "REFUSED_AT_CHECKOUT", "Account", "Evidence", "SagaFact", "Stock", "gather"]

COMPLETED = "completed"
REFUSED_AT_CHECKOUT = "refused at checkout"


class SagaFact(NamedTuple):
    """How a saga ended."""

    id: str
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


class Stock(NamedTuple):
    """One product in Inventory."""

    on_hand: int
    reserved: int


NOTHING = Account(Decimal("0.00"), Decimal("0.00"))


@dataclass
class Evidence:
    """All that the reconciliation looks at; `[str, ...]` are by order id, where nothing else is said."""

    baskets: Mapping[str, Basket]
    answers: Mapping[str, str]
    """What Checkout answered: `accepted` or `sold-out`."""
    sagas: Mapping[str, list[SagaFact]]
    book: Mapping[str, Account]
    """Of Payment."""
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
        book = _accounts(
            db.execute(
                "SELECT order_id, kind = 'taken', b.amount_cents FROM book b JOIN payments USING (payment_id)"
            ).fetchall()
        )
    with reading(folder.ledger) as db:
        entries = db.execute("SELECT reference, kind = 'charge', amount_cents FROM entries").fetchall()
        ledger = _accounts([(reference.removeprefix("payment-"), *rest) for reference, *rest in entries])
        (asked_again,) = db.execute("SELECT count(*) FROM orders WHERE asked > 1").fetchone()
    with reading(folder.context("shipment")) as db:
        parcels = dict(db.execute("SELECT order_id, count(*) FROM parcels GROUP BY order_id"))
    letters = defaultdict(list)
    with reading(folder.context("notification")) as db:
        for order_id, *letter in db.execute("SELECT order_id, customer_id, about FROM letters"):
            letters[order_id].append(tuple(letter))
    return Evidence(
        baskets={basket.order_id: basket for basket in read_baskets(orders)},
        answers=answers,
        sagas=_sagas(folder),
        book=book,
        ledger=ledger,
        asked_again=asked_again,
        stock=stock,
        shelf=shelf,
        open_reservations=open_reservations,
        parcels=parcels,
        letters=letters,
    )


def _sagas(folder: Folder) -> dict[str, list[SagaFact]]:
    """Read the sagas, by two views that are public interface. Which order one is for stands in its input."""
    found = defaultdict(list)
    with reading(folder.shop / "saga.db") as db:
        orders = dict(
            db.execute(
                "SELECT id, json_extract(detail, '$.input.order_id') FROM step_history"
                " WHERE seq = 1 AND what = 'started'"
            )
        )
        for fact in db.execute("SELECT id, status, refusal_code, refusal_reason FROM sagas_overview"):
            found[orders[fact[0]]].append(SagaFact(*fact))
    return found


def _accounts(movements: list[tuple[str, int, int]]) -> dict[str, Account]:
    """Add up movements of money: order id, whether it was taken, cents."""
    taken, returned = Counter[str](), Counter[str]()
    for order_id, was_taken, cents in movements:
        (taken if was_taken else returned)[order_id] += cents
    return {each: Account(amount(taken[each]), amount(returned[each])) for each in taken | returned}
