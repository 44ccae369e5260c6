"""Values that are their own twins: it is known without reading them back that they come back, and nobody can change
them. One function for each shape that has such values.

Rules
1. Of scalars: None, bool, str, int of 64 bits and finite Decimal, each of exactly this class. What else there is to
   know of them, such as a lone surrogate in a str, encoding says.
2. Of records: frozen ones, whose attributes are all slots that are fields, and no code of the author's plays a part
   in reading: no `__post_init__`, `__new__`, `__getattribute__`. Nothing is hidden in them that is not stored.
3. A field may also be a record of that kind, or such a thing or None. Containers are read back.
4. The answer no says nothing about a value: whoever gets it reads the value back (`TypeCodec.roundtrip`).

As in `sameness` each function is one expression. It takes a fifth of the time of reading back and comparing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from inspect import getattr_static
from types import MemberDescriptorType
from typing import Any, TypeAlias

import msgspec

from saga.codec.shapes import Record, Scalar, Shape, Union

__all__ = ["Plain", "plain_function"]

Plain: TypeAlias = Callable[[Any], bool]
"""Called with any value; may raise AttributeError for a record with a field that has no value."""

_SCALARS: dict[type, str] = {
    type(None): "{0} is None",
    bool: "type({0}) is bool",
    str: "type({0}) is str",
    int: f"type({{0}}) is int and {-(2**63)} <= {{0}} < {2**64}",
    Decimal: "type({0}) is Decimal and {0}.is_finite()",
}


def plain_function(shape: Shape) -> Plain | None:
    """Return the function that says whether a value is its own twin; None when no value of `shape` is."""
    names: dict[str, Any] = {"Decimal": Decimal}
    source = _expression(shape, "value", names, ())
    if source is None:
        return None
    # the source holds names of fields, which are identifiers (see `reading`), and names of ours: no more
    function: Plain = eval(f"lambda value: {source}", names)
    return function


def _expression(shape: Shape, value: str, names: dict[str, Any], around: tuple[type, ...]) -> str | None:
    match shape:
        case Scalar(type=declared, python=python) if python in _SCALARS and declared in (python, None):
            return _SCALARS[python].format(value)
        case Record(type=cls, fields=fields) if cls not in around and _is_transparent(shape):
            names[f"class_{id(cls)}"] = cls
            parts = [
                _expression(each.shape, f"{value}.{each.name}", names, (*around, cls)) for each in fields
            ]
            terms = [f"type({value}) is class_{id(cls)}", *(f"({part})" for part in parts if part)]
            return None if None in parts else " and ".join(terms)
        case Union(members=(one, other)):
            parts = [_expression(member, value, names, around) for member in (one, other)]
            return (
                None
                if None in parts or _SCALARS[type(None)].format(value) not in parts
                else " or ".join(f"({part})" for part in parts)
            )
        case _:
            return None


def _is_transparent(record: Record) -> bool:
    """Say whether an object of this class is its fields, which nobody can change, and nothing else."""
    cls: Any = record.type
    fields = {each.name for each in record.fields}
    slots = {
        name
        for base in cls.__mro__
        for name, member in vars(base).items()
        if isinstance(member, MemberDescriptorType)
    }
    return (
        cls.__dictoffset__ == 0
        and slots == fields
        and all(isinstance(getattr_static(cls, name), MemberDescriptorType) for name in fields)
        and not any(name.startswith("_") for name in fields)
        and not hasattr(cls, "__post_init__")
        and not hasattr(cls, "__getattr__")
        and cls.__getattribute__ is object.__getattribute__
        and _is_frozen(cls)
    )


def _is_frozen(cls: Any) -> bool:
    if issubclass(cls, msgspec.Struct):
        return bool(cls.__struct_config__.frozen) and cls.__new__ is msgspec.Struct.__new__
    return (
        cls.__dataclass_params__.frozen
        and cls.__new__ is object.__new__
        and all(each.init for each in dataclasses.fields(cls))
    )
