"""What a `compensate` names: something that was done before it, and that can be undone by itself.

Rules
1. Its target stands before it, in the same scope or in a part of it: what is inside of another scope is that scope's
   own affair, and what stands behind was not done yet.
2. Its target is what is done and undone as a unit: a leaf, scope, repeat or each (BPMN's activities), not a way of
   arranging them; and there is something to undo in it. What is in a scope with a compensation of its own is undone
   with that scope.
"""

from __future__ import annotations

from collections.abc import Iterator

from saga.errors import Problem
from saga.flow.blocks import Compensate, Each, Repeat, Scope
from saga.flow.compile import can_be_undone
from saga.flow.elements import Element, Step
from saga.flow.parts import Part, name_of

__all__ = ["target_problems"]

REMEDY = "name a leaf or block that was done before, or move it; compensate() undoes everything"


def target_problems(root: Part) -> Iterator[Problem]:
    """Yield what is wrong with what each `compensate` in the flow names."""
    for part, before, around in _scopes(root):
        if not isinstance(part.block, Compensate):
            continue
        target: object = part.block.target
        found = next((way for each in before for way in _ways_to(each, target)), None)
        if target is None:
            if not any(_is_undone(inner) for inner in around.walk()):
                what = "undoes what was done so far in its scope, where nothing has a compensation"
                yield Problem(part.id, what, "give a step in it a compensation, or take it out")
        elif found is None:
            what = f"names {name_of(target)}, which does not stand before it in the same scope"
            yield Problem(part.id, what, REMEDY)
        else:
            yield from _unfit(part.id, found)


def _unfit(id: str, found: list[Part]) -> Iterator[Problem]:
    """Yield why the last of `found`, which lie in one another, is not undone by itself."""
    target = found[-1]
    name = target.id or "a sequence"
    unit = next((part for part in found[:-1] if _is_unit(part)), None)
    if not isinstance(target.block, Element | Scope | Repeat | Each):
        what = f"names {name}, which is a way of arranging things and is not done as a whole"
        yield Problem(id, what, "put scope(...) around it, and name that")
    elif unit is not None:
        what = f"names {name}, which is undone with {unit.id} as a whole"
        yield Problem(id, what, f"name {unit.id}, or take its compensation out")
    elif not any(_is_undone(inner) for inner in target.walk()):
        what = f"names {name}, in which nothing has a compensation"
        yield Problem(
            id, what, f"name a step with a compensation, or what such steps are in; or take {id} out"
        )


def _scopes(root: Part) -> Iterator[tuple[Part, list[Part], Part]]:
    """Yield every part, with those that stand before it in its innermost scope, and the body of that scope."""
    waiting: list[tuple[Part, list[Part], Part]] = [(root, [], root)]
    while waiting:
        part, before, around = waiting.pop()
        yield part, before, around
        seen = list(before)
        for inner in part.parts:
            if isinstance(part.block, Scope | Repeat | Each) and inner.role == "body":
                waiting.append((inner, [], inner))
            else:
                waiting.append((inner, list(seen), around))
            if isinstance(part.block, tuple):
                seen.append(inner)


def _ways_to(part: Part, target: object) -> Iterator[list[Part]]:
    """Yield the parts from `part` down to the one that is `target`."""
    if part.block is target:
        yield [part]
    for inner in part.parts:
        for way in _ways_to(inner, target):
            yield [part, *way]


def _is_unit(part: Part) -> bool:
    return isinstance(part.block, Scope) and part.block.compensation is not None


def _is_undone(part: Part) -> bool:
    return _is_unit(part) or (isinstance(part.block, Step) and can_be_undone(part.block))
