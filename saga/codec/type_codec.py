"""The codec of one type: a value to bytes and back, strictly.

The way of a value that is fine is short: encode, decode, compare; or encode only, where that is enough. When
something goes wrong on it, `refusal` finds out what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar, overload

import msgspec

from saga.codec.fingerprint import classes, fingerprint, reachable
from saga.codec.plainness import plain_function
from saga.codec.reading import read_type
from saga.codec.refusal import refusal, told
from saga.codec.sameness import same_function
from saga.codec.shapes import MAX_DEPTH, nesting
from saga.errors import DefinitionError, NotDecodable

__all__ = ["MAX_BYTES", "TypeCodec", "codec_for"]

T = TypeVar("T")

MAX_BYTES = 1_048_576
"""The default limit of an encoded value. A megabyte in a journal is a file in the wrong place."""

_encode = msgspec.json.Encoder().encode


class TypeCodec(Generic[T]):
    """Encodes and decodes values of one type; make it with `codec_for`. It can be used by any thread.

    `type` is the type, as given. `name` is its stored name: for a class `TakePayment/1`
    (`messages.type_name`), for None `null`, otherwise a text such as `tuple[str, ...]` or `list[Line/1]`.
    `fingerprint` tells the shape of the type in 16 hexadecimal digits (`codec.fingerprint`). `classes` are
    the dataclasses, Structs and Enums that occur in it.
    """

    __slots__ = (
        "_decode",
        "_has_decimals",
        "_limited",
        "_plain",
        "_same",
        "_shape",
        "classes",
        "fingerprint",
        "name",
        "type",
    )

    def __init__(self, tp: Any) -> None:
        """Raise DefinitionError, with all problems, when values of `tp` cannot be stored."""
        given_name = tp.__name__ if isinstance(tp, type) else str(tp)
        shape, problems = read_type(tp, given_name)
        if problems:
            raise DefinitionError(given_name, problems)
        depth = nesting(shape)
        self.type: Any = tp
        self.name: str = shape.text
        self.fingerprint: str = fingerprint(shape)
        self.classes: frozenset[type] = classes(shape)
        self._shape = shape
        self._decode: Callable[[bytes | memoryview], T] = msgspec.json.Decoder(tp).decode
        self._same = same_function(shape)
        self._plain = plain_function(shape)
        self._has_decimals = any(getattr(each, "python", None) is Decimal for each in reachable(shape))
        self._limited = depth is not None and depth <= MAX_DEPTH

    def __repr__(self) -> str:
        return f"<TypeCodec {self.name} {self.fingerprint}>"

    def roundtrip(self, value: T, limit: int = MAX_BYTES) -> tuple[bytes, T]:
        """Return `value` as JSON, and the equal twin that comes back. Hand on the twin, not the value.

        The twin is the value itself when that cannot be changed and is known to come back (`plainness`).

        Raises PayloadTooLarge when there are more than `limit` bytes, and NotEncodable, with the path of the
        field, when the value is not of the type or would not come back as it is.
        """
        cause: BaseException | None = None
        try:
            data = _encode(value)
            if self._plain is not None and self._plain(value) and len(data) <= limit:
                return data, value
            twin = self._decode(data)
            if self._same(value, twin) and len(data) <= limit and (self._limited or _is_shallow(data)):
                return data, twin
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:  # also what `__eq__` and `__post_init__` raise, be it SystemExit
            cause = error
        raise refusal(self._shape, value, limit) from cause

    def encode(self, value: T, limit: int = MAX_BYTES) -> bytes:
        """Return `value` as JSON. Raises as `roundtrip` does."""
        return self.roundtrip(value, limit)[0]

    def decode(self, data: bytes | memoryview) -> T:
        """Return the value that was encoded as `data`; unknown fields in it are left out.

        Raises NotDecodable when `data` does not fit the type.
        """
        try:
            value = self._decode(data)
            if self._has_decimals and not self._same(value, value):  # msgspec reads "NaN" and "Infinity"
                raise ValueError("a number in it is not finite")
            return value
        except (KeyboardInterrupt, MemoryError):
            raise
        except BaseException as error:
            raise NotDecodable(self.name, told(error)) from error


_codecs: dict[Any, TypeCodec[Any]] = {}


@overload
def codec_for(tp: type[T]) -> TypeCodec[T]: ...
@overload
def codec_for(tp: Any) -> TypeCodec[Any]: ...
def codec_for(tp: Any) -> TypeCodec[Any]:
    """Return the codec of `tp`, which is made once. Raises DefinitionError, with all problems of the type."""
    try:
        known = _codecs.get(tp)
    except TypeError:  # not hashable: an Annotated with a list in it
        return TypeCodec(tp)
    return known if known is not None else _codecs.setdefault(tp, TypeCodec(tp))


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_shallow(data: bytes) -> bool:
    """Say whether JSON nests no deeper than MAX_DEPTH, which the number of its brackets mostly shows.

    When it does not, the brackets alone are looked at: each `replace` takes away the innermost level.
    """
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return True
    # Brackets in text do not count. Where no quote can be escaped, every second piece between quotes is text.
    bare = _STRING.sub(b"", data) if b"\\" in data else b"".join(data.split(b'"')[::2])
    brackets = bare.translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return True
    return False
