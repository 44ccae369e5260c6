"""The search for card numbers in everything that a trial leaves behind, byte by byte.

It knows the numbers, and looks for each run of digits that holds one, also with blanks or dashes in
between. That it can find them at all is shown by Payment's own file, where they must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from examples.order_fulfilment.outside import fate
from examples.order_fulfilment.outside.baskets import read_baskets
from examples.order_fulfilment.trial.folder import Folder

__all__ = ["cards_in", "traces_of_cards"]

DIGITS = 16
_RUN = re.compile(rb"\d(?:[ -]?\d){15,}")
_PIECE = 8 * 1024 * 1024
_OVERLAP = 64
"""Bytes that two pieces have in common; a number with separators is shorter."""


def traces_of_cards(folder: Folder, orders: int, said: str = "") -> Iterator[str]:
    """Yield where card numbers are that must not be there, `said` on the screen included."""
    customers = {basket.customer_id for basket in read_baskets(orders)}
    cards = (card(customer) for customer in customers for card in (fate.card_of, fate.new_card_of))
    numbers = {number.replace(" ", "") for number in cards}
    own = folder.context("payment").name
    at_home: set[str] = set()
    for file in folder.files():
        found = _cards_in_file(file, numbers)
        if file.name.startswith(own):
            at_home |= found
        else:
            yield from (f"a card number that ends in {each[-4:]} is in {file.name}" for each in sorted(found))
    for each in sorted(cards_in(said.encode(), numbers)):
        yield f"a card number that ends in {each[-4:]} was written to the screen"
    if not at_home:
        yield "the search has not found one number in Payment's own file: so it shows nothing"


def cards_in(data: bytes, numbers: set[str]) -> set[str]:
    """Return those of the numbers, given as digits, that `data` holds."""
    found: set[str] = set()
    for run in _RUN.finditer(data):
        digits = re.sub(rb"[ -]", b"", run.group()).decode()
        found |= numbers.intersection(digits[at : at + DIGITS] for at in range(len(digits) - DIGITS + 1))
    return found


def _cards_in_file(file: Path, numbers: set[str]) -> set[str]:
    found: set[str] = set()
    with open(file, "rb") as stream:
        rest = b""
        while piece := stream.read(_PIECE):
            found |= cards_in(rest + piece, numbers)
            rest = piece[-_OVERLAP:]
    return found
