"""Values that are their own twins: only those of which nothing could be different in what is read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from saga import Command, Event, Key
from saga.codec import codec_for
from saga.errors import NotEncodable, PayloadTooLarge


@dataclass(frozen=True, slots=True)
class Price:
    amount: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Buy(Command[None]):
    sku: str
    count: int
    gift: bool
    price: Price
    second: Price | None = None


@dataclass(frozen=True, slots=True)
class Bought(Event):
    sku: Key[str]


class Tagged(msgspec.Struct, frozen=True, tag="tagged", rename="camel", omit_defaults=True):
    long_name: str
    count: int = 1


decimals = st.decimals(allow_nan=False, allow_infinity=False)
prices = st.builds(Price, decimals, st.none() | st.text())
buys = st.builds(Buy, st.text(), st.integers(-(2**63), 2**64 - 1), st.booleans(), prices, st.none() | prices)


@given(buys)
@example(Buy("", -(2**63), True, Price(Decimal("-0"))))
@example(Buy("\x00\U0010ffff", 2**64 - 1, False, Price(Decimal("1E+999999999999999999"))))
@example(Buy("", 0, False, Price(Decimal("1E-1999999999999999997"))))
def test_a_value_that_is_its_own_twin_is_what_would_be_read_back(buy: Buy) -> None:
    data, twin = codec_for(Buy).roundtrip(buy)

    assert twin is buy
    back = codec_for(Buy).decode(data)
    assert (back, repr(back)) == (buy, repr(buy))


@given(st.text(), st.integers(-5, 5))
def test_so_is_a_frozen_struct(name: str, count: int) -> None:
    tagged = Tagged(name, count)
    data, twin = codec_for(Tagged).roundtrip(tagged)

    assert twin is tagged
    assert codec_for(Tagged).decode(data) == tagged


@pytest.mark.parametrize("value", [Bought("a"), Price(Decimal(1)), "text", 1, True, None, Decimal("1.0")])
def test_so_are_events_and_scalars(value: Any) -> None:
    assert codec_for(None if value is None else type(value)).roundtrip(value)[1] is value


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Colour(StrEnum):
    RED = "red"


class Amount(Decimal):
    pass


def buy(**changed: Any) -> Buy:
    return Buy(**{"sku": "a", "count": 1, "gift": False, "price": Price(Decimal(1)), **changed})


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("sku", "\ud800"),
        ("sku", b"a"),
        ("sku", 1),
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
        pytest.param("count", 10**5000, id="a number that is too long"),
        ("gift", 1),
        ("gift", None),
        ("price", None),
        ("price", Price(Decimal("NaN"))),
        ("price", Price(Decimal("sNaN"))),
        ("price", Price(Decimal("-Infinity"))),
        ("price", Price(1)),  # type: ignore[arg-type]
        ("price", Price("1")),  # type: ignore[arg-type]
        ("price", Price(Decimal(1), "\udfff")),
        ("second", Price(Decimal("NaN"))),
        ("second", "null"),
    ],
)
def test_what_would_not_come_back_is_refused_as_ever(part: str, value: Any) -> None:
    with pytest.raises(NotEncodable) as caught:
        codec_for(Buy).roundtrip(buy(**{part: value}))
    assert caught.value.path.startswith(part)


def test_a_part_that_has_no_value_is_refused() -> None:
    with pytest.raises(NotEncodable):
        codec_for(Buy).roundtrip(object.__new__(Buy))


def test_a_subclass_is_refused() -> None:
    class Gift(Price):
        pass

    with pytest.raises(NotEncodable):
        codec_for(Price).roundtrip(Gift(Decimal(1)))


def test_the_limit_holds() -> None:
    with pytest.raises(PayloadTooLarge):
        codec_for(Bought).roundtrip(Bought("a" * 100), 100)


@pytest.mark.parametrize(
    "changed",
    [{"sku": Text("a")}, {"sku": Colour.RED}, {"count": Number(1)}, {"price": Price(Amount(1))}],
)
def test_what_is_of_a_subclass_never_is_its_own_twin(changed: dict[str, Any]) -> None:
    value = buy(**changed)
    try:
        _, twin = codec_for(Buy).roundtrip(value)
    except NotEncodable:
        return
    assert twin is not value
    assert {type(twin.sku), type(twin.count), type(twin.price.amount)} == {str, int, Decimal}


@dataclass(slots=True)
class Changeable:
    a: str


@dataclass(frozen=True)
class WithDict:
    a: str


class Roomy:
    __slots__ = ("cached",)


@dataclass(frozen=True, slots=True)
class WithHiddenSlot(Roomy):
    a: str


@dataclass(frozen=True, slots=True)
class WithPostInit:
    a: str

    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class WithNew:
    a: str

    def __new__(cls, *_: object) -> WithNew:
        return object.__new__(cls)


@dataclass(frozen=True, slots=True)
class WithGetattribute:
    a: str

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)


@dataclass(frozen=True, slots=True)
class WithList:
    a: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WithChangeable:
    a: Changeable


@dataclass(frozen=True, slots=True)
class WithLimit:
    a: Annotated[str, msgspec.Meta(max_length=3)]


class ChangeableStruct(msgspec.Struct):
    a: str


class StructWithPostInit(msgspec.Struct, frozen=True):
    a: str

    def __post_init__(self) -> None:
        pass


class StructWithDict(msgspec.Struct, frozen=True, dict=True):
    a: str


@dataclass(frozen=True, slots=True)
class Chain:
    a: str
    next: Chain | None = None


@pytest.mark.parametrize(
    "value",
    [
        Changeable("a"),
        WithDict("a"),
        WithHiddenSlot("a"),
        WithPostInit("a"),
        WithNew("a"),
        WithGetattribute("a"),
        WithList(["a"]),
        WithChangeable(Changeable("a")),
        WithLimit("a"),
        ChangeableStruct("a"),
        StructWithPostInit("a"),
        StructWithDict("a"),
        Chain("a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_change_or_hide_something_is_read_back(value: Any) -> None:
    _, twin = codec_for(type(value)).roundtrip(value)
    assert twin is not value
    assert twin == value
