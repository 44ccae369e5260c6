"""Values that would not come back as they are, each with the path of the field and the reason."""

from __future__ import annotations

import math
from collections import UserDict, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import pytest

from saga.codec import codec_for
from saga.errors import NotEncodable

NAN = math.nan
UID = UUID(int=0)


class Colour(Enum):
    RED = "red"


class Size(StrEnum):
    S = "s"


class Name(str):
    pass


class Cents(int):
    pass


class Exact(Decimal):
    pass


class Pair(NamedTuple):
    a: int


@dataclass(frozen=True, slots=True)
class Line:
    sku: str = "a"
    price: Decimal = Decimal(1)
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class GiftLine(Line):
    card: str = ""


class PlainSubLine(Line):
    pass


class Tag(msgspec.Struct):
    text: str


class LongTag(Tag):
    more: str = ""


@dataclass
class Order:
    id: str = "o"
    count: int = 0
    ratio: float = 0.0
    paid: bool = False
    blob: bytes = b""
    uid: UUID = UID
    colour: Colour = Colour.RED
    size: Size = Size.S
    price: Decimal = Decimal(0)
    names: tuple[str, ...] = ()
    floats: list[float] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    by_name: dict[str, Line] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    pair: tuple[int, str] = (0, "")
    first: Line | None = None
    mixed: int | str | Line | list[Line] | None = None
    kind: Literal["a", 1] = "a"
    small: Annotated[int, msgspec.Meta(le=9)] = 0
    tag: Tag | None = None
    hidden: int = field(default=0, compare=False)
    by_colour: dict[Colour, float] = field(default_factory=dict)


LINE = Line()
BAD: list[tuple[str, Any, str, str]] = [
    # field, value, path, part of the reason
    ("id", 1, "id", "expected str, got int 1"),
    ("id", b"x", "id", "expected str, got bytes"),
    ("id", Name("x"), "id", "give a plain str"),
    ("id", "ab\ud800", "id", "lone surrogate, half of a character, at position 2"),
    ("id", Colour.RED, "id", "expected str"),
    ("id", None, "id", "expected str, got NoneType None"),
    ("count", True, "count", "expected int, got bool True"),
    ("count", 1.0, "count", "expected int, got float 1.0"),
    ("count", "1", "count", "expected int, got str '1'"),
    ("count", Cents(1), "count", "give a plain int"),
    ("count", 10**5000, "count", "4300 digits"),
    ("ratio", NAN, "ratio", "is nan; only finite"),
    ("ratio", math.inf, "ratio", "is inf; only finite"),
    ("ratio", True, "ratio", "expected float, got bool"),
    ("ratio", 2**53 + 1, "ratio", "is 9007199254740993, and comes back as 9007199254740992.0"),
    ("ratio", 10**400, "ratio", "cannot be read back"),
    ("ratio", Decimal(1), "ratio", "expected float, got Decimal"),
    ("paid", 1, "paid", "expected bool, got int 1"),
    ("blob", "YQ==", "blob", "expected bytes, got str"),
    ("uid", str(UUID(int=0)), "uid", "expected UUID, got str"),
    ("colour", "red", "colour", "expected Colour/1, got str"),
    ("size", "s", "size", "expected Size/1, got str"),
    ("price", 1, "price", "expected Decimal, got int 1"),
    ("price", 0.5, "price", "expected Decimal, got float 0.5"),
    ("price", "1.5", "price", "expected Decimal, got str"),
    ("price", Exact("1.5"), "price", "give a plain Decimal"),
    ("price", Decimal("NaN"), "price", "is NaN; only finite"),
    ("price", Decimal("sNaN"), "price", "is sNaN; only finite"),
    ("price", Decimal("-Infinity"), "price", "is -Infinity; only finite"),
    ("names", ["a"], "names", "expected tuple[str, ...], got list ['a']"),
    ("names", "ab", "names", "expected tuple[str, ...], got str"),
    ("names", ("a", 1), "names[1]", "expected str, got int 1"),
    ("floats", [1.0, NAN], "floats[1]", "is nan"),
    ("floats", (1.0,), "floats", "expected list[float], got tuple"),
    ("floats", {1.0}, "floats", "expected list[float], got set"),
    ("lines", [LINE, Line(price=Decimal("Infinity"))], "lines[1].price", "is Infinity"),
    ("lines", (LINE,), "lines", "expected list[Line/1], got tuple"),
    ("lines", [GiftLine()], "lines[0]", "a subclass would come back as Line, without what it adds"),
    ("lines", [PlainSubLine()], "lines[0]", "a subclass would come back as Line"),
    ("lines", [{"sku": "a"}], "lines[0]", "expected Line/1, got dict"),
    ("lines", [LINE, None], "lines[1]", "expected Line/1, got NoneType"),
    ("by_name", {"x y": Line(weight=NAN)}, 'by_name["x y"].weight', "is nan"),
    ("by_name", {1: LINE}, "by_name.keys()", "expected str, got int 1"),
    ("by_name", {"\ud800": LINE}, "by_name.keys()", "lone surrogate"),
    ("by_name", LINE, "by_name", "expected dict[str, Line/1], got Line"),
    ("counts", {1: 1, "1": 2}, "counts.keys()", "expected str, got int 1"),
    ("counts", {None: 1}, "counts.keys()", "expected str, got NoneType"),
    ("counts", {True: 1}, "counts.keys()", "expected str, got bool"),
    ("counts", UserDict(a=1), "counts", "expected dict[str, int], got UserDict"),
    ("counts", {"a": "1"}, 'counts["a"]', "expected int, got str"),
    ("pair", (1, 2), "pair[1]", "expected str, got int 2"),
    ("pair", (1,), "pair", "expected 2 items, got 1"),
    ("pair", [1, "a"], "pair", "expected tuple[int, str], got list"),
    ("pair", Pair(1), "pair", "expected 2 items, got 1"),
    ("first", Line(weight=NAN), "first.weight", "is nan"),
    ("first", NAN, "first", "expected Line/1 | null, got float nan"),
    ("mixed", 1.0, "mixed", "expected Line/1 | int | list[Line/1] | str | null, got float"),
    ("mixed", [Line(sku="\ud800")], "mixed[0].sku", "lone surrogate"),
    ("mixed", GiftLine(), "mixed", "got GiftLine"),
    ("kind", "b", "kind", "expected Literal['a', 1], got str 'b'"),
    ("kind", True, "kind", "expected Literal['a', 1], got bool"),
    ("small", 10, "small", "<= 9"),
    ("tag", LongTag("a"), "tag", "got LongTag"),
    ("hidden", "x", "hidden", "expected int, got str"),
    ("by_colour", {"red": 1.0}, "by_colour.keys()", "expected Colour/1, got str"),
]


@pytest.mark.parametrize(
    ("name", "value", "path", "why"), BAD, ids=[f"{name}-{why}" for name, _, _, why in BAD]
)
def test_bad_value_is_refused_with_its_path_and_reason(name: str, value: Any, path: str, why: str) -> None:
    with pytest.raises(NotEncodable) as caught:
        codec_for(Order).roundtrip(Order(**{name: value}))

    assert caught.value.path == path
    assert why in caught.value.why
    assert caught.value.type_name == "Order/1"


@pytest.mark.parametrize("value", [None, Line(), {"id": "o"}, "", Order])
def test_value_of_another_type_is_refused_as_a_whole(value: Any) -> None:
    with pytest.raises(NotEncodable) as caught:
        codec_for(Order).encode(value)

    assert caught.value.path == ""
    assert "expected Order/1, got" in caught.value.why


def test_subclass_with_nothing_of_its_own_is_refused() -> None:
    class Same(Line):
        pass

    with pytest.raises(NotEncodable, match="a subclass would come back as Line"):
        codec_for(Line).encode(Same())


def test_first_of_several_bad_values_is_told() -> None:
    with pytest.raises(NotEncodable) as caught:
        codec_for(Order).encode(Order(count="x", ratio=NAN))  # type: ignore[arg-type]

    assert caught.value.path == "count"


def test_nan_is_refused_though_it_is_the_same_object() -> None:
    """`[nan] == [nan]` holds when it is one object; the twin's would be another."""
    with pytest.raises(NotEncodable):
        codec_for(list[float | None]).encode([None, NAN])


def test_list_in_the_place_of_a_tuple_of_records_is_refused() -> None:
    with pytest.raises(NotEncodable, match=r"expected tuple\[Line/1, int\], got list"):
        codec_for(tuple[Line, int]).encode([LINE, 1])  # type: ignore[arg-type]


def test_defaultdict_is_neither_asked_for_other_keys_nor_changed() -> None:
    value: defaultdict[Any, Line] = defaultdict(Line, {1: LINE})

    with pytest.raises(NotEncodable):
        codec_for(dict[str, Line]).encode(value)
    assert list(value) == [1]


def test_keys_that_become_one_are_refused() -> None:
    with pytest.raises(NotEncodable):
        codec_for(dict[str, Line]).encode({1: LINE, "1": LINE})  # type: ignore[dict-item]


@dataclass
class DictLike:
    """Written as a JSON object, as a dict is."""

    a: Line

    def __len__(self) -> int:
        return 1

    def __contains__(self, key: str) -> bool:
        return True

    def __getitem__(self, key: str) -> Line:
        return self.a


def test_record_that_looks_like_a_dict_is_refused() -> None:
    with pytest.raises(NotEncodable, match="got DictLike"):
        codec_for(dict[str, Line]).encode(DictLike(LINE))  # type: ignore[arg-type]


def test_long_values_are_shortened_in_the_message() -> None:
    with pytest.raises(NotEncodable) as caught:
        codec_for(int).encode("x" * 10_000)  # type: ignore[arg-type]

    assert len(str(caught.value)) < 200
