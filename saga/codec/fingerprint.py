"""The fingerprint of a shape: types that have the same one can read what the other stored.

Rules
1. It is made of stored type names, fields (key, type, whether required), enumeration values, literals,
   limits.
2. It does not depend on docstrings, module paths, the values of defaults, the version of Python, nor on the
   order of fields, union members and enumeration members. (Only array-like Structs store fields by their
   order.)
"""

from __future__ import annotations

import hashlib

import msgspec

from saga.codec.shapes import Enumeration, Record, Shape, children

__all__ = ["classes", "fingerprint", "reachable"]


def fingerprint(shape: Shape) -> str:
    """Return the fingerprint of `shape`: 16 hexadecimal digits."""
    parts = (shape.text, sorted(filter(None, map(_definition, reachable(shape)))))
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=8).hexdigest()


def classes(shape: Shape) -> frozenset[type]:
    """Return the dataclasses, Structs and Enums that occur in `shape`, itself included."""
    return frozenset(each.type for each in reachable(shape) if isinstance(each, Record | Enumeration))


def reachable(shape: Shape) -> set[Shape]:
    """Return the shapes that occur in `shape`, itself included."""
    found: set[Shape] = set()
    waiting = [shape]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(children(each))
    return found


def _definition(shape: Shape) -> str:
    """Return what the text of `shape` does not say: the fields of a record, the values of an enumeration."""
    match shape:
        case Record():
            fields = [f"{each.key}{'' if each.required else '?'}: {each.shape.text}" for each in shape.fields]
            if "array" not in shape.layout.split():
                fields.sort()
            return f"{shape.text} {shape.layout} {{{'; '.join(fields)}}}"
        case Enumeration():
            return f"{shape.text} {sorted(ascii(member.value) for member in shape.type.__members__.values())}"
        case _:
            return ""
