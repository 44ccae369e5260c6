"""What annotations say: the return type of a method, the type that a class gives to a generic base.

Rules
1. Annotations may be strings (`from __future__ import annotations`). A name in them is looked for where
   Python looks: in the class, in the functions around the class, in the module.
2. The class must not be waited for: it is checked while it is made. So the names must exist by then.
3. The functions around a class are found on the call stack, by the class's qualified name: the class is made
   while they run. A name of a function further out, which has returned, is not found. Messages are better
   defined in a module anyway, since they are stored and found by their names.
"""

from __future__ import annotations

import typing
from collections import ChainMap
from collections.abc import Callable, Mapping
from types import FrameType, NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

__all__ = ["MISSING", "annotation_of", "members_of", "names_around", "return_type", "shown", "type_argument"]

MISSING: Final = object()
"""Stands for an annotation that is not there."""


def return_type(function: Callable[..., object], names: Mapping[str, object]) -> Any:
    """Return the type that `function` says it returns (`NoneType` for None), or MISSING.

    `names` are looked at before the globals of the function. Raises what evaluating the annotation raises,
    most often NameError.
    """
    return annotation_of(function, "return", names)


def annotation_of(function: Callable[..., object], name: str, names: Mapping[str, object]) -> Any:
    """Return the type of the argument `name` of `function` (`return`: see `return_type`), or MISSING."""
    annotations = getattr(function, "__annotations__", {})
    if name not in annotations:
        return MISSING
    only = _Annotated(annotations[name])
    namespace = getattr(function, "__globals__", {})
    return typing.get_type_hints(only, globalns=namespace, localns=dict(names))["return"]


class _Annotated:
    """One annotation alone: one that cannot be resolved, of an argument, must not hide the others."""

    def __init__(self, annotation: object) -> None:
        self.__annotations__ = {"return": annotation}


def names_around(cls: type, frame: FrameType | None) -> Mapping[str, object]:
    """Return the names that annotations in `cls` may use besides those of its module.

    `frame` is where the class is made; it and its callers are searched for the functions the class stands in.
    """
    scopes: list[Mapping[str, object]] = [vars(cls)]
    around = cls.__qualname__.split(".<locals>.")[:-1]
    wanted = {".<locals>.".join(around[: depth + 1]) for depth in range(len(around))}
    while frame is not None and wanted:
        name = frame.f_code.co_qualname
        if name in wanted and frame.f_globals.get("__name__") == cls.__module__:
            scopes.append(dict(frame.f_locals))
            wanted.discard(name)
        frame = frame.f_back
    return ChainMap(*(dict(scope) for scope in scopes))


def type_argument(cls: type, base: type) -> object:
    """Return what `cls` gives to the one type parameter of `base`, from which it derives.

    A type, a TypeVar when it passes one on, None when it gives nothing.
    """
    for parent in cls.__dict__.get("__orig_bases__", cls.__bases__):
        origin = get_origin(parent) or parent
        if not (isinstance(origin, type) and issubclass(origin, base)):
            continue
        arguments = get_args(parent)
        if origin is base:
            return arguments[0] if arguments else None
        inner = type_argument(origin, base)
        if isinstance(inner, TypeVar):
            place = origin.__parameters__.index(inner)  # type: ignore[attr-defined]
            return arguments[place] if arguments else None
        return inner
    return None


def members_of(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def shown(hint: object) -> str:
    """Return a type as an author writes it."""
    if hint is NoneType:
        return "None"
    return hint.__name__ if isinstance(hint, type) else str(hint)
