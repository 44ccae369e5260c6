"""What the world does to an order, decided by its id: so anybody can work out what must become of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import count

from examples.order_fulfilment.outside.baskets import Basket

__all__ = [
    "answer_gets_lost",
    "answers_reminders_only",
    "card_is_declined",
    "card_is_expired",
    "card_of",
    "carrier_drives_there",
    "new_card_of",
    "opening_stock",
    "time_to_answer",
    "time_to_fetch",
    "voucher_of",
]

DECLINED = 0.03
"""Share of the cards that are declined."""

EXPIRED = 0.04
"""Share of the cards that have expired. Every customer who is asked gives another one, sooner or later."""

FASTEST_ANSWER, SLOWEST_ANSWER = timedelta(hours=1), timedelta(hours=10)
"""From the order to the other card, for customers who have a letter."""

FORGETFUL = 0.05
"""Share of the customers who do not answer before they are reminded."""

WITH_VOUCHER = 0.15
"""Share of the customers who have a voucher."""

VOUCHERS = (Decimal(5), Decimal(20), Decimal(50))
"""What a voucher may be worth: half of all orders cost less than 16."""

UNREACHABLE = 0.02
"""Share of the addresses that no carrier drives to."""

NEVER_FETCHED = 0.02
"""Share of the orders whose goods nobody finds."""

LOST_ANSWERS = 0.02
"""Share of the orders to the card processor that it carries out without the answer arriving."""

FASTEST_FETCH, SLOWEST_FETCH = timedelta(hours=1), timedelta(hours=5)
"""From the order to the goods on the packing table. The process waits for 12 hours from the payment."""

POPULAR = 10
"""Products that are wanted more often than this run out: there is a tenth less of them than is wanted."""


def _share(*words: str) -> float:
    """Return a number from 0 up to 1 that looks random and is always the same for the same words."""
    digest = blake2b("|".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def card_of(customer_id: str) -> str:
    """Return the number of a customer's card, as it stands on the card, with the right check digit."""
    return _number("card number", customer_id)


def new_card_of(customer_id: str) -> str:
    """Return the number of the card that a customer gives when the first one has expired; it has not."""
    numbers = (_number(f"card number {nth}", customer_id) for nth in count(2))
    return next(number for number in numbers if not card_is_expired(number))


def _number(*words: str) -> str:
    digits = "4" + f"{int(_share(*words) * 10**14):014}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits)]
    check = -sum(each // 10 + each % 10 for each in doubled) % 10
    number = f"{digits}{check}"
    return " ".join(number[at : at + 4] for at in range(0, 16, 4))


def card_is_expired(number: str) -> bool:
    """Return whether a card cannot be used any more."""
    return _share("expiry", number.replace(" ", "")) < EXPIRED


def card_is_declined(number: str) -> bool:
    """Return whether a card that has not expired cannot be charged all the same."""
    return _share("cover", number.replace(" ", "")) < DECLINED


def time_to_answer(order_id: str) -> timedelta:
    """Return how long after the order its customer gives another card, when there is a letter that asks for it."""
    return FASTEST_ANSWER + (SLOWEST_ANSWER - FASTEST_ANSWER) * _share("answer", order_id)


def answers_reminders_only(customer_id: str) -> bool:
    """Return whether a customer has to be reminded."""
    return _share("memory", customer_id) < FORGETFUL


def voucher_of(customer_id: str) -> Decimal | None:
    """Return what a customer's voucher is worth; None: there is none."""
    if _share("voucher", customer_id) >= WITH_VOUCHER:
        return None
    return VOUCHERS[int(_share("worth", customer_id) * len(VOUCHERS))]


def carrier_drives_there(order_id: str) -> bool:
    """Return whether the order can be shipped."""
    return _share("carrier", order_id) >= UNREACHABLE


def time_to_fetch(order_id: str) -> timedelta | None:
    """Return how long after the order its goods are fetched; None: they are never found."""
    if _share("found", order_id) < NEVER_FETCHED:
        return None
    return FASTEST_FETCH + (SLOWEST_FETCH - FASTEST_FETCH) * _share("fetch", order_id)


def answer_gets_lost(key: str) -> bool:
    """Return whether the first answer of the card processor to the order with this key does not arrive."""
    return _share("line", key) < LOST_ANSWERS


def opening_stock(baskets: Iterable[Basket]) -> Mapping[str, int]:
    """Return product → pieces in the beginning: enough of most, too little of what is popular."""
    wanted: Counter[str] = Counter()
    for basket in baskets:
        for line in basket.lines:
            wanted[line.product_id] += line.quantity
    return {product: pieces * 9 // 10 if pieces > POPULAR else pieces for product, pieces in wanted.items()}
