"""What the world does to an order, decided by its id: so anybody can work out what must become of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from hashlib import blake2b

from examples.order_fulfilment.outside.baskets import Basket

__all__ = [
    "answer_gets_lost",
    "card_is_good",
    "card_of",
    "carrier_drives_there",
    "opening_stock",
    "time_to_fetch",
]

DECLINED = 0.03
"""Share of the cards that are declined."""

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
    digits = "4" + f"{int(_share('card number', customer_id) * 10**14):014}"
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(digits)]
    check = -sum(each // 10 + each % 10 for each in doubled) % 10
    number = f"{digits}{check}"
    return " ".join(number[at : at + 4] for at in range(0, 16, 4))


def card_is_good(number: str) -> bool:
    """Return whether a card can be charged."""
    return _share("cover", number.replace(" ", "")) >= DECLINED


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
