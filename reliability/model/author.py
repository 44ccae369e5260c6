"""Stands in for the functions of an author, in scenarios and in the exhaustive model."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Mapping

from msgspec import Raw

from saga.machine import Stuck
from saga.machine.state import REVERSAL, Done, Item, Sent, is_call

__all__ = ["Author", "raw"]


def raw(value: object) -> Raw:
    """Return a value as JSON."""
    return Raw(json.dumps(value).encode())


class Author:
    """Stands in for the author's functions. Conditions hold by name (given a list: one after the other); what is in
    `broken` raises."""

    def __init__(
        self,
        holds: Mapping[str, bool | list[bool]],
        sleeps: int,
        lists: Mapping[str, list[object]],
        to: Mapping[str, str],
    ) -> None:
        self.holds = {name: list(held) if isinstance(held, list) else held for name, held in holds.items()}
        self.sleeps = sleeps
        self.broken: dict[str, str] = {}
        self.lists = lists
        """What is listed as items, by the name of the leaf."""
        self.seen: dict[str, Done] = {}
        """What each compensation was called with last."""
        self.items_seen: dict[str, list[object]] = {}
        """The items that each step and condition was called with, in order."""
        self._numbers: Counter[str] = Counter()
        self.to = to
        """What carries out what, if not `context`."""

    def command(self, element: str, item: Item | None) -> Sent:
        sent = self._sent(element, {})
        self._note(element, item)
        return sent

    def undo(self, function: str, done: Done) -> Sent:
        self.seen[function] = copy.copy(done)
        if function == done.element:  # a saga that was called is undone itself
            return Sent(REVERSAL, raw({"of": done.path}), self.to[function], 0)
        return self._sent(function, {"of": done.path})

    def key(self, element: str, item: Item | None) -> str:
        self._call(element)
        return f"key of {element}"

    def wake_at(self, element: str, item: Item | None, now_ms: int) -> int:
        self._call(element)
        return now_ms + self.sleeps

    def condition(self, name: str, item: Item | None) -> bool:
        self._call(name)
        self._note(name, item)
        held = self.holds[name]
        return held.pop(0) if isinstance(held, list) else held

    def answer(self, element: str, item: Item | None) -> Raw:
        self._call(element)
        return raw(element)

    def subject(self, element: str, item: Item | None) -> Raw:
        self._call(element)
        return raw(element)

    def event(self, element: str, item: Item | None) -> tuple[str, str | None, Raw]:
        self._call(element)
        return f"{element}/1", f"key of {element}", raw(element)

    def items(self, element: str, item: Item | None) -> list[Raw]:
        self._call(element)
        return [raw(item) for item in self.lists[element]]

    def _note(self, function: str, item: Item | None) -> None:
        seen = None if item is None else json.loads(bytes(item.value))
        self.items_seen.setdefault(function, []).append(seen)

    def _call(self, function: str) -> None:
        if function in self.broken:
            raise Stuck(self.broken[function], f"{function} raised")

    def _sent(self, function: str, command: object) -> Sent:
        self._call(function)
        to = self.to.get(function, "context")
        if is_call(to):
            return Sent(f"{function}/1", raw(command), to, 0)
        self._numbers[to] += 1
        return Sent(f"{function}/1", raw(command), to, self._numbers[to])
