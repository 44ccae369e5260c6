"""What is wrong with a value that cannot be stored, and where. The slow path: not used when all is well.

Rules
1. The place is found by trying the parts: of a value that fails, the first part that fails by itself is
   looked into further; when none does, the value itself is at fault.
2. The value's own code may raise or lie; whatever happens, a NotEncodable comes of it.
3. Nothing here decides whether a value is refused; that is `roundtrip`'s to say.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from saga.codec.sameness import Same, same_function
from saga.codec.shapes import MAX_DEPTH, Enumeration, FixedTuple, Items, Mapping, Record, Scalar, Shape, Union
from saga.errors import NotEncodable, PayloadTooLarge

__all__ = ["refusal", "told"]

SHOWN = 80
"""Characters of a value that an error message shows at most."""

_encode = msgspec.json.Encoder().encode

Part: TypeAlias = tuple[str, Shape, Any]
"""A part of a value: its step in the path (`.price`, `[2]`, `["x"]`), its shape, and itself."""

LENIENT: dict[type, Any] = {float: (float, int), bytes: (bytes, bytearray, memoryview)}
"""Classes of values that may stand for another; the twin is of the declared one."""

NO_VALUE = object()
"""Stands for a field that was never set, or was deleted."""

TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels, or contains itself; store a list with references"


def refusal(shape: Shape, value: Any, limit: int) -> NotEncodable:
    """Return the error that says what is wrong with `value`, which `roundtrip` could not take."""
    try:
        return _Search(shape, value).refusal(limit)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        return NotEncodable(shape.text, "", f"cannot be stored, and looking into it failed: {told(error)}")


def told(error: BaseException) -> str:
    """Return the text of `error`, which may itself fail to give it."""
    try:
        return f"{error}" if isinstance(error, msgspec.MsgspecError) else f"{type(error).__name__}: {error}"
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:
        return type(error).__name__


class _Search:
    """One search in one value. What decodes and compares its parts is made once, when it is needed."""

    def __init__(self, shape: Shape, value: Any) -> None:
        self.shape, self.value = shape, value
        self.decoders: dict[Shape, Callable[[bytes], Any]] = {}
        self.sames: dict[Shape, Same] = {}

    def refusal(self, limit: int) -> NotEncodable:
        name = self.shape.text
        if not self.survives(self.shape, self.value):
            return NotEncodable(name, *self.fault())
        size = _size(self.value)
        if size > limit:
            return PayloadTooLarge(name, self.largest(size), size, limit)
        deepest = self.deepest()
        if deepest is not None:
            return NotEncodable(name, deepest, TOO_DEEP)
        return NotEncodable(
            name, "", "was another value when it was looked at again; give one that does not change"
        )

    def twin(self, shape: Shape, value: Any) -> Any:
        if shape not in self.decoders:
            self.decoders[shape] = msgspec.json.Decoder(shape.type).decode
        return self.decoders[shape](_encode(value))

    def same(self, shape: Shape, value: Any, twin: Any) -> bool:
        if shape not in self.sames:
            self.sames[shape] = same_function(shape)
        return bool(self.sames[shape](value, twin))

    def survives(self, shape: Shape, value: Any) -> bool:
        try:
            return self.same(shape, value, self.twin(shape, value))
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException:
            return False

    def fault(self) -> tuple[str, str]:
        """Return the path of the innermost value that fails, and why it does."""
        path, shape, value = "", self.shape, self.value
        depth = 1
        while depth <= MAX_DEPTH or not _is_container(shape, value):
            for step, part_shape, part in _parts(shape, value):
                if not self.survives(part_shape, part):
                    path, shape, value, depth = path + step, part_shape, part, depth + 1
                    break
            else:
                step, why = self.why(shape, value)
                return (path + step).removeprefix("."), why
        return path.removeprefix("."), TOO_DEEP

    def why(self, shape: Shape, value: Any) -> tuple[str, str]:
        """Return what is wrong with a value whose parts are fine: its place below it and the reason."""
        shape = _member(shape, value)
        why = _why_not(shape, value)
        if why:
            return "", why
        try:
            _encode(value)
        except Exception as error:
            return "", f"cannot be encoded: {told(error)}"
        try:
            twin = self.twin(shape, value)
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            return "", f"cannot be read back: {told(error)}"
        parts = zip(_parts(shape, value), _parts(shape, twin), strict=False)
        for (step, part_shape, part), (_, _, back) in parts:
            if not self.same(part_shape, part, back):
                return step, f"is {_show(part)}, and comes back as {_show(back)}"
        return "", f"is {_show(value)}, and comes back as {_show(twin)}"

    def largest(self, size: int) -> str:
        """Return the path of the part that takes most of `size`; in a record at least the largest field."""
        path, shape, value = "", self.shape, self.value
        while parts := list(_parts(shape, value)):
            step, part_shape, part = max(parts, key=lambda each: _size(each[2]))
            if _size(part) * 2 < size and (path or not isinstance(shape, Record)):
                break
            path, shape, value, size = path + step, part_shape, part, _size(part)
        return path.removeprefix(".")

    def deepest(self) -> str | None:
        """Return the path of the first value that stands deeper than MAX_DEPTH, None when there is none."""
        waiting: list[tuple[int, str, Shape, Any]] = [(1, "", self.shape, self.value)]
        while waiting:
            depth, path, shape, value = waiting.pop()
            if depth > MAX_DEPTH and _is_container(shape, value):
                return path.removeprefix(".")
            parts = [(depth + 1, path + step, *part) for step, *part in _parts(shape, value)]
            waiting += reversed(parts)
        return None


def _size(value: Any) -> int:
    try:
        return len(_encode(value))
    except Exception:  # a key may be something that cannot stand alone
        return 0


def _parts(shape: Shape, value: Any) -> Iterator[Part]:
    """Yield the parts of `value`, none when it is not what `shape` says. The keys of a dict come last."""
    shape = _member(shape, value)
    if not _fits(shape, value):
        return
    match shape:
        case Record():
            for field in shape.fields:
                yield f".{field.name}", field.shape, getattr(value, field.name, NO_VALUE)
        case Items():
            for number, item in enumerate(value):
                yield f"[{number}]", shape.item, item
        case FixedTuple() if len(value) == len(shape.items):
            for number, (item_shape, item) in enumerate(zip(shape.items, value, strict=True)):
                yield f"[{number}]", item_shape, item
        case Mapping():
            for key, item in value.items():
                yield f"[{json.dumps(key) if isinstance(key, str) else _show(key)}]", shape.value, item
            for key in value:
                yield ".keys()", shape.key, key
        case _:
            pass


def _member(shape: Shape, value: Any) -> Shape:
    """Return the member of a union that `value` is of; `shape` itself when there is none, or no union."""
    if isinstance(shape, Union):
        return next((member for member in shape.members if _fits(member, value)), shape)
    return shape


def _is_container(shape: Shape, value: Any) -> bool:
    return isinstance(_member(shape, value), Record | Items | FixedTuple | Mapping)


def _fits(shape: Shape, value: Any) -> bool:
    """Say whether `value` is of the class that `shape` says; its content may still be wrong."""
    match shape:
        case Record():
            return type(value) is shape.type
        case Enumeration():
            return isinstance(value, shape.type)
        case Items():
            return isinstance(value, shape.python)
        case FixedTuple():
            return isinstance(value, tuple)
        case Mapping():
            return isinstance(value, dict)
        case Union():
            return any(_fits(member, value) for member in shape.members)
        case Scalar(python=type() as python):
            # Python has it that a bool is an int and a datetime is a date; in JSON they are not.
            if isinstance(value, bool | datetime):
                return python in (type(value), datetime) and isinstance(value, python)
            return isinstance(value, LENIENT.get(python, python))
        case Scalar():
            return any(type(value) is type(each) and value == each for each in shape.values)


def _why_not(shape: Shape, value: Any) -> str | None:
    """Return what can be seen of a wrong value without encoding it."""
    if value is NO_VALUE:
        return "has no value"
    if not _fits(shape, value):
        got = f"expected {shape.text}, got {type(value).__name__} {_show(value)}"
        if isinstance(shape, Record) and isinstance(value, shape.type):
            return f"{got}; a subclass would come back as {shape.type.__name__}, without what it adds"
        return got
    if isinstance(shape, FixedTuple) and len(value) != len(shape.items):
        return f"expected {len(shape.items)} items, got {len(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"is {value}; only finite numbers can be stored"
    if isinstance(value, Decimal) and not value.is_finite():
        return f"is {value}; only finite numbers can be stored"
    if isinstance(value, str) and (surrogate := re.search("[\ud800-\udfff]", value)):
        return f"has a lone surrogate, half of a character, at position {surrogate.start()}"
    cls = shape.python if isinstance(shape, Scalar) else None
    if cls is not None and isinstance(value, cls) and type(value) is not cls:
        return f"is {_show(value)}, a {type(value).__name__}; give a plain {shape.text} of the same value"
    return None


def _show(value: Any) -> str:
    """Return `repr(value)`, shortened; the class when there is no getting it."""
    try:
        text = repr(value)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException:
        return f"<{type(value).__name__}>"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
