"""The flow as it was written, in reading order: every leaf and block in its place, with the name it goes by.

Rules
1. A leaf is called by its name; a block by its kind and number in reading order, from 1 (`choice-1`,
   `scope-2`): a block before what is in it, the body of a scope before its catch blocks, the way it stands on
   the page. These are the ids of the nodes in the graph, and the names in problems and diagrams.
2. What is no leaf and no block gets its place too, as `Foreign`, so that `structure` can report all of it.
   In a pair that is none, its place is that of what may have been meant.
3. A name that is not the author's has a `-` in it, or is `start` or `end`: no leaf takes it by accident.

Nothing is checked here, but for the size: what follows goes through the parts by recursion.
"""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from saga.errors import Problem
from saga.flow.blocks import Again, Choice, Compensate, Each, End, Parallel, Race, Refuse, Repeat, Scope
from saga.flow.elements import Block, Element, Task, Wait

__all__ = ["Foreign", "Part", "Role", "name_of", "parts_of", "size_problem"]

DEEPEST = 100
"""How deep sequences and blocks may nest; a scope and its body count as two. Python has a limit, too, and this is far
from it."""
MOST = 10_000
"""How many leaves, blocks and sequences a flow may have: more come from a loop that never ends."""

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
_BLOCKS = tuple(kind for kind, _ in _KINDS)


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
    """Return `flow` as a tree of parts. It must not be too big: see `size_problem`."""
    return _place("", flow, Counter())


def size_problem(flow: object) -> Problem | None:
    """Return what is wrong with the size of `flow`: nothing can be said of one that is too big."""
    count, waiting = 0, [(flow, 1)]
    while waiting:
        block, depth = waiting.pop()
        count += 1
        if depth > DEEPEST:
            what, remedy = f"nests more than {DEEPEST} deep", "make a saga of a part of it, and @call it"
            return Problem("flow", what, remedy)
        if count > MOST:
            what, remedy = (
                f"has more than {MOST} parts",
                "write repeat(...) or each(...) for what happens often",
            )
            return Problem("flow", what, remedy)
        waiting.extend((inner, depth + 1) for _, inner in _inside(block))
    return None


Inside: TypeAlias = "list[tuple[Role, object]]"


def _place(role: Role, block: object, numbers: Counter[str]) -> Part:
    id = _id(block, numbers)
    inside = tuple(_place(inner_role, inner, numbers) for inner_role, inner in _inside(block))
    is_known = isinstance(block, (tuple, Element, *_BLOCKS))
    return Part(block if is_known else Foreign(block), id, inside, role)


def _id(block: object, numbers: Counter[str]) -> str:
    if isinstance(block, tuple):
        return ""
    word = next((word for kind, word in _KINDS if isinstance(block, kind)), None)
    if word is None:
        return name_of(block)
    numbers[word] += 1
    return f"{word}-{numbers[word]}"


def _inside(block: object) -> Inside:
    """Return what stands in something, in reading order."""
    match block:
        case tuple():
            return _sequence(block)
        case list():
            return _sequence(tuple(block))
        case Wait() | Task():
            return _late(block.otherwise) + _reminder(block.every)
        case _:
            return _blocks_in(block)


def _sequence(blocks: tuple[object, ...]) -> Inside:
    return [("", block) for block in blocks]


def _late(block: object) -> Inside:
    return [] if block is None else [("late", block)]


def _reminder(every: object) -> Inside:
    return [("every", every[1])] if isinstance(every, tuple) and len(every) in (2, 3) else []


def _blocks_in(block: object) -> Inside:
    match block:
        case Parallel():
            return _sequence(block.branches)
        case Choice():
            return _sequence((*(_block_of_case(case) for case in block.cases), block.otherwise))
        case Race():
            ways: Inside = [("way", _way(way)) for way in block.ways]
            return ways + _late(_block_behind(block.after))
        case Repeat():
            return [("body", block.body)]
        case Each():
            items: Inside = [("items", block.items)] if isinstance(block.items, Element) else []
            return [*items, ("body", block.body)]
        case Scope():
            catching = block.catch.values() if isinstance(block.catch, Mapping) else ()
            beside: Inside = [("whenever", _way(way)) for way in block.whenever]
            inside: Inside = [("body", block.body), *(("catch", each) for each in catching)]
            return inside + _reminder(block.every) + beside
        case _:
            return []


def _way(way: object) -> object:
    """Return the sequence of a leaf that waits and what is behind it."""
    if isinstance(way, tuple):
        return tuple(each for number, each in enumerate(way) if number or isinstance(each, Block | tuple))
    return way if isinstance(way, Block) else ()


def _block_of_case(case: object) -> object:
    return case if isinstance(case, Block) else _block_behind(case) or ()


def _block_behind(given: object) -> object:
    """Return the block of a pair, or what may have been meant; None when there is nothing."""
    if not isinstance(given, tuple):
        return None
    return given[1] if len(given) == 2 else given[1:]


def name_of(thing: object) -> str:
    """Return what a person calls `thing`: its name if it has one, else how it is written."""
    name = getattr(thing, "__name__", None) or getattr(thing, "name", None)
    return name if isinstance(name, str) else reprlib.repr(thing)
