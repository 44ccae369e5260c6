"""What a storable type looks like once it was understood: a small graph of shapes.

Rules
1. A class is one `Record`, however often it is used; so the shape of a recursive type is cyclic.
2. `type` is what a decoder is built from; `text` is the stored form of its name, the same on every Python.
3. Shapes are compared by identity. They are not changed after `reading` has made them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

__all__ = [
    "MAX_DEPTH",
    "Enumeration",
    "Field",
    "FixedTuple",
    "Items",
    "Mapping",
    "Record",
    "Scalar",
    "Shape",
    "Union",
    "children",
    "nesting",
]


MAX_DEPTH = 64
"""How deep the JSON of a value may nest. Much deeper ends in a RecursionError, here or in another reader."""


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A value without parts: `python` is its class, or None for a Literal, whose values are in `values`."""

    type: Any
    text: str
    python: type | None
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """A member of the enumeration `type`, stored as its value."""

    type: type[Enum]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field of a record: `name` in Python, `key` in JSON; `required` when it has no default."""

    name: str
    key: str
    shape: Shape
    required: bool


@dataclass(slots=True, eq=False)
class Record:
    """A dataclass or msgspec.Struct. `layout` says how a Struct is more than a plain JSON object, else it
    is empty."""

    type: type
    text: str
    layout: str
    fields: tuple[Field, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list or a tuple of any length: `python` says which."""

    type: Any
    text: str
    python: type
    item: Shape


@dataclass(frozen=True, slots=True, eq=False)
class FixedTuple:
    """A tuple with one shape for each position."""

    type: Any
    text: str
    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A dict; keys are strings, or an Enum or Literal of strings."""

    type: Any
    text: str
    key: Shape
    value: Shape


@dataclass(frozen=True, slots=True, eq=False)
class Union:
    """One of several shapes, which JSON tells apart."""

    type: Any
    text: str
    members: tuple[Shape, ...]


Shape: TypeAlias = Scalar | Enumeration | Record | Items | FixedTuple | Mapping | Union


def children(shape: Shape) -> Iterator[Shape]:
    """Yield the shapes that stand directly in `shape`; a dict's key before its value."""
    match shape:
        case Record():
            yield from (each.shape for each in shape.fields)
        case Items():
            yield shape.item
        case FixedTuple():
            yield from shape.items
        case Mapping():
            yield shape.key
            yield shape.value
        case Union():
            yield from shape.members
        case Scalar() | Enumeration():
            pass


def nesting(shape: Shape) -> int | None:
    """Return how deep the JSON of `shape` nests at most (a scalar: 0), None when a type contains itself."""
    return _nesting(shape, set(), {})


def _nesting(shape: Shape, around: set[Shape], known: dict[Shape, int]) -> int | None:
    if shape in known:
        return known[shape]
    if shape in around:
        return None
    around.add(shape)
    deepest = 0
    for child in children(shape):
        depth = _nesting(child, around, known)
        if depth is None:
            return None
        deepest = max(deepest, depth)
    around.discard(shape)
    known[shape] = deepest + (0 if isinstance(shape, Scalar | Enumeration | Union) else 1)
    return known[shape]
