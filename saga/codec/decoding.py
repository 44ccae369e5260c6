"""Reading JSON of our own, as it was stored: what nests too deep is damage like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

__all__ = ["decoding"]

T = TypeVar("T")


def decoding(decoder: msgspec.json.Decoder[T]) -> Callable[[bytes | str], T]:
    """Return the `decode` of this decoder, made to raise msgspec.DecodeError also for JSON that nests too deep.

    By itself it follows brackets until Python's stack is used up, which is a RecursionError.
    """
    decode = decoder.decode

    def read(data: bytes | str) -> T:
        try:
            return decode(data)
        except RecursionError:
            raise msgspec.DecodeError("it nests too deep") from None

    return read
