"""Types that can be stored, made at random, with values of each, the parts of a value, and when two are the same.

It is a second opinion on `saga.codec`: nothing here is taken from it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from functools import cache, partial
from random import Random
from typing import Any, Literal
from uuid import UUID

import msgspec

__all__ = ["BAD", "Kind", "Part", "kind", "parts", "random_kind", "same"]

TYPES = 500
"""How many types there are: each takes a while to be understood."""


class Colour(Enum):
    """A str-valued Enum."""

    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    """An int-valued Enum."""

    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Kind:
    """A type: its annotation, and how a value of it is drawn."""

    name: str
    """`list`, `record`, `int`, ...; says what `parts` are."""
    annotation: Any
    draw: Callable[[Random, int], Any]
    """Called with how much may still be in it."""
    inner: tuple[Kind, ...] = ()
    fields: tuple[str, ...] = ()
    members: dict[type, int] = field(default_factory=dict)
    """Of a union: class of a value → which of `inner`."""


def scalar(annotation: Any, draw: Callable[[Random], Any]) -> Kind:
    """Return a kind without parts."""
    return Kind(getattr(annotation, "__name__", str(annotation)), annotation, lambda rng, size: draw(rng))


TEXTS = (
    "",
    "a",
    "ä",
    "\u0000",
    '"',
    "\\",
    "null",
    "1",
    "NaN",
    "\u2028",
    "😀",
    "x" * 40,
    "2024-01-01",
    "/",
    "é\u0301",
)
INTS = (0, 1, -1, 255, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 10**30, -(10**30))
FLOATS = (0.0, -0.0, 1.0, 0.1, 1e-320, 1e308, -1e308, 5e-324, 2.0**53, 1 / 3, 123456789.123456789)
DECIMALS = ("0", "-0", "1.10", "1E+3", "1E-10", "0.000", "99999999999999999999.99", "-1E+28", "1e999")


def text(rng: Random) -> str:
    """Return any text."""
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    top = rng.choice((127, 255, 0xD7FF))
    return "".join(chr(rng.randrange(top)) for _ in range(rng.randrange(9)))


def _offset(rng: Random) -> timezone | None:
    return rng.choice((None, UTC, timezone(timedelta(minutes=rng.randint(-1439, 1439)))))


_NAIVE = datetime(1, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def _datetime(rng: Random) -> datetime:
    if rng.random() < 0.1:
        return rng.choice(
            (_NAIVE, _NAIVE.replace(9999, 12, 31), _NAIVE.replace(1970), datetime(2000, 2, 29, tzinfo=UTC))
        )
    day = _NAIVE.replace(rng.randint(1, 9999), rng.randint(1, 12), rng.randint(1, 28))
    at = timedelta(microseconds=rng.randrange(86_400_000_000) if rng.random() < 0.7 else 0)
    return (day + at).replace(tzinfo=_offset(rng))


def _time(rng: Random) -> time:
    return _datetime(rng).timetz()


def _timedelta(rng: Random) -> timedelta:
    if rng.random() < 0.1:
        return rng.choice(
            (timedelta(0), timedelta.resolution, -timedelta.resolution, timedelta(days=999_999_999))
        )
    return timedelta(
        rng.randint(-1000, 1000), rng.randint(-86_400, 86_400), rng.choice((0, rng.randrange(1_000_000)))
    )


def _decimal(rng: Random) -> Decimal:
    if rng.random() < 0.5:
        return Decimal(rng.choice(DECIMALS))
    return Decimal(rng.randint(-(10**12), 10**12)).scaleb(rng.randint(-6, 3))


def _int(rng: Random) -> int:
    return rng.choice(INTS) if rng.random() < 0.4 else rng.randint(-1000, 1000)


def _float(rng: Random) -> float:
    return rng.choice(FLOATS) if rng.random() < 0.4 else rng.uniform(-1e6, 1e6)


SCALARS = (
    scalar(str, text),
    scalar(int, _int),
    scalar(float, _float),
    scalar(bool, lambda rng: rng.random() < 0.5),
    scalar(bytes, lambda rng: rng.randbytes(rng.randrange(6))),
    scalar(datetime, _datetime),
    scalar(date, lambda rng: _datetime(rng).date()),
    scalar(time, _time),
    scalar(timedelta, _timedelta),
    scalar(Decimal, _decimal),
    scalar(UUID, lambda rng: UUID(int=rng.getrandbits(128))),
    scalar(None, lambda rng: None),
    scalar(Colour, lambda rng: rng.choice(list(Colour))),
    scalar(Level, lambda rng: rng.choice(list(Level))),
    scalar(Literal["a", "b", 3], lambda rng: rng.choice(("a", "b", 3))),
)
BAD: tuple[Any, ...] = (
    object(),
    math.nan,
    math.inf,
    -math.inf,
    "\ud800",
    {1, 2},
    Decimal("Infinity"),
    Decimal("NaN"),
    Decimal("sNaN"),
    10**5000,
    Colour,
    1j,
    b"x",
    bytearray(b"x"),
    None,
    True,
    1,
    1.5,
    "text",
    [],
    (),
    {},
    {1: 2},
    [[[]]],
    Colour.RED,
    Level.LOW,
    date(2024, 1, 1),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 1, fold=1, tzinfo=UTC).replace(tzinfo=None),
    time(1, fold=1),
    timedelta(1),
    msgspec.UNSET,
    ...,
)
"""What does not belong where it is put; most of it, mostly."""


@cache
def kind(number: int) -> Kind:
    """Return the type with this number, always the same one."""
    return random_kind(Random(f"type {number}"), 3)


def random_kind(rng: Random, depth: int) -> Kind:
    """Return some type. Not all of them can be stored: unions that JSON cannot tell apart, for example."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(SCALARS)
    make = rng.choice(
        (_list, _tuple, _pair, _dict, _union, _dataclass, _dataclass, _dataclass, _struct, _struct)
    )
    return make(rng, depth - 1)


def _some(rng: Random, size: int) -> int:
    return rng.randrange(min(size, 3) + 1)


def _list(rng: Random, depth: int) -> Kind:
    item = random_kind(rng, depth)
    return Kind(
        "list",
        list[item.annotation],  # type: ignore[name-defined]
        lambda rng, size: [item.draw(rng, size - 1) for _ in range(_some(rng, size))],
        (item,),
    )


def _tuple(rng: Random, depth: int) -> Kind:
    item = random_kind(rng, depth)
    return Kind(
        "tuple",
        tuple[item.annotation, ...],  # type: ignore[name-defined]
        lambda rng, size: tuple(item.draw(rng, size - 1) for _ in range(_some(rng, size))),
        (item,),
    )


def _pair(rng: Random, depth: int) -> Kind:
    inner = tuple(random_kind(rng, depth) for _ in range(rng.randint(1, 3)))
    annotation: Any = tuple.__class_getitem__(tuple(each.annotation for each in inner))
    return Kind("pair", annotation, lambda rng, size: tuple(each.draw(rng, size) for each in inner), inner)


def _dict(rng: Random, depth: int) -> Kind:
    value = random_kind(rng, depth)
    return Kind(
        "dict",
        dict[str, value.annotation],  # type: ignore[name-defined]
        lambda rng, size: {text(rng): value.draw(rng, size - 1) for _ in range(_some(rng, size))},
        (value,),
    )


def _union(rng: Random, depth: int) -> Kind:
    members = tuple(random_kind(rng, depth) for _ in range(rng.randint(1, 2)))
    members = (*members, SCALARS[11])
    annotation: Any = members[0].annotation
    for each in members[1:]:
        annotation = annotation | each.annotation if annotation is not None else each.annotation
    return Kind("union", annotation, lambda rng, size: rng.choice(members).draw(rng, size), members)


def _names(rng: Random) -> tuple[str, ...]:
    return tuple(rng.sample(("a", "b", "c", "id", "name", "value", "kind", "a_b"), rng.randint(0, 4)))


def _dataclass(rng: Random, depth: int) -> Kind:
    names = _names(rng)
    inner = tuple(random_kind(rng, depth) for _ in names)
    options: Any = {"frozen": rng.random() < 0.5, "slots": rng.random() < 0.5, "eq": rng.random() < 0.8}
    annotations = [
        (name, each.annotation, dataclasses.field(compare=rng.random() < 0.8))
        for name, each in zip(names, inner, strict=True)
    ]
    made = dataclasses.make_dataclass(f"Data{rng.randrange(1000)}", annotations, **options)
    made.__module__ = __name__
    return Kind("record", made, _drawn(made, names, inner), inner, names)


def _struct(rng: Random, depth: int) -> Kind:
    names = _names(rng)
    inner = tuple(random_kind(rng, depth) for _ in names)
    made = msgspec.defstruct(
        f"Struct{rng.randrange(1000)}",
        [(name, each.annotation) for name, each in zip(names, inner, strict=True)],
        module=__name__,
        frozen=rng.random() < 0.5,
        tag=rng.choice((None, None, True)),
        tag_field=rng.choice((None, "is")),
        array_like=rng.random() < 0.2,
        rename=rng.choice((None, None, "camel")),
        eq=rng.random() < 0.8,
    )
    return Kind("record", made, _drawn(made, names, inner), inner, names)


def _drawn(made: Any, names: tuple[str, ...], inner: tuple[Kind, ...]) -> Callable[[Random, int], Any]:
    pairs = tuple(zip(names, inner, strict=True))
    return lambda rng, size: made(**{name: each.draw(rng, size) for name, each in pairs})


# --- looking into values ----------------------------------------------------------------------------

Part = tuple[str, Kind, Any, Callable[[Any], Any]]
"""Step in a path, what it is declared as, what it is, and the whole with something else in its place."""


def parts(of: Kind, value: Any) -> Iterator[Part]:
    """Yield the parts of a value of this kind."""
    if of.name == "union":
        for member in of.inner:
            if _is_of(member, value):
                yield from parts(member, value)
                return
    elif of.name in ("list", "tuple"):
        for n, item in enumerate(value):
            yield (
                f"[{n}]",
                of.inner[0],
                item,
                partial(_with_item, value, n),
            )
    elif of.name == "pair":
        for n, (each, item) in enumerate(zip(of.inner, value, strict=True)):
            yield f"[{n}]", each, item, partial(_with_item, value, n)
    elif of.name == "dict":
        for key, item in value.items():
            yield f"[{json.dumps(key)}]", of.inner[0], item, partial(_with_key, value, key)
    elif of.name == "record":
        for name, each in zip(of.fields, of.inner, strict=True):
            now = {other: getattr(value, other) for other in of.fields}
            yield f".{name}", each, now[name], partial(_with_field, type(value), now, name)


def _with_item(value: Any, at: int, new: Any) -> Any:
    return type(value)([*value[:at], new, *value[at + 1 :]])


def _with_key(value: dict[Any, Any], key: Any, new: Any) -> Any:
    return {**value, key: new}


def _with_field(made: Any, fields: dict[str, Any], name: str, new: Any) -> Any:
    return made(**{**fields, name: new})


def _is_of(of: Kind, value: Any) -> bool:
    if of.name == "union":
        return any(_is_of(member, value) for member in of.inner)
    if of.annotation is None:
        return value is None
    if of.name in ("list", "dict"):
        return type(value) is {"list": list, "dict": dict}[of.name]
    if of.name in ("tuple", "pair"):
        return type(value) is tuple and (of.name == "tuple" or len(value) == len(of.inner))
    if isinstance(of.annotation, type):
        return type(value) is of.annotation
    return type(value) in (str, int) and value in ("a", "b", 3)


def same(of: Kind, value: Any, twin: Any) -> bool:
    """Say whether a twin is what was stored: of the declared type, and the same in all its parts."""
    if of.name == "union":
        mine = [member for member in of.inner if _is_of(member, twin)]
        return any(same(member, value, twin) for member in mine)
    if not _is_of(of, twin):
        return False
    if of.name in ("list", "tuple", "pair", "dict", "record"):
        if of.name == "record" and type(value) is not type(twin):
            return False
        if of.name == "dict" and {*value} != {*twin}:
            return False
        if of.name != "record" and (not isinstance(value, list | tuple | dict) or len(value) != len(twin)):
            return False
        theirs = {step: (each, part) for step, each, part, _ in parts(of, twin)}
        mine_too = {step: part for step, _, part, _ in parts(of, value)}
        return theirs.keys() == mine_too.keys() and all(
            same(each, mine_too[step], part) for step, (each, part) in theirs.items()
        )
    if isinstance(value, datetime | time):
        bare = (value.replace(tzinfo=None), value.utcoffset(), value.fold)
        return bare == (twin.replace(tzinfo=None), twin.utcoffset(), twin.fold)
    if isinstance(value, Decimal):
        return isinstance(twin, Decimal) and value.as_tuple() == twin.as_tuple()
    if isinstance(twin, float):
        return (
            isinstance(value, float | int)
            and not isinstance(value, bool)
            and repr(float(value)) == repr(twin)
        )
    if isinstance(twin, Enum):
        return value is twin
    if isinstance(twin, bytes):
        return isinstance(value, bytes | bytearray) and bytes(value) == twin
    # An Enum's member may stand for what it is made of; but in JSON a bool is no int.
    return (
        isinstance(value, type(twin))
        and isinstance(value, bool) == isinstance(twin, bool)
        and bool(value == twin)
    )
