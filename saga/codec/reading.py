"""From a type to its shape, or to the list of what is wrong with it.

Rules
1. A type is accepted only when each of its values comes back from JSON as the same value of the same type.
   What a set contains comes back, but in an order that differs between processes: refused. An abstract
   `Sequence` would come back as a list, whatever it was: refused. So are `Any` and classes of other kinds.
2. All problems are found in one go; a class is looked into once, so recursive types end.
3. Which unions, enumerations and literals JSON can tell apart is msgspec's to say; we ask it and pass it on.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import keyword
import sys
import types
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain
from typing import Annotated, Any, Literal, NewType, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

from saga.codec.shapes import Enumeration, Field, FixedTuple, Items, Mapping, Record, Scalar, Shape, Union
from saga.errors import DefinitionError, Problem
from saga.messages import type_name

__all__ = ["check_type", "read_type"]

NULL = Scalar(None, "null", type(None))
SCALARS: dict[Any, Scalar] = {
    cls: Scalar(cls, cls.__name__, cls)
    for cls in (str, int, float, bool, bytes, datetime, date, time, timedelta, Decimal, UUID)
} | {type(None): NULL, None: NULL}

BUILT_IN = (str, int, float, bytes, date, time, timedelta, Decimal, UUID, list, tuple, dict, set, frozenset)
"""Classes with a stored form of their own, in whose way that of a subclass, even a dataclass, would be."""

CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
"""The attributes of `msgspec.Meta` that decide which values can be read; the others are descriptions."""

USE_A_CLASS = "use a dataclass or a msgspec.Struct with the data that is needed"
REMEDIES: dict[Any, tuple[str, str]] = {
    Any: ("may hold anything", "say which type it is"),
    object: ("may hold anything", "say which type it is"),
    list: ("does not say what is in it", "write list[...] with the type of its items"),
    tuple: ("does not say what is in it", "write tuple[..., ...] with the types of its items"),
    dict: ("does not say what is in it", "write dict[str, ...] with the type of its values"),
    set: (
        "has no order, so it is stored differently each time",
        "use tuple[..., ...], and sort it if need be",
    ),
    frozenset: (
        "has no order, so it is stored differently each time",
        "use tuple[..., ...], and sort it if need be",
    ),
    bytearray: ("can be changed after it was stored", "use bytes"),
    memoryview: ("can be changed after it was stored", "use bytes"),
    complex: ("has no form in JSON", "use two float fields"),
    type: ("is code, not data", "use a name for it: a str or an Enum"),
    collections.abc.Callable: ("is code, not data", "use a name for it: a str or an Enum"),
}
"""What is wrong with types that come to mind, and what to use instead; by class or origin."""


def check_type(tp: Any, where: str) -> list[Problem]:
    """Return what keeps values of type `tp` from being stored; an empty list when nothing does.

    `where` is the name that the problems' elements begin with, such as `TakePayment`; a part of the type is
    told as `TakePayment.amount`, the items of a list or the values of a dict as `OrderPlaced.items[].price`.
    """
    return read_type(tp, where)[1]


def read_type(tp: Any, where: str) -> tuple[Shape, list[Problem]]:
    """Return the shape of `tp`, of use only without problems, and its problems as `check_type` does."""
    reader = _Reader()
    shape = reader.read(tp, where)
    if not reader.problems:
        reader.ask_msgspec(tp, where, "use types that msgspec supports")
    return shape, reader.problems


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.records: dict[type, Record] = {}
        self.aliases: list[Any] = []

    def refuse(self, where: str, what: str, remedy: str) -> Shape:
        self.problems.append(Problem(where, what, remedy))
        return NULL

    def ask_msgspec(self, tp: Any, where: str, remedy: str) -> None:
        try:
            msgspec.json.Decoder(tp)
        except Exception as error:
            self.refuse(where, f"cannot be read from JSON: {error}", remedy)

    def read(self, tp: Any, where: str) -> Shape:
        origin = get_origin(tp)
        if isinstance(tp, type) or tp is None:
            return self.read_class(tp, where)
        if isinstance(tp, NewType):
            return self.read(tp.__supertype__, where)
        if _is_alias(tp):
            return self.read_alias(tp, where)
        if origin is Annotated:
            return self.read_annotated(tp, where)
        if origin is Literal:
            return self.read_literal(tp, where)
        if origin is typing.Union or origin is types.UnionType:
            return self.read_union(tp, where)
        if origin in (list, tuple, dict) and hasattr(tp, "__args__"):
            return self.read_container(tp, origin, where)
        return self.read_unknown(tp, origin, where)

    # --- classes ----------------------------------------------------------------------------------

    def read_class(self, cls: Any, where: str) -> Shape:
        if cls in SCALARS:
            return SCALARS[cls]
        if cls in self.records:
            return self.records[cls]
        if cls in REMEDIES:
            return self.refuse(where, f"{cls.__name__} {REMEDIES[cls][0]}", REMEDIES[cls][1])
        if issubclass(cls, Enum):
            text = self.name_of(cls, where)
            self.ask_msgspec(cls, where, "give the Enum values that are all str, or all int of 64 bits")
            return Enumeration(cls, text)
        if issubclass(cls, BUILT_IN):
            return self.refuse(where, f"{cls.__name__} derives from a built-in type", USE_A_CLASS)
        if dataclasses.is_dataclass(cls) or issubclass(cls, msgspec.Struct):
            return self.read_record(cls, where)
        return self.read_unknown(cls, None, where)

    def name_of(self, cls: type, where: str) -> str:
        try:
            return type_name(cls)
        except DefinitionError as error:
            self.problems += [
                Problem(f"{where}.{each.element}", each.what, each.remedy) for each in error.problems
            ]
            return cls.__name__

    def read_record(self, cls: Any, where: str) -> Shape:
        record = self.records[cls] = Record(cls, self.name_of(cls, where), _layout(cls))
        if getattr(cls, "__parameters__", ()):
            return self.refuse(
                where, f"{cls.__name__} has type parameters", "write a class with the types themselves"
            )
        hints = _hints(cls)
        for name, hint in hints.items():
            if isinstance(hint, dataclasses.InitVar) or hint is dataclasses.InitVar:
                self.refuse(f"{where}.{name}", "is an InitVar, which is not stored", "make it a field")
        record.fields = tuple(
            Field(name, key, self.read_field(name, hints[name], f"{where}.{name}"), required)
            for name, key, required in _fields(cls)
        )
        return record

    def read_field(self, name: str, hint: Any, where: str) -> Shape:
        if not name.isidentifier() or keyword.iskeyword(name):
            return self.refuse(where, "is not a name in Python", "rename the field")
        if isinstance(hint, Exception):
            return self.refuse(
                where,
                f"its type cannot be found: {hint}",
                "define or import it in the module of the class, not in a function or `if TYPE_CHECKING`",
            )
        return self.read(hint, where)

    # --- the forms of typing ----------------------------------------------------------------------

    def read_alias(self, alias: Any, where: str) -> Shape:
        if alias in self.aliases:
            return self.refuse(where, f"{alias} contains itself", "let a dataclass contain itself instead")
        self.aliases.append(alias)
        try:
            return self.read(alias.__value__, where)
        except NameError as error:
            return self.read_field(alias.__name__, error, where)
        finally:
            self.aliases.pop()

    def read_annotated(self, tp: Any, where: str) -> Shape:
        shape = self.read(tp.__origin__, where)
        limits = [
            f"{name}={getattr(meta, name)!a}"
            for meta in tp.__metadata__
            if isinstance(meta, msgspec.Meta)
            for name in CONSTRAINTS
            if getattr(meta, name) is not None
        ]
        if not limits:
            return shape
        if isinstance(shape, Record | Enumeration):
            return self.refuse(
                where, "has limits that do not go with a class", "put the limits on its fields"
            )
        return dataclasses.replace(shape, type=tp, text=f"{shape.text}({', '.join(limits)})")

    def read_literal(self, tp: Any, where: str) -> Shape:
        self.ask_msgspec(tp, where, "use str, int, bool or None in a Literal, or an Enum")
        values = get_args(tp)
        return Scalar(tp, f"Literal[{', '.join(sorted(map(ascii, values)))}]", None, values)

    def read_union(self, tp: Any, where: str) -> Shape:
        before = len(self.problems)
        shapes = [self.read(member, where) for member in get_args(tp)]
        # An alias of a union in a union: typing leaves it as it is, msgspec and we see through it.
        members = tuple(
            chain.from_iterable(each.members if isinstance(each, Union) else (each,) for each in shapes)
        )
        if len(self.problems) == before:
            self.ask_msgspec(
                tp,
                where,
                "let JSON tell them apart: tagged msgspec.Structs, or one class with a field for the kind",
            )
        texts = sorted(member.text for member in members if member is not NULL)
        return Union(tp, " | ".join(texts + ["null"] * (NULL in members)), members)

    def read_container(self, tp: Any, origin: type, where: str) -> Shape:
        args = get_args(tp)
        if origin is dict:
            key, value = self.read_key(args[0], where), self.read(args[1], f"{where}[]")
            return Mapping(tp, f"dict[{key.text}, {value.text}]", key, value)
        if origin is list or (len(args) == 2 and args[1] is Ellipsis):
            item = self.read(args[0], f"{where}[]")
            dots = "" if origin is list else ", ..."
            return Items(tp, f"{origin.__name__}[{item.text}{dots}]", origin, item)
        items = tuple(self.read(arg, f"{where}[{number}]") for number, arg in enumerate(args))
        return FixedTuple(tp, f"tuple[{', '.join(item.text for item in items) or '()'}]", items)

    def read_key(self, tp: Any, where: str) -> Shape:
        shape = self.read(tp, f"{where}.keys()")
        match shape:
            case Scalar(python=python, values=values) if python is str or (
                values and all(type(v) is str for v in values)
            ):
                return shape
            case Enumeration(type=cls) if all(type(member.value) is str for member in cls):
                return shape
            case _:
                return self.refuse(
                    f"{where}.keys()", f"keys of {shape.text} turn into strings in JSON", "use str keys"
                )

    def read_unknown(self, tp: Any, origin: Any, where: str) -> Shape:
        if isinstance(tp, str | typing.ForwardRef):
            return self.refuse(where, f"{tp!r} is the name of a type, not the type", "give the type itself")
        if isinstance(tp, TypeVar):
            return self.refuse(where, f"{tp} is a type parameter", "write a class with the types themselves")
        if inspect.isdatadescriptor(tp):
            return self.refuse(
                where,
                "its annotation means the field itself, not the type of the same name",
                "rename the field, or import the type by another name (`import datetime as dt`)",
            )
        cls = origin if isinstance(origin, type) else tp
        if cls in REMEDIES:
            return self.refuse(where, f"{_show(tp)} {REMEDIES[cls][0]}", REMEDIES[cls][1])
        if getattr(cls, "__module__", "") == "collections.abc":
            return self.refuse(
                where,
                f"{_show(tp)} would come back as another type",
                "use tuple[..., ...], list[...] or dict[str, ...]",
            )
        if dataclasses.is_dataclass(cls):
            return self.refuse(
                where, f"{_show(tp)} has type parameters", "write a class with the types themselves"
            )
        return self.refuse(where, f"{_show(tp)} is not a type that can be stored", USE_A_CLASS)


def _show(tp: Any) -> str:
    return tp.__name__ if isinstance(tp, type) else str(tp)


def _is_alias(tp: Any) -> bool:
    """Say whether `tp` was made by a `type X = ...` statement (Python 3.12 and later)."""
    return isinstance(tp, getattr(typing, "TypeAliasType", ()))


def _layout(cls: Any) -> str:
    if not issubclass(cls, msgspec.Struct):
        return ""
    config = cls.__struct_config__
    tag = f"{config.tag_field}={config.tag!a}" if config.tag is not None else ""
    return " ".join(filter(None, ["array" if config.array_like else "", tag]))


def _fields(cls: Any) -> list[tuple[str, str, bool]]:
    """Return the stored fields of a record class: name, key in JSON, whether it is required."""
    if issubclass(cls, msgspec.Struct):
        names, keys = cls.__struct_fields__, cls.__struct_encode_fields__
        defaults = (msgspec.NODEFAULT,) * (
            len(names) - len(cls.__struct_defaults__)
        ) + cls.__struct_defaults__
        return [
            (name, key, default is msgspec.NODEFAULT)
            for name, key, default in zip(names, keys, defaults, strict=True)
        ]
    missing = dataclasses.MISSING
    return [
        (each.name, each.name, each.default is missing and each.default_factory is missing)
        for each in dataclasses.fields(cls)
    ]


def _hints(cls: type) -> dict[str, Any]:
    """Return field → type, or field → the exception that came of evaluating its annotation.

    `typing.get_type_hints` gives up at the first annotation that fails; here each is evaluated by itself.
    """
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        module = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        for name, annotation in inspect.get_annotations(base).items():
            holder = types.SimpleNamespace(__annotations__={name: annotation})
            try:
                hints |= get_type_hints(holder, module, dict(vars(base)), include_extras=True)
            except Exception as error:
                hints[name] = error
    return hints
