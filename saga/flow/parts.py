"""The flow as it was written, in reading order: every leaf and block in its place, with the name it goes by.

Rules
1. A leaf is called by its name; a block by its kind and number in reading order, from 1 (`choice-1`,
   `scope-2`): a block before what is in it, the body of a scope before its catch blocks, the way it stands on
   the page. These are the ids of the nodes in the graph, and the names in problems and diagrams.
2. What is no leaf and no block gets its place too, as `Foreign`, so that `structure` can report all of it.
3. A name that is not the author's has a `-` in it, or is `start` or `end`: no leaf takes it by accident.

Nothing is checked here.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeGuard

from saga.flow.blocks import Again, Choice, Compensate, Each, End, Parallel, Race, Refuse, Repeat, Scope
from saga.flow.elements import Block, Element, Task, Wait

__all__ = ["Foreign", "Part", "parts_of"]

_KINDS: tuple[tuple[type, str], ...] = (
    (Again, "again"),
    (Choice, "choice"),
    (Compensate, "compensate"),
    (Each, "each"),
    (End, "terminate"),
    (Parallel, "parallel"),
    (Race, "race"),
    (Refuse, "refuse"),
    (Repeat, "repeat"),
    (Scope, "scope"),
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something in a flow that is neither a leaf nor a block."""

    thing: object


Role: TypeAlias = Literal["", "way", "late", "body", "catch", "every", "whenever", "items"]
"""What a part is in the part around it: an element of a sequence, a branch or a case (""), a way of a race (the leaf
and what is behind it), what happens when the time is up, a body, a catch block, what happens beside (`every`,
`whenever`), the leaf that lists the items of an `each`."""


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf, block or sequence in its place.

    `block` is what the author wrote, `id` its name (empty for a sequence), `parts` what stands in it, in reading order;
    the `otherwise` of a choice is the last one. `role`: what it is in the part around it.
    """

    block: object
    id: str
    parts: tuple[Part, ...] = ()
    role: Role = ""

    def walk(self) -> Iterator[Part]:
        """Yield this part and all in it, in reading order."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def inner(self, role: Role) -> list[Part]:
        """Return the parts in it that have this role."""
        return [part for part in self.parts if part.role == role]


def parts_of(flow: object) -> Part:
    """Return `flow` as a tree of parts."""
    return _place("", flow, Counter())


def _place(role: Role, block: object, numbers: Counter[str]) -> Part:
    if isinstance(block, tuple):
        return _with_parts(role, block, "", _sequence(block), numbers)
    if isinstance(block, Element):
        return _with_parts(role, block, block.name, _beside(block), numbers)
    for kind, word in _KINDS:
        if isinstance(block, kind):
            numbers[word] += 1
            return _with_parts(role, block, f"{word}-{numbers[word]}", _blocks_in(block), numbers)
    inside = _sequence(tuple(block)) if isinstance(block, list) else []
    return _with_parts(role, Foreign(block), name_of(block), inside, numbers)


Inside: TypeAlias = "list[tuple[Role, object]]"


def _with_parts(role: Role, block: object, id: str, inside: Inside, numbers: Counter[str]) -> Part:
    return Part(block, id, tuple(_place(each, inner, numbers) for each, inner in inside), role)


def _sequence(blocks: tuple[object, ...]) -> Inside:
    return [("", block) for block in blocks]


def _beside(leaf: Element[Any, Any]) -> Inside:
    """Return what hangs on a leaf."""
    if not isinstance(leaf, Wait | Task):
        return []
    late: Inside = [] if leaf.otherwise is None else [("late", leaf.otherwise)]
    return late + _reminder(leaf.every)


def _reminder(every: object) -> Inside:
    return [("every", every[1])] if isinstance(every, tuple) and len(every) in (2, 3) else []


def _blocks_in(block: object) -> Inside:
    match block:
        case Parallel():
            return _sequence(block.branches)
        case Choice():
            return _sequence((*(_block_of_case(case) for case in block.cases), block.otherwise))
        case Race():
            ways: Inside = [("way", way) for way in block.ways]
            return ways + ([("late", block.after[1])] if _is_pair(block.after) else [])
        case Repeat():
            return [("body", block.body)]
        case Each():
            return [("items", block.items), ("body", block.body)]
        case Scope():
            catching = block.catch.values() if isinstance(block.catch, Mapping) else ()
            beside: Inside = [("whenever", way) for way in block.whenever]
            inside: Inside = [("body", block.body), *(("catch", each) for each in catching)]
            return inside + _reminder(block.every) + beside
        case _:
            return []


def _is_pair(given: object) -> TypeGuard[tuple[Any, Any]]:
    return isinstance(given, tuple) and len(given) == 2


def _block_of_case(case: object) -> object:
    """A case that is no pair is a problem (`structure`); here its block is what may have been meant."""
    if isinstance(case, tuple):
        return case[1] if len(case) == 2 else case[1:]
    return case if isinstance(case, Block) else ()


def name_of(thing: object) -> str:
    """Return what a person calls `thing`: its name if it has one, else how it is written."""
    name = getattr(thing, "__name__", None) or getattr(thing, "name", None)
    return name if isinstance(name, str) else reprlib.repr(thing)
