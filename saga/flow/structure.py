"""The rules about where leaves and blocks stand: what a flow may be made of, and that all of it is reached.

Rules
1. A flow is made of the leaves of its own saga, each of which stands in it once, and of blocks, in tuples.
2. A choice asks conditions of its own saga, each once; a parallel has two branches or more.
3. `again` stands in a catch block of the scope it goes back to, not in an inner scope or parallel there.
4. Nothing stands behind a block that the flow never leaves: a `refuse`, `end` or `again`, a choice or scope
   of which every way ends so, a parallel of which one branch does (the others would wait for it).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any

from saga.errors import Problem
from saga.flow import blocks
from saga.flow.blocks import Again, Choice, End, Parallel, Refuse, Scope
from saga.flow.elements import Compensation, Condition, Element, Method, Step
from saga.flow.parts import Foreign, Part, name_of

__all__ = ["structure_problems"]

OUTSIDE = "outside of every catch block"


def structure_problems(saga: type, root: Part, leaves: Mapping[str, Element[Any, Any]]) -> list[Problem]:
    """Return what is wrong with the places of things in the flow `root` of `saga`, which has `leaves`."""
    walk = _Walk(saga)
    if not any(part.id for part in root.walk()):
        walk.problem("flow", "is empty", "write the leaves of the saga in it, in their order")
    walk.visit(root, None, OUTSIDE)
    for name, leaf in leaves.items():
        if leaf not in walk.seen and name not in walk.lost:
            walk.problem(name, "does not stand in the flow", "put it in, or take the method out")
    return walk.problems


class _Walk:
    def __init__(self, saga: type) -> None:
        self.saga = saga
        self.problems: list[Problem] = []
        self.seen: set[Element[Any, Any]] = set()
        self.lost: set[str] = set()

    def problem(self, element: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(element, what, remedy))

    def visit(self, part: Part, loop: str | None, why_not: str) -> None:
        """Look at `part` and what is in it. `loop`: the scope that an `again` here goes back to, or None."""
        match part.block:
            case tuple():
                self.sequence(part)
            case Element():
                self.leaf(part.block)
            case Choice():
                self.choice(part, part.block)
            case Parallel():
                self.parallel(part)
                loop, why_not = None, f"in {part.id}, whose other branches are still under way"
            case Scope():
                self.scope(part, part.block)
                for catching in part.parts[1:]:
                    self.visit(catching, part.id, "")
                self.visit(part.parts[0], None, OUTSIDE if loop is None else f"in {part.id}, an inner scope")
                return
            case Again() if loop is None:
                remedy = "write it in a catch block of the scope it is to go back to"
                self.problem(part.id, f"stands {why_not}", remedy)
            case Foreign():
                self.problem(part.id, *_foreign(part.block.thing))
            case _:
                pass
        for inner in part.parts:
            self.visit(inner, loop, why_not)

    # --- leaves -----------------------------------------------------------------------------------

    def leaf(self, leaf: Element[Any, Any]) -> None:
        if leaf in self.seen:
            remedy = (
                "write a second method for the second place; to repeat, use scope(..., catch=...) and again()"
            )
            self.problem(leaf.name, "stands in the flow twice", remedy)
        elif self.is_own(leaf):
            self.seen.add(leaf)

    def is_own(self, method: Method) -> bool:
        """Return whether `method` belongs to this saga, and report it if not."""
        if method.owner is self.saga:
            return True
        if method.owner is None:
            self.lost.add(method.name)
            what = f"is not the attribute {method.name} of {self.saga.__name__}: another one took its name"
            self.problem(method.name, what, "give each method a name of its own")
        else:
            what = f"belongs to {method.owner.__name__}, not to {self.saga.__name__}"
            self.problem(method.name, what, f"declare a method of {self.saga.__name__} for it")
        return False

    # --- blocks -----------------------------------------------------------------------------------

    def sequence(self, part: Part) -> None:
        stop = ""
        for inner in part.parts:
            names = [each.id for each in inner.walk() if each.id]
            if stop and names:
                what = f"is never reached, since the flow never goes on behind {stop}"
                self.problem(names[0], what, f"move it before {stop}, or take it out")
                return
            if not stop and ON not in _ways(inner):
                stop = _stop(inner)

    def choice(self, part: Part, choice: Choice) -> None:
        remedy = "write each case as a pair: (condition, block)"
        if not choice.cases:
            self.problem(part.id, "has no cases", remedy)
        asked: dict[Condition[Any], int] = {}
        for number, case in enumerate(choice.cases, 1):
            given: object = case
            if not (isinstance(given, tuple) and len(given) == 2):
                remedy_here = f"{remedy}; a sequence in it is a tuple of its own"
                self.problem(part.id, f"case {number} is no pair", remedy_here)
                continue
            asks: object = given[0]
            if not isinstance(asks, Condition):
                what = f"case {number} begins with {name_of(asks)}, which is not a condition"
                self.problem(part.id, what, f"{remedy}, where the condition is a method with @condition")
            elif self.is_own(asks):
                if asks in asked:
                    what = f"case {number} asks {asks.name} again, which case {asked[asks]} has asked"
                    self.problem(part.id, what, "take one of them out")
                asked.setdefault(asks, number)

    def parallel(self, part: Part) -> None:
        count = len(part.parts)
        if count < 2:
            what = f"has {count or 'no'} branch{'' if count == 1 else 'es'}"
            self.problem(part.id, what, "write two or more; a sequence needs no parallel")

    def scope(self, part: Part, scope: Scope) -> None:
        undo: object = scope.compensation
        if undo is None:
            return
        if not isinstance(undo, Step):
            what = f"its compensation is {name_of(undo)}, which is not a step"
            self.problem(
                part.id, what, "declare a method with @step() that sends the command which undoes the scope"
            )
            return
        self.leaf(undo)
        options = {
            "timeout": undo.timeout is not None,
            "retry": undo.retry is not None,
            "pivot": undo.pivot,
            "compensation": bool(undo.compensations),
        }
        for option, given in options.items():
            if given:
                what = f"is the compensation of {part.id}, and has a {option}, which is never used"
                self.problem(undo.name, what, "declare it with @step() alone")


# --- what is no part of a flow --------------------------------------------------------------------


def _foreign(thing: object) -> tuple[str, str]:
    """Return what is wrong with something that is no leaf and no block, and the remedy."""
    match thing:
        case Condition():
            return "is a condition, not a leaf", f"write choice(({thing.name}, block))"
        case Compensation():
            return "is a compensation, which runs by itself", "leave it out of the flow"
        case str():
            return "is a string", "write the leaf itself, without quotes"
        case list():
            return "is a list", "write a sequence as a tuple: (first, second)"
        case FunctionType():
            name = thing.__name__
            if vars(blocks).get(name) is thing:
                return "is the function that makes a block", f"call it: {name}(...)"
            return "is a plain function", "decorate it: @step(), @wait(...), @sleep or @answer"
        case _:
            return "is neither a leaf nor a block", "a flow is made of the leaves of its saga and of blocks"


# --- where the flow goes on -----------------------------------------------------------------------

ON, ENDS = "on", "ends the scope"


def _stop(part: Part) -> str:
    """Return the name of the leaf or block in `part` behind which the flow does not go on."""
    if isinstance(part.block, tuple):
        return _stop(next(inner for inner in part.parts if ON not in _ways(inner)))
    return part.id


def _ways(part: Part) -> set[str]:
    """Return how the flow may leave `part`: going ON behind it, or because it ENDS the scope it stands in."""
    inner = [_ways(each) for each in part.parts]
    anywhere: set[str] = set().union(*inner)
    match part.block:
        case tuple():
            ends: set[str] = set()
            for ways in inner:
                ends |= ways - {ON}
                if ON not in ways:
                    return ends
            return ends | {ON}
        case Parallel():
            return anywhere if all(ON in ways for ways in inner) else anywhere - {ON}
        case Choice():
            return anywhere
        case Scope():
            completes = {ON} if inner[0] else set()
            return completes.union(*inner[1:])
        case End():
            return {ENDS}
        case Again() | Refuse():
            return set()
        case _:
            return anywhere | {ON}
