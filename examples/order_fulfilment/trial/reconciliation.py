"""The reconciliation: do all the books say the same, and is it what must have happened?

Each check is a function: it takes the evidence, yields every discrepancy as a sentence, and returns the
figures it has compared. What must become of an order is worked out from the baskets and `fate` alone,
without the shop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from examples.order_fulfilment.money import total_of
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.trial.evidence import COMPLETED, REFUSED_AT_CHECKOUT, Account, Evidence

__all__ = ["CHECKS", "Findings", "reconcile"]

Check: TypeAlias = Callable[[Evidence], Generator[str, None, str]]


class Findings(NamedTuple):
    """What a check has found."""

    title: str
    figures: str
    faults: Sequence[str]


def reconcile(evidence: Evidence) -> Iterator[Findings]:
    """Carry out all checks."""
    for title, check in CHECKS.items():
        yield findings(title, check(evidence))


def findings(title: str, checking: Generator[str, None, str]) -> Findings:
    """Carry out one check."""
    faults = []
    while True:
        try:
            faults.append(next(checking))
        except StopIteration as end:
            return Findings(title, end.value, faults)


# --- orders ---------------------------------------------------------------------------------------


def orders_placed(evidence: Evidence) -> Generator[str, None, str]:
    """Every basket is an order at Checkout; every accepted one has its saga, no other has."""
    for order_id in evidence.baskets.keys() - evidence.answers.keys():
        yield f"order {order_id} was not placed"
    for order_id, answer in evidence.answers.items():
        sagas = len(evidence.sagas.get(order_id, []))
        if sagas != (answer == "accepted"):
            yield f"order {order_id} was {answer} and has {sagas} sagas"
    for order_id in evidence.sagas.keys() - evidence.answers.keys():
        yield f"there is a saga for order {order_id}, which was never placed"
    return f"{len(evidence.answers):,} orders, {len(evidence.sagas):,} sagas"


def sagas_ended(evidence: Evidence) -> Generator[str, None, str]:
    """No saga is left under way or waiting for a person."""
    ended = 0
    for order_id, facts in evidence.sagas.items():
        for fact in facts:
            if fact.status not in ("COMPLETED", "COMPENSATED"):
                yield f"order {order_id}: saga {fact.id} is {fact.status}"
            else:
                ended += 1
    return f"{ended:,} ended, none is left"


def outcomes(evidence: Evidence) -> Generator[str, None, str]:
    """Each order ended in one of the ways that its goods, its card, its address and the warehouse allow."""
    scarce = _scarce_products(evidence)
    for order_id, basket in evidence.baskets.items():
        outcome, possible = evidence.outcome(order_id), {_fate_of(evidence, order_id)}
        if scarce & {line.product_id for line in basket.lines}:
            possible |= {REFUSED_AT_CHECKOUT, "sold-out"}
        if possible & {COMPLETED, "no-carrier"}:
            possible.add("timeout")  # whoever fetches goods while the shop is dead may come too late
        if outcome not in possible:
            yield f"order {order_id} ended as {outcome}; possible is {' or '.join(sorted(possible))}"
    return "as cards, goods and carriers allow"


def _fate_of(evidence: Evidence, order_id: str) -> str:
    """Return what becomes of an order whose goods are there, and fetched in time."""
    if not fate.card_is_good(fate.card_of(evidence.baskets[order_id].customer_id)):
        return "card-declined"
    if fate.time_to_fetch(order_id) is None:
        return "timeout"
    return COMPLETED if fate.carrier_drives_there(order_id) else "no-carrier"


def _scarce_products(evidence: Evidence) -> set[str]:
    """Return the products of which less was there in the beginning than was wanted in all."""
    wanted: Counter[str] = Counter()
    for basket in evidence.baskets.values():
        wanted.update({line.product_id: line.quantity for line in basket.lines})
    opening = fate.opening_stock(evidence.baskets.values())
    return {product for product, pieces in wanted.items() if opening[product] < pieces}


# --- money ----------------------------------------------------------------------------------------


def payment_book(evidence: Evidence) -> Generator[str, None, str]:
    """What was taken and not returned is the value of the completed orders, each to the cent."""
    return (yield from _money(evidence, evidence.book, "Payment's book", "taken", "returned"))


def processor_ledger(evidence: Evidence) -> Generator[str, None, str]:
    """The same by the ledger of the card processor, which has seen every call, repeated ones included."""
    figures = yield from _money(evidence, evidence.ledger, "the processor's ledger", "charged", "refunded")
    return f"{figures}; {evidence.asked_again} calls came twice"


def _money(
    evidence: Evidence, book: Mapping[str, Account], name: str, taken: str, returned: str
) -> Generator[str, None, str]:
    for order_id in evidence.baskets.keys() | book.keys():
        account, outcome = evidence.account(book, order_id), evidence.outcome(order_id)
        due = evidence.value(order_id) if outcome == COMPLETED else total_of(())
        if account.kept != due:
            moved = f"{taken} {account.taken}, {returned} {account.returned}"
            yield f"{name}: order {order_id} ({outcome}): {moved}, but {due} is due"
        if account.taken > (evidence.value(order_id) if order_id in evidence.baskets else 0):
            yield f"{name}: order {order_id}: {account.taken} {taken}, more than the basket costs"
    completed = [order_id for order_id in evidence.baskets if evidence.outcome(order_id) == COMPLETED]
    due = total_of(map(evidence.value, completed))
    all_taken = total_of(account.taken for account in book.values())
    all_returned = total_of(account.returned for account in book.values())
    if all_taken - all_returned != due:
        yield f"{name}: {all_taken} - {all_returned} is not {due}, the value of the completed orders"
    return f"{all_taken:,} - {all_returned:,} = {due:,}"


# --- goods ----------------------------------------------------------------------------------------


def goods(evidence: Evidence) -> Generator[str, None, str]:
    """What has left the shelves is what the completed orders hold, by product; nothing is reserved."""
    sold: Counter[str] = Counter()
    for order_id, basket in evidence.baskets.items():
        if evidence.outcome(order_id) == COMPLETED:
            sold.update({line.product_id: line.quantity for line in basket.lines})
    opening = fate.opening_stock(evidence.baskets.values())
    for product in sorted(opening.keys() | evidence.stock.keys()):
        if product not in evidence.stock or product not in opening:
            yield f"product {product} is {'unknown to' if product in opening else 'too much in'} Inventory"
            continue
        on_hand, reserved = evidence.stock[product]
        if opening[product] - on_hand != sold[product]:
            yield f"product {product}: {opening[product]} - {on_hand} are gone, but {sold[product]} were sold"
        if reserved:
            yield f"product {product}: {reserved} are still reserved"
    for order_id in evidence.open_reservations:
        yield f"order {order_id} still has a reservation"
    return f"{sold.total():,} pieces of {len(sold):,} products left"


def copy_of_stock(evidence: Evidence) -> Generator[str, None, str]:
    """Checkout's copy has heard of everything."""
    for product in sorted(evidence.stock.keys() | evidence.shelf.keys()):
        stock = evidence.stock.get(product)
        copied = evidence.shelf.get(product)
        if stock is None or stock.on_hand != copied:
            yield f"product {product}: Checkout's copy says {copied}, Inventory {stock and stock.on_hand}"
    return f"{len(evidence.shelf):,} products"


def parcels(evidence: Evidence) -> Generator[str, None, str]:
    """One parcel for each completed order, none for any other."""
    for order_id in evidence.baskets.keys() | evidence.parcels.keys():
        sent, outcome = evidence.parcels.get(order_id, 0), evidence.outcome(order_id)
        if sent != (outcome == COMPLETED):
            yield f"order {order_id} ({outcome}): {sent} parcels"
    return f"{sum(evidence.parcels.values()):,} parcels"


# --- customers ------------------------------------------------------------------------------------

LETTER_ABOUT = {COMPLETED: "shipped", "sold-out": "sold out", "card-declined": "not paid"}
"""What the customer is told; of every other outcome, that the money was returned."""


def letters(evidence: Evidence) -> Generator[str, None, str]:
    """Every customer whose order was accepted was told exactly once how it ended, and told the truth."""
    for order_id in evidence.answers.keys() | evidence.letters.keys():
        outcome, written = evidence.outcome(order_id), evidence.letters.get(order_id, [])
        expected = []
        if outcome != REFUSED_AT_CHECKOUT:
            customer = evidence.baskets[order_id].customer_id
            expected = [(customer, LETTER_ABOUT.get(outcome, "money returned"))]
        if written != expected:
            yield f"order {order_id} ({outcome}): letters {written}, expected {expected}"
    return f"{sum(map(len, evidence.letters.values())):,} letters"


CHECKS: Mapping[str, Check] = {
    "every order placed once, one saga each": orders_placed,
    "every saga has ended": sagas_ended,
    "every outcome is a possible one": outcomes,
    "money by Payment's book": payment_book,
    "money by the card processor's ledger": processor_ledger,
    "stock out = goods of completed orders": goods,
    "Checkout's copy equals the stock": copy_of_stock,
    "one parcel for each completed order": parcels,
    "every customer told exactly once": letters,
}
"""Title → check, in the order in which they are carried out."""
