"""Changes bytes and JSON, by chance: what a bad disk, an old version or a stranger may make of what was stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["mutated", "mutated_bytes", "mutated_json"]

TOKENS = (
    b"null", b"true", b"false", b"0", b"-0", b"1", b"-1", b"1.0", b"1e400", b"NaN", b"Infinity", b"9" * 30,
    b'""', b'"a"', b'"\\ud800"', b'"\\u0000"', b"[]", b"{}", b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\",
    b"\xff", b"\xed\xa0\x80", b"\x00", b"[" * 70 + b"]" * 70, b'{"a":' * 1500, b"18446744073709551616",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**63, 2**64, 10**30, 1.5, -0.0, 1e300, "", "a", "null", "\u0000", "x" * 5000,
    [], {}, [None], [[[]]], {"a": 1}, {"": None}, "2024-01-01T00:00:00Z", "P1D", "NaN", "Infinity", "no such thing",
)  # fmt: skip


def mutated(rng: Random, data: bytes) -> bytes:
    """Return something else: mostly JSON that says something else, else any bytes."""
    try:
        if rng.random() < 0.6:
            return mutated_json(rng, data)
    except (ValueError, RecursionError):
        pass
    return mutated_bytes(rng, data)


def mutated_bytes(rng: Random, data: bytes) -> bytes:
    """Return the bytes with one to three changes."""
    for _ in range(rng.randint(1, 3)):
        at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
        to = min(to, at + 1 + rng.randrange(8))
        change = rng.randrange(6)
        if change == 0 and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
        elif change == 1:
            data = data[:at] + data[to:]
        elif change == 2:
            data = data[:at] + rng.choice(TOKENS) + data[to:]
        elif change == 3:
            data = data[:to] + data[at:]
        elif change == 4:
            data = data[:at]
        else:
            data = data[:at] + rng.randbytes(rng.randrange(4)) + data[at:]
    return data


def mutated_json(rng: Random, data: bytes) -> bytes:
    """Return JSON with another value somewhere in it. Raises ValueError when `data` is no JSON."""
    root = [json.loads(data)]
    places: list[Callable[[Any], None]] = []
    found: list[Any] = []
    _walk(root, places, found)
    at = rng.randrange(len(places))
    places[at](_other(rng, found[at], found))
    return json.dumps(root[0], ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _walk(holder: Any, places: list[Callable[[Any], None]], found: list[Any]) -> None:
    waiting = [holder]
    while waiting:
        within = waiting.pop()
        for key in list(range(len(within)) if isinstance(within, list) else within):

            def put(value: Any, within: Any = within, key: Any = key) -> None:
                if value is DROP and isinstance(within, dict):
                    del within[key]
                elif isinstance(value, Renamed) and isinstance(within, dict):
                    within[value.name] = within.pop(key)
                else:
                    within[key] = None if value is DROP or isinstance(value, Renamed) else value

            places.append(put)
            found.append(within[key])
            if isinstance(within[key], list | dict):
                waiting.append(within[key])


DROP = object()


class Renamed(str):
    """The value stays, under another key."""

    @property
    def name(self) -> str:
        return str(self)


def _other(rng: Random, value: Any, found: list[Any]) -> Any:
    change = rng.randrange(8)
    if change == 0:
        return DROP
    if change == 1:
        return Renamed(rng.choice(("a", "next", "path", "kind", "id", "scope", "element")))
    if change == 2:
        return json.loads(json.dumps(rng.choice(found)))  # a copy: else it may come to contain itself
    if change == 3 and isinstance(value, int | float) and not isinstance(value, bool):
        return rng.choice(
            (value + 1, -value, value * 10**6, str(value), float(value) if abs(value) < 2**60 else 0)
        )
    if change == 4 and isinstance(value, list) and value:
        return rng.choice((value[1:], value[:-1], value * 2, value[::-1]))
    if change == 5 and isinstance(value, dict):
        return {**value, rng.choice(("new", "id", "next", "path")): rng.choice(VALUES)}
    if change == 6 and isinstance(value, str):
        return rng.choice((value + "x", value[:-1], value.upper(), value * 3))
    return rng.choice(VALUES)
