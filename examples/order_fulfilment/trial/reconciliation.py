"""The reconciliation: do all the books say the same, and is it what must have happened?

Each check is a function: it takes the evidence, yields every discrepancy as a sentence, and returns the
figures it has compared. What must become of an order is worked out from the baskets and `fate` alone,
without the shop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from examples.money import amount, cents, total_of
from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.trial.evidence import (
    ABOUT_CARDS,
    COMPLETED,
    REFUSED_AT_CHECKOUT,
    Evidence,
)

__all__ = ["CHECKS", "Findings", "reconcile"]

_ASKED, _REMINDED = ABOUT_CARDS.values()

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
    """No saga is left under way or waiting for a person, none of an order and none that it has called."""
    ended = 0
    for order_id, facts in [*evidence.sagas.items(), *evidence.called.items()]:
        for fact in facts:
            if fact.status not in ("COMPLETED", "COMPENSATED"):
                yield f"order {order_id}: saga {fact.id} is {fact.status}"
            else:
                ended += 1
    return f"{ended:,} ended, none is left"


def called_sagas(evidence: Evidence) -> Generator[str, None, str]:
    """Payment's sagas: one for each order with goods, another one for each that was paid and is undone."""
    for order_id in evidence.sagas.keys() | evidence.called.keys():
        outcome, expected = evidence.outcome(order_id), []
        if outcome in NOT_PAID:
            expected = [("CollectPayment", "COMPENSATED")]
        elif outcome == COMPLETED:
            expected = [("CollectPayment", "COMPLETED")]
        elif outcome not in ("sold-out", REFUSED_AT_CHECKOUT):
            expected = [("CollectPayment", "COMPLETED"), ("ReturnPayment", "COMPLETED")]
        called = sorted((fact.name, fact.status) for fact in evidence.called.get(order_id, []))
        if called != expected:
            yield f"order {order_id} ({outcome}) has called {called}, expected {expected}"
    names = Counter(fact.name for facts in evidence.called.values() for fact in facts)
    return ", ".join(f"{count:,} {name}" for name, count in sorted(names.items()))


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
    """Return what becomes of an order whose goods are there, and fetched in time.

    A customer's orders share his credit, so that only the book can say which of them needs no card.
    """
    by_credit = evidence.account(evidence.by_credit, order_id).taken
    if by_credit != evidence.value(order_id) and not _card_is_good(evidence.baskets[order_id].customer_id):
        return "card-declined"
    if fate.time_to_fetch(order_id) is None:
        return "timeout"
    return COMPLETED if fate.carrier_drives_there(order_id) else "no-carrier"


def _card_is_good(customer_id: str) -> bool:
    """Return whether a customer has a card that can be charged, now or after having been asked for one."""
    card = fate.card_of(customer_id)
    if fate.card_is_expired(card):
        card = fate.new_card_of(customer_id)
    return not fate.card_is_declined(card)


def _scarce_products(evidence: Evidence) -> set[str]:
    """Return the products of which less was there in the beginning than was wanted in all."""
    wanted: Counter[str] = Counter()
    for basket in evidence.baskets.values():
        wanted.update({line.product_id: line.quantity for line in basket.lines})
    opening = fate.opening_stock(evidence.baskets.values())
    return {product for product, pieces in wanted.items() if opening[product] < pieces}


# --- money ----------------------------------------------------------------------------------------


NOT_PAID = ("card-declined", "no-card")
"""Outcomes of orders that could not be paid."""


def payment_book(evidence: Evidence) -> Generator[str, None, str]:
    """What was taken from cards and credit and not returned is the value of the completed orders, to the cent."""
    name = "Payment's book"
    for order_id in evidence.baskets.keys() | evidence.by_card.keys() | evidence.by_credit.keys():
        card = evidence.account(evidence.by_card, order_id)
        credit = evidence.account(evidence.by_credit, order_id)
        due = _due(evidence, order_id)
        if card.kept + credit.kept != due:
            moved = f"card {card.taken} - {card.returned}, credit {credit.taken} - {credit.returned}"
            yield f"{name}: order {order_id} ({evidence.outcome(order_id)}): {moved}, but {due} is due"
        if card.taken + credit.taken > (evidence.value(order_id) if order_id in evidence.baskets else 0):
            yield f"{name}: order {order_id}: {card.taken} + {credit.taken} taken, more than the basket costs"
    card_kept = total_of(account.kept for account in evidence.by_card.values())
    credit_kept = total_of(account.kept for account in evidence.by_credit.values())
    due = total_of(_due(evidence, order_id) for order_id in evidence.baskets)
    if card_kept + credit_kept != due:
        yield f"{name}: {card_kept} + {credit_kept} is not {due}, the value of the completed orders"
    return f"cards {card_kept:,} + credit {credit_kept:,} = {due:,}"


def processor_ledger(evidence: Evidence) -> Generator[str, None, str]:
    """What the card processor kept is what credit did not cover. It has seen every call, repeated ones included."""
    name = "the processor's ledger"
    for order_id in evidence.baskets.keys() | evidence.ledger.keys():
        account = evidence.account(evidence.ledger, order_id)
        due = _due(evidence, order_id) - evidence.account(evidence.by_credit, order_id).kept
        if account.kept != due:
            moved = f"charged {account.taken}, refunded {account.returned}"
            yield f"{name}: order {order_id} ({evidence.outcome(order_id)}): {moved}, but {due} is due"
    charged = total_of(account.taken for account in evidence.ledger.values())
    refunded = total_of(account.returned for account in evidence.ledger.values())
    return f"{charged:,} - {refunded:,} = {charged - refunded:,}; {evidence.asked_again} calls came twice"


def credit(evidence: Evidence) -> Generator[str, None, str]:
    """Each voucher once; what was used is all there was or all that was needed; what is left is what the book says."""
    left, vouchers = Counter[str](), Counter[str]()
    for customer_id, order_id, kind, moved in evidence.book:
        if order_id is None:
            vouchers[customer_id] += moved
        elif kind == "credit used" and moved != min(left[customer_id], cents(evidence.value(order_id))):
            yield f"order {order_id} used {moved} of {left[customer_id]} cents of credit"
        if "card" not in kind:
            left[customer_id] += -moved if kind == "credit used" else moved
    for customer_id in {basket.customer_id for basket in evidence.baskets.values()} | vouchers.keys():
        voucher = cents(fate.voucher_of(customer_id) or Decimal(0))
        if vouchers[customer_id] != voucher:
            yield f"customer {customer_id} has a voucher of {voucher} cents, the book has {vouchers[customer_id]}"
    for customer_id in left.keys() | evidence.credit.keys():
        if left[customer_id] != evidence.credit.get(customer_id, 0):
            noted = evidence.credit.get(customer_id)
            yield f"customer {customer_id} has {left[customer_id]} cents by the book, noted are {noted}"
    used = vouchers.total() - left.total()
    return f"{amount(vouchers.total()):,} in vouchers, {amount(used):,} used"


def _due(evidence: Evidence, order_id: str) -> Decimal:
    """Return what the shop is to have of an order in the end."""
    return evidence.value(order_id) if evidence.outcome(order_id) == COMPLETED else total_of(())


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

LETTER_ABOUT = {COMPLETED: "shipped", "sold-out": "sold out"} | dict.fromkeys(NOT_PAID, "not paid")
"""What the customer is told in the end; of every other outcome, that the money was returned."""


def letters(evidence: Evidence) -> Generator[str, None, str]:
    """Every customer whose order was accepted was told exactly once how it ended, and told the truth."""
    count = 0
    for order_id in evidence.answers.keys() | evidence.letters.keys():
        outcome = evidence.outcome(order_id)
        written = [
            letter for letter in evidence.letters.get(order_id, []) if letter[1] not in ABOUT_CARDS.values()
        ]
        expected = []
        if outcome != REFUSED_AT_CHECKOUT:
            customer = evidence.baskets[order_id].customer_id
            expected = [(customer, LETTER_ABOUT.get(outcome, "money returned"))]
        if written != expected:
            yield f"order {order_id} ({outcome}): letters {written}, expected {expected}"
        count += len(written)
    return f"{count:,} letters"


def letters_about_cards(evidence: Evidence) -> Generator[str, None, str]:
    """Asked and reminded as often as Payment's saga says; and once an order, when the card had expired."""
    for order_id in evidence.letters.keys() | evidence.asked.keys():
        written = Counter(
            about for _, about in evidence.letters.get(order_id, []) if about in ABOUT_CARDS.values()
        )
        asked = evidence.asked.get(order_id, Counter())
        if written != asked:
            yield f"order {order_id}: letters {dict(written)}, but Payment's saga says {dict(asked)}"
        if asked and (asked[_ASKED] != 1 or not _card_had_expired(evidence, order_id)):
            yield f"order {order_id}: asked for another card {asked[_ASKED]} times, without need"
    asked_customers = {evidence.baskets[order_id].customer_id for order_id in evidence.asked}
    for order_id, account in evidence.ledger.items():
        customer_id = evidence.baskets[order_id].customer_id
        if account.taken and _card_had_expired(evidence, order_id) and customer_id not in asked_customers:
            yield f"order {order_id}: a card was charged that has expired"
    all_asked: Counter[str] = sum(evidence.asked.values(), Counter())
    return f"{all_asked[_ASKED]} asked, {all_asked[_REMINDED]} reminded"


def _card_had_expired(evidence: Evidence, order_id: str) -> bool:
    return fate.card_is_expired(fate.card_of(evidence.baskets[order_id].customer_id))


CHECKS: Mapping[str, Check] = {
    "every order placed once, one saga each": orders_placed,
    "every saga has ended": sagas_ended,
    "every outcome is a possible one": outcomes,
    "Payment's own sagas, called by orders": called_sagas,
    "money by Payment's book": payment_book,
    "money by the card processor's ledger": processor_ledger,
    "credit used and restored": credit,
    "stock out = goods of completed orders": goods,
    "Checkout's copy equals the stock": copy_of_stock,
    "one parcel for each completed order": parcels,
    "every customer told once how it ended": letters,
    "asked as often as Payment's saga says": letters_about_cards,
}
"""Title → check, in the order in which they are carried out."""
