"""Values that are stored, and come back as what they were."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, ClassVar, Literal, NewType
from uuid import UUID

import msgspec
import pytest

from saga.codec import codec_for
from saga.messages import Event, Key

OrderId = NewType("OrderId", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(StrEnum):
    S = "s"


class Level(IntEnum):
    LOW = 1


class Right(Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    price: Decimal


@dataclass
class Basket:
    lines: list[Line] = field(default_factory=list)
    gift: Line | None = None
    by_name: dict[str, Line] = field(default_factory=dict)
    pair: tuple[Line, datetime] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    kind: ClassVar[str] = "tree"
    name: str
    parts: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    order_id: Key[str]


class Circle(msgspec.Struct, frozen=True, tag="circle"):
    radius: float


class Square(msgspec.Struct, frozen=True, tag="square", rename="camel"):
    side_length: float = 1.0


class Point(msgspec.Struct, array_like=True):
    x: int
    y: int = 0


LINE = Line("a", Decimal("1.50"))
AT = datetime(2026, 11, 1, 12, 30, 15, 123456, UTC)

VALUES: list[tuple[Any, Any]] = [
    (str, ""),
    (str, 'é ✓ 🎈 \0 \u2028 "\\'),
    (int, 0),
    (int, -(2**63)),
    (int, 2**64),
    (int, 10**4000),
    (float, 0.1),
    (float, 5e-324),
    (float, 1.7976931348623157e308),
    (bool, True),
    (bytes, b"\x00\xff"),
    (type(None), None),
    (None, None),
    (date, date(1, 1, 1)),
    (datetime, AT),
    (datetime, datetime.max),  # noqa: DTZ901
    (datetime, datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))),
    (time, time(23, 59, 59, 999999)),
    (time, time(1, 2, tzinfo=UTC)),
    (timedelta, timedelta.max),
    (timedelta, timedelta.min),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (Decimal, Decimal("1E+500")),
    (UUID, UUID(int=7)),
    (Colour, Colour.BLUE),
    (Size, Size.S),
    (Level, Level.LOW),
    (Right, Right.READ | Right.WRITE),
    (Right, Right(0)),
    (OrderId, OrderId("o-1")),
    (Key[str], "o-1"),
    (Annotated[int, msgspec.Meta(ge=0)], 3),
    (Literal["a", 1, None], 1),
    (int | None, None),
    (int | float, 1),
    (int | float, 1.0),
    (Decimal | float, Decimal("1.5")),
    (datetime | int | None, AT),
    (Colour | int, Colour.RED),
    (list[int] | int | str, [1]),
    (Line | None, LINE),
    (Line | list[Line] | int | str | None, [LINE]),
    (Circle | Square, Square(2.0)),
    (Circle | Square | None, None),
    (Point, Point(1)),
    (tuple[()], ()),
    (tuple[int, str, Line], (1, "a", LINE)),
    (tuple[Line, ...], (LINE, LINE)),
    (tuple[Colour, ...], (Colour.RED,)),
    (list[list[Decimal]], [[], [Decimal(1)]]),
    (tuple[int, Decimal] | str, (1, Decimal("1.50"))),
    (dict[str, Decimal] | None, {"a": Decimal("1.50")}),
    (dict[str, dict[str, int]], {"a": {"b": 1}}),
    (Annotated[str, msgspec.Meta(description="for people")], "a"),
    (list[datetime | None], [None, AT]),
    (dict[str, int], {"": 1, "b": 2, "a": 3}),
    (dict[OrderId, int], {OrderId("o"): 1}),
    (dict[Colour, Line], {Colour.RED: LINE}),
    (dict[Literal["a"], tuple[int, int]], {"a": (1, 2)}),
    (Basket, Basket()),
    (Basket, Basket([LINE], LINE, {"x": LINE}, (LINE, AT))),
    (Tree, Tree(name="a", parts=(Tree(name="b"), Tree(name="c", parts=(Tree(name="d"),))))),
    (Fetched, Fetched("o-1")),
]


def plain(each: object) -> str:
    """Return a name for a test without anything that needs to be escaped, as mutmut wants it."""
    return ascii(str(each)[:60]).replace("\\", "/")[1:-1]


@pytest.mark.parametrize(("tp", "value"), VALUES, ids=plain)
def test_value_comes_back_equal_and_of_its_own_class(tp: Any, value: Any) -> None:
    _, twin = codec_for(tp).roundtrip(value)

    assert twin == value
    assert type(twin) is type(value)


@pytest.mark.parametrize(("tp", "value"), VALUES, ids=plain)
def test_twin_is_encoded_to_the_same_bytes_and_they_are_decoded_to_it(tp: Any, value: Any) -> None:
    codec = codec_for(tp)
    data, twin = codec.roundtrip(value)

    assert codec.encode(twin) == data
    assert codec.decode(memoryview(data)) == twin


def test_twin_is_another_object_than_the_value() -> None:
    basket = Basket([LINE])
    _, twin = codec_for(Basket).roundtrip(basket)
    basket.lines.clear()

    assert twin.lines == [LINE]


def test_minus_zero_keeps_its_sign() -> None:
    assert str(codec_for(float).roundtrip(-0.0)[1]) == "-0.0"


@pytest.mark.parametrize("text", ["1.0", "1.00", "0E+3", "-0", "1E-7"])
def test_decimal_keeps_its_digits(text: str) -> None:
    assert str(codec_for(Decimal).roundtrip(Decimal(text))[1]) == text


def test_bool_and_int_in_one_union_stay_apart() -> None:
    codec = codec_for(tuple[int | bool, ...])

    assert [type(each) for each in codec.roundtrip((1, True, 0))[1]] == [int, bool, int]


def test_order_of_a_dict_is_kept() -> None:
    assert list(codec_for(dict[str, int]).roundtrip({"b": 1, "a": 2})[1]) == ["b", "a"]


@pytest.mark.parametrize(
    ("tp", "value", "twin"),
    [
        (float, 1, 1.0),
        (str, Size.S, "s"),
        (int, Level.LOW, 1),
        (bytes, bytearray(b"a"), b"a"),
        (dict[str, int], OrderedDict(a=1), {"a": 1}),
    ],
    ids=str,
)
def test_what_may_stand_for_another_comes_back_as_the_declared_type(tp: Any, value: Any, twin: Any) -> None:
    _, back = codec_for(tp).roundtrip(value)

    assert back == twin
    assert type(back) is type(twin)


def test_codec_is_made_once() -> None:
    assert codec_for(Basket) is codec_for(Basket)


def test_type_with_metadata_that_is_not_hashable_has_a_codec() -> None:
    assert codec_for(Annotated[int, []]).roundtrip(3) == (b"3", 3)
