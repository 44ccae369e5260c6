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

from saga.flow.blocks import Again, Choice, End, Parallel, Refuse, Scope
from saga.flow.elements import Block, Element, Wait

__all__ = ["Foreign", "Part", "parts_of"]

_KINDS: tuple[tuple[type, str], ...] = (
    (Again, "again"),
    (Choice, "choice"),
    (End, "terminate"),
    (Parallel, "parallel"),
    (Refuse, "refuse"),
    (Scope, "scope"),
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something in a flow that is neither a leaf nor a block."""

    thing: object


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf, block or sequence in its place.

    `block` is what the author wrote, `id` its name (empty for a sequence), `parts` what stands in it:
    the elements of a sequence, the branches of a parallel, the blocks of a choice and then its `otherwise`,
    the body of a scope and then its catch blocks, the `otherwise` of a wait if it has one.
    """

    block: object
    id: str
    parts: tuple[Part, ...] = ()

    def walk(self) -> Iterator[Part]:
        """Yield this part and all in it, in reading order."""
        yield self
        for part in self.parts:
            yield from part.walk()


def parts_of(flow: object) -> Part:
    """Return `flow` as a tree of parts."""
    return _place(flow, Counter())


def _place(block: object, numbers: Counter[str]) -> Part:
    if isinstance(block, tuple):
        return _with_parts(block, "", block, numbers)
    if isinstance(block, Element):
        late = block.otherwise if isinstance(block, Wait) else None
        return _with_parts(block, block.name, () if late is None else (late,), numbers)
    for kind, word in _KINDS:
        if isinstance(block, kind):
            numbers[word] += 1
            return _with_parts(block, f"{word}-{numbers[word]}", _blocks_in(block), numbers)
    inside = tuple(block) if isinstance(block, list) else ()
    return _with_parts(Foreign(block), name_of(block), inside, numbers)


def _with_parts(block: object, id: str, inside: tuple[object, ...], numbers: Counter[str]) -> Part:
    return Part(block, id, tuple(_place(inner, numbers) for inner in inside))


def _blocks_in(block: object) -> tuple[object, ...]:
    match block:
        case Parallel():
            return block.branches
        case Choice():
            return (*(_block_of_case(case) for case in block.cases), block.otherwise)
        case Scope():
            return (block.body, *(block.catch.values() if isinstance(block.catch, Mapping) else ()))
        case _:
            return ()


def _block_of_case(case: object) -> object:
    """A case that is no pair is a problem (`structure`); here its block is what may have been meant."""
    if isinstance(case, tuple):
        return case[1] if len(case) == 2 else case[1:]
    return case if isinstance(case, Block) else ()


def name_of(thing: object) -> str:
    """Return what a person calls `thing`: its name if it has one, else how it is written."""
    name = getattr(thing, "__name__", None) or getattr(thing, "name", None)
    return name if isinstance(name, str) else reprlib.repr(thing)
