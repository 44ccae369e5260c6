"""The rules about where leaves and blocks stand: what a flow may be made of, and that all of it is reached.

Rules
1. A flow is made of the leaves of its own saga, each of which stands in it once, and of blocks, in tuples.
2. A choice asks conditions of its own saga, each once, and so does a repeat; a parallel has two branches or more,
   a race two ways on or more, each of which begins with a wait, task or sleep that has no time limit of its own.
3. `again` stands in a catch block of the scope it goes back to, not in an inner scope, parallel or reminder there.
4. No `end` stands in what happens beside something: it would end more than that.
5. Nothing stands behind a block that the flow never leaves: see `endings`.

What leaves in an `each` take as arguments is looked at in `item_rules`, what `compensate` names in `targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from saga.errors import Problem
from saga.flow import blocks
from saga.flow.blocks import Again, Choice, Each, End, Parallel, Race, Repeat, Scope
from saga.flow.elements import Compensation, Condition, Element, Items, Method, Sleep, Step, Task, Wait
from saga.flow.endings import goes_on, stop_in
from saga.flow.parts import Foreign, Part, name_of

__all__ = ["structure_problems"]

OUTSIDE = "outside of every catch block"
_RACE_ENDS = "a race has after=(duration, block)"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something stands.

    `loop`: the scope that an `again` here goes back to, or None, and then `why_not`; `beside`: what it happens beside,
    in the same scope.
    """

    loop: str | None = None
    why_not: str = OUTSIDE
    beside: str = ""

    def of(self, part: Part, inner: Part) -> _Place:
        """Return the place of `inner`, which stands in `part`, which stands here."""
        if inner.role in ("every", "whenever"):
            return _Place(None, f"in what happens beside {part.id}", part.id)
        if inner.role == "catch":
            return replace(self, loop=part.id)
        if inner.role == "body":
            return _Place(None, OUTSIDE if self.loop is None else f"in {part.id}, an inner scope")
        if isinstance(part.block, Parallel):
            why_not = f"in {part.id}, whose other branches are still under way"
            return replace(self, loop=None, why_not=why_not)
        return self


def structure_problems(saga: type, root: Part, leaves: Mapping[str, Element[Any, Any]]) -> list[Problem]:
    """Return what is wrong with the places of things in the flow `root` of `saga`, which has `leaves`."""
    walk = _Walk(saga)
    if not any(part.id for part in root.walk()):
        walk.problem("flow", "is empty", "write the leaves of the saga in it, in their order")
    walk.visit(root, _Place())
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

    def visit(self, part: Part, place: _Place) -> None:
        """Look at `part` and what is in it."""
        self.block(part, place)
        for inner in part.parts:
            self.visit(inner, place.of(part, inner))

    def block(self, part: Part, place: _Place) -> None:
        match part.block:
            case tuple():
                self.sequence(part)
            case Element():
                self.leaf(part.block)
                if isinstance(part.block, Items) and part.role != "items":
                    what = "lists items, and is no part of a sequence"
                    self.problem(part.id, what, f"write each({part.id}, block)")
            case Choice():
                self.choice(part, part.block)
            case Parallel():
                self.parallel(part)
            case Race():
                self.race(part, part.block)
            case Scope():
                self.scope(part, part.block)
            case Repeat() | Each():
                self.activity(part, part.block)
            case Again() if place.loop is None:
                remedy = "write it in a catch block of the scope it is to go back to"
                self.problem(part.id, f"stands {place.why_not}", remedy)
            case End() if place.beside:
                what = f"stands in what happens beside {place.beside}, and would end more than that"
                remedy = f"take it out; to give up {place.beside}, write refuse(...), or a race in its place"
                self.problem(part.id, what, remedy)
            case Foreign():
                self.problem(part.id, *_foreign(part.block.thing))
            case _:
                pass

    # --- leaves -----------------------------------------------------------------------------------

    def leaf(self, leaf: Element[Any, Any]) -> None:
        if leaf in self.seen:
            remedy = "write a second method for the second place; to go round, use repeat(...)"
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
            if not stop and not goes_on(inner):
                stop = stop_in(inner)

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

    def race(self, part: Part, race: Race) -> None:
        remedy = "write each way as a pair: (wait, block)"
        count = len(race.ways) + (race.after is not None)
        if count < 2:
            what = f"has {count or 'no'} way{'' if count == 1 else 's'} on"
            self.problem(part.id, what, "write two or more, or after=(duration, block)")
        for number, way in enumerate(race.ways, 1):
            self.runner(part.id, f"way {number}", way, (Wait, Task, Sleep), remedy, _RACE_ENDS)

    def runner(
        self, id: str, name: str, way: object, kinds: tuple[type, ...], remedy: str, ends: str
    ) -> None:
        """Look at a pair of a leaf that waits and a block; `ends`: how the waiting is ended instead."""
        if not (isinstance(way, tuple) and len(way) == 2):
            self.problem(id, f"{name} is no pair", f"{remedy}; a sequence in it is a tuple of its own")
            return
        leaf = way[0]
        if not isinstance(leaf, kinds):
            words = " or ".join(kind.__name__.lower() for kind in kinds)
            self.problem(id, f"{name} begins with {name_of(leaf)}, which is no {words}", remedy)
        elif isinstance(leaf, Wait | Task):
            for option in ("within", "otherwise", "every"):
                if getattr(leaf, option) is not None:
                    what = f"has {option}=..., but how long it waits is up to {id}"
                    self.problem(leaf.name, what, f"take it out; {ends}")

    def activity(self, part: Part, block: Repeat | Each) -> None:
        if isinstance(block, Repeat):
            self.asked(part.id, "its until", block.until, "write until=a method with @condition")
        else:
            leaf: object = block.items
            if not isinstance(leaf, Items):
                what = f"begins with {name_of(leaf)}, which lists no items"
                self.problem(part.id, what, "write each(leaf, block), where the leaf is a method with @items")
        if not any(inner.id for body in part.inner("body") for inner in body.walk()):
            self.problem(part.id, "has nothing in it", "write what is to be done")

    def asked(self, id: str, what: str, asks: object, remedy: str) -> bool:
        """Return whether `asks` is a condition of this saga, and report it if not."""
        if isinstance(asks, Condition):
            return self.is_own(asks)
        self.problem(id, f"{what} is {name_of(asks)}, which is not a condition", remedy)
        return False

    def scope(self, part: Part, scope: Scope) -> None:
        for number, way in enumerate(scope.whenever, 1):
            remedy = "write whenever=(wait, block)"
            self.runner(part.id, f"whenever {number}", way, (Wait,), remedy, "it waits as long as the scope")
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
