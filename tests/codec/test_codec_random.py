"""What holds for values nobody thought of: drawn at random, whole and with one bad value somewhere inside."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga.codec import codec_for
from saga.errors import NotEncodable


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(msgspec.Struct, frozen=True):
    width: float
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    price: Decimal
    size: Size | None = None


@dataclass(eq=False)
class Order:
    id: UUID
    placed_at: datetime
    colour: Colour
    lines: tuple[Line, ...]
    by_name: dict[str, list[Line]]
    pair: tuple[int, bytes]
    mixed: int | float | str | bool | list[date] | None
    hour: time
    took: timedelta
    hidden: list[float] = field(default_factory=list, compare=False)
    parts: list[Order] = field(default_factory=list)


Moment = TypeVar("Moment", datetime, time)

texts = st.text(max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
sizes = st.builds(Size, finite, st.none() | texts)
lines = st.builds(Line, texts, st.decimals(allow_nan=False, allow_infinity=False), size=st.none() | sizes)


def without_fold(moment: Moment) -> Moment:
    """Without a zone that changes its clocks `fold` says nothing, and is refused."""
    return moment.replace(fold=0)


def orders_with(parts: st.SearchStrategy[list[Order]]) -> st.SearchStrategy[Order]:
    return st.builds(
        Order,
        id=st.uuids(),
        placed_at=st.datetimes(timezones=st.none() | st.just(UTC) | offsets).map(without_fold),
        colour=st.sampled_from(Colour),
        lines=st.lists(lines, max_size=3).map(tuple),
        by_name=st.dictionaries(texts, st.lists(lines, max_size=2), max_size=2),
        pair=st.tuples(st.integers(), st.binary(max_size=5)),
        mixed=st.none() | st.booleans() | st.integers() | finite | texts | st.lists(st.dates(), max_size=2),
        hour=st.times().map(without_fold),
        took=st.timedeltas(),
        hidden=st.lists(finite, max_size=2),
        parts=parts,
    )


orders = st.recursive(
    orders_with(st.builds(list)), lambda inner: orders_with(st.lists(inner, max_size=2)), max_leaves=3
)

Steps = tuple[str | int, ...]
"""Where a value stands in another: names of fields, positions and keys."""


def parts_of(value: Any) -> dict[str | int, Any]:
    if isinstance(value, Order | Line):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, Size):
        return {"width": value.width, "unit": value.unit}
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    return value if isinstance(value, dict) else {}


def anatomy(value: Any) -> Any:
    """Return all there is to know of a value: the classes and contents of its parts."""
    parts = parts_of(value)
    return type(value), {step: anatomy(part) for step, part in parts.items()} if parts else repr(value)


def places(value: Any) -> Iterator[Steps]:
    for step, part in parts_of(value).items():
        yield (step,)
        yield from ((step, *rest) for rest in places(part))


def with_bad(value: Any, steps: Steps, bad: Any) -> Any:
    """Return `value` with `bad` in the place of what stands at `steps`."""
    if not steps:
        return bad
    parts = parts_of(value)
    parts = parts | {steps[0]: with_bad(parts[steps[0]], steps[1:], bad)}
    if isinstance(value, list | tuple):
        return type(value)(parts.values())
    return (
        parts if isinstance(value, dict) else type(value)(**{str(name): part for name, part in parts.items()})
    )


def path_of(value: Any, steps: Steps) -> str:
    path = ""
    for step in steps:
        path += f".{step}" if isinstance(value, Order | Line | Size) else f"[{json.dumps(step)}]"
        value = parts_of(value)[step]
    return path.removeprefix(".")


@given(orders)
def test_any_value_comes_back_the_same_in_all_its_parts(order: Order) -> None:
    data, twin = codec_for(Order).roundtrip(order)

    assert anatomy(twin) == anatomy(order)
    assert codec_for(Order).encode(order) == codec_for(Order).encode(twin) == data


BAD = [object(), math.nan, -math.inf, "\ud800", {1}, Decimal("Infinity"), Decimal("sNaN"), 10**5000, Line, 1j]


@given(orders, st.data())
def test_one_bad_value_anywhere_is_refused_with_its_path(order: Order, data: st.DataObject) -> None:
    steps = data.draw(st.sampled_from(list(places(order))))
    bad = BAD[data.draw(st.integers(0, len(BAD) - 1))]

    with pytest.raises(NotEncodable) as caught:
        codec_for(Order).encode(with_bad(order, steps, bad))
    assert caught.value.path == path_of(order, steps)


@given(
    st.recursive(
        st.none() | finite | texts | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    )
)
def test_plain_data_is_taken_exactly_when_it_is_of_the_type(plain: Any) -> None:
    codec = codec_for(list[dict[str, float | str | None]])
    accepted = isinstance(plain, list) and all(
        isinstance(each, dict) and all(type(part) in (float, str, type(None)) for part in each.values())
        for each in plain
    )

    if accepted:
        assert codec.roundtrip(plain)[1] == plain
    else:
        with pytest.raises(NotEncodable):
            codec.roundtrip(plain)
