"""The codec: values to bytes and back, and bytes that nobody wrote.

A value comes back as it was, or is refused with one NotEncodable that names the field. Bytes become a value of the type
which can be stored again, or are refused with one NotDecodable. Never another exception, never silently another value.
"""

from __future__ import annotations

from random import Random
from typing import Any

from reliability.fuzz.kinds import BAD, TYPES, Kind, kind, parts, same
from reliability.fuzz.mutation import mutated
from saga.codec import TypeCodec, codec_for
from saga.errors import DefinitionError, NotDecodable, NotEncodable, PayloadTooLarge

__all__ = ["bytes_are_read_or_refused", "values_come_back_or_are_refused"]


def values_come_back_or_are_refused(rng: Random) -> str | None:
    """Encode a random value, one in three with something bad put somewhere into it. Return what is wrong."""
    of = kind(rng.randrange(TYPES))
    try:
        codec = codec_for(of.annotation)
    except DefinitionError as error:
        return _is_explained(error)
    value = of.draw(rng, 4)
    path, bad = None, None
    if rng.random() < 0.35:
        value, path, bad = _spoiled(rng, of, value)
    limit = rng.choice((1_048_576, 1_048_576, 1_048_576, 40))
    try:
        data, twin = codec.roundtrip(value, limit)
    except PayloadTooLarge as error:
        return None if error.size > limit else f"{error.size} bytes are too large, the limit is {limit}"
    except NotEncodable as error:
        if path is None:
            return f"{value!r} of {of.annotation} is refused: {error}"
        if not error.path.startswith(path):
            return f"{bad!r} at {path!r} of {of.annotation} is refused at {error.path!r}: {error.why}"
        return None
    if len(data) > limit:
        return f"{len(data)} bytes are taken, the limit is {limit}"
    if not same(of, value, twin):
        return f"{value!r} of {of.annotation} comes back as {twin!r}"
    again = codec.decode(data)
    if same(of, twin, again):
        return None
    return f"{twin!r} of {of.annotation} is stored as {data!r}, which is read as {again!r}"


def _spoiled(rng: Random, of: Kind, value: Any) -> tuple[Any, str, Any]:
    """Return the value with something bad in it, and where."""
    inner = list(parts(of, value))
    if not inner or rng.random() < 0.1:
        bad = rng.choice(BAD)
        return bad, "", bad
    step, of, part, rebuilt = rng.choice(inner)
    part, path, bad = _spoiled(rng, of, part)
    dot = "." if path and not path.startswith("[") else ""
    return rebuilt(part), f"{step}{dot}{path}".removeprefix("."), bad


def _is_explained(error: DefinitionError) -> str | None:
    if error.problems and all(each.element and each.what and each.remedy for each in error.problems):
        return None
    return f"a type is refused without element, reason or remedy: {error}"


def bytes_are_read_or_refused(rng: Random) -> str | None:
    """Decode the bytes of a value after a change, as its own type or as another one. Return what is wrong."""
    of = kind(rng.randrange(TYPES))
    try:
        codec: TypeCodec[Any] = codec_for(of.annotation)
    except DefinitionError as error:
        return _is_explained(error)
    data = mutated(rng, codec.encode(of.draw(rng, 4)))
    if rng.random() < 0.1:
        of = kind(rng.randrange(TYPES))
        try:
            codec = codec_for(of.annotation)
        except DefinitionError:
            return None
    try:
        value = codec.decode(data)
    except NotDecodable as error:
        return None if str(error) else f"{data!r} is refused without a reason"
    try:
        again = codec.decode(codec.encode(value))
    except NotEncodable as error:
        return f"{data[:200]!r} is read as {value!r} of {of.annotation}, which cannot be stored: {error}"
    if not same(of, value, again):
        return f"{data!r} is read as {value!r}, and after it was stored again as {again!r}"
    return None
