"""The rules about items: what leaves in an `each` take as arguments, and that leaves elsewhere take none.

Rules
1. A leaf that has a value (a step, call, wait, task or list of items) takes the item where it stands in an `each`,
   since it has a value for each item. Elsewhere there is no item. The others may take it where there is one.
2. Of `each` in `each` it is the item of the inner one; what the outer item led to is in `self.<leaf>.here`.
3. The item is of the type that the items are a list of.
4. The answer of a saga does not stand in an `each`: which item would have the last word?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saga.errors import Problem
from saga.flow.blocks import Each, Scope
from saga.flow.elements import (
    Answer,
    Compensation,
    Condition,
    Element,
    Items,
    Method,
    Step,
    Task,
    Wait,
    arguments_of,
    takes_item,
)
from saga.flow.functions import Function
from saga.flow.hints import shown
from saga.flow.parts import Part

__all__ = ["item_problems"]


def item_problems(root: Part, functions: Mapping[str, Function]) -> Iterator[Problem]:
    """Yield what is wrong with the arguments of leaves and conditions, by where they stand in the flow."""
    for part, each in _placed(root, None):
        for method in _methods(part):
            yield from _problems(method, each, functions)


def _placed(part: Part, each: Part | None) -> Iterator[tuple[Part, Part | None]]:
    """Yield all parts, each with the `each` that it stands in, or None."""
    yield part, each
    for inner in part.parts:
        inside = isinstance(part.block, Each) and inner.role == "body"
        yield from _placed(inner, part if inside else each)


def _methods(part: Part) -> Iterator[Method]:
    """Yield the leaf that a part is with what undoes it, and the methods that a block asks or runs as well."""
    block: Any = part.block
    if isinstance(block, Element):
        yield block
        yield from getattr(block, "compensations", ())
    elif isinstance(block, Scope) and isinstance(block.compensation, Step):
        yield block.compensation
    for case in getattr(block, "cases", ()):
        if isinstance(case, tuple) and case and isinstance(case[0], Condition):
            yield case[0]
    if isinstance(getattr(block, "until", None), Condition):
        yield block.until


def _problems(method: Method, each: Part | None, functions: Mapping[str, Function]) -> Iterator[Problem]:
    name, function = method.name, functions.get(method.name)
    takes = takes_item(method) if function is None else function.takes_item
    if each is None:
        if takes and not isinstance(method, Compensation):  # its step says so already
            remedy = "let it take nothing but self, or put it in an each"
            yield Problem(name, "takes an item, but stands in no each", remedy)
        return
    if isinstance(method, Answer):
        what = f"is the answer of the saga, and stands in {each.id}, where it would be made for each item"
        yield Problem(name, what, "move it behind the each")
        return
    items = functions.get(getattr(getattr(each.block, "items", None), "name", ""))
    item = None if items is None else items.lists
    if not takes:
        if isinstance(method, Step | Wait | Task | Items) and arguments_of(method) == 1:
            kind = "item" if item is None else f"item: {shown(item)}"
            what = f"stands in {each.id}, and does not take the item"
            yield Problem(name, what, f"write def {name}(self, {kind}) -> ...")
        return
    given = None if function is None else function.item
    if None not in (given, item) and given != item:
        what = f"takes {shown(given)}, but the items of {each.id} are {shown(item)}"
        yield Problem(name, what, f"let it take {shown(item)}")
