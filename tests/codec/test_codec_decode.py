"""Reading stored data: tolerant of what a newer or older version wrote, strict about types."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from saga.codec import codec_for
from saga.errors import NotDecodable


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    price: Decimal = Decimal(0)


def test_unknown_fields_are_left_out() -> None:
    assert codec_for(Line).decode(b'{"sku": "a", "price": "1.5", "more": [1]}') == Line("a", Decimal("1.5"))


def test_missing_field_gets_its_default() -> None:
    assert codec_for(Line).decode(b'{"sku": "a"}') == Line("a")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "missing required field `sku`"),
        (b'{"sku": 1}', "Expected `str`, got `int` - at `$.sku`"),
        (b'{"sku": "a", "price": "x"}', "$.price"),
        (b'{"sku": "a", "price": "NaN"}', "a number in it is not finite"),
        (b'{"sku": "a", "price": "sNaN"}', "InvalidOperation"),
        (b'{"sku": "a", "price": "-Infinity"}', "a number in it is not finite"),
        (b'{"sku": "a"', "truncated"),
        (b'{"sku": "\xff"}', ""),
        (b"", "truncated"),
        (b"null", "Expected `object`, got `null`"),
        (b'{"sku": "a"} {}', "trailing characters"),
    ],
)
def test_what_does_not_fit_is_not_decodable(data: bytes, why: str) -> None:
    with pytest.raises(NotDecodable) as caught:
        codec_for(Line).decode(data)

    assert why in caught.value.why
    assert caught.value.type_name == "Line/1"
