"""The rules about where leaves and blocks stand: what a flow may be made of, and that all of it is reached.

Rules
1. A flow is made of the leaves of its own saga, each of which stands in it once, and of blocks, in tuples.
2. A choice asks conditions of its own saga, each once, and so does a repeat; a parallel has two branches or more,
   a race two ways on or more, each of which begins with a wait, task or sleep that has no time limit of its own.
3. `again` stands in a catch block of the scope it goes back to, not in an inner scope, parallel or reminder there.
4. `compensate` names a leaf or block that stands before it, in the same scope or in a part of it.
5. Nothing stands behind a block that the flow never leaves: a `refuse`, `end` or `again`, a choice or scope
   of which every way ends so, a parallel of which one branch does (the others would wait for it).

What leaves in an `each` take as arguments is looked at in `item_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from saga.errors import Problem
from saga.flow import blocks
from saga.flow.blocks import Again, Choice, Compensate, Each, End, Parallel, Race, Refuse, Repeat, Scope
from saga.flow.elements import Compensation, Condition, Element, Items, Method, Sleep, Step, Task, Wait
from saga.flow.parts import Foreign, Part, name_of

__all__ = ["structure_problems"]

OUTSIDE = "outside of every catch block"


def structure_problems(saga: type, root: Part, leaves: Mapping[str, Element[Any, Any]]) -> list[Problem]:
    """Return what is wrong with the places of things in the flow `root` of `saga`, which has `leaves`."""
    walk = _Walk(saga)
    if not any(part.id for part in root.walk()):
        walk.problem("flow", "is empty", "write the leaves of the saga in it, in their order")
    walk.visit(root, None, OUTSIDE)
    walk.targets(root)
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
            case Wait() | Task():
                self.leaf(part.block)
                for inner in part.parts:
                    beside = inner.role == "every"
                    why = f"in what happens beside {part.id}"
                    self.visit(inner, None if beside else loop, why if beside else why_not)
                return
            case Items() if part.role != "items":
                self.problem(
                    part.id, "lists items, and is no part of a sequence", f"write each({part.id}, block)"
                )
                self.leaf(part.block)
            case Element():
                self.leaf(part.block)
            case Choice():
                self.choice(part, part.block)
            case Parallel():
                self.parallel(part)
                loop, why_not = None, f"in {part.id}, whose other branches are still under way"
            case Scope():
                self.scope(part, part.block)
                for inner in part.parts:
                    if inner.role == "catch":
                        self.visit(inner, part.id, "")
                    else:
                        self.visit(inner, None, OUTSIDE if loop is None else f"in {part.id}, an inner scope")
                return
            case Race():
                self.race(part, part.block)
            case Repeat() | Each():
                self.activity(part, part.block)
                loop, why_not = None, OUTSIDE if loop is None else f"in {part.id}, an inner scope"
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

    def race(self, part: Part, race: Race) -> None:
        remedy = "write each way as a pair: (wait, block)"
        count = len(part.parts)
        if count < 2:
            what = f"has {count or 'no'} way{'' if count == 1 else 's'} on"
            self.problem(part.id, what, "write two or more, or after=(duration, block)")
        for number, way in enumerate(race.ways, 1):
            self.runner(part.id, f"way {number}", way, (Wait, Task, Sleep), remedy)

    def runner(self, id: str, name: str, way: object, kinds: tuple[type, ...], remedy: str) -> None:
        """Look at a pair of a leaf that waits and a block."""
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
                    self.problem(leaf.name, what, "take it out; a race has after=(duration, block)")

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

    def targets(self, root: Part) -> None:
        """Look at what `compensate` names: it stands before it, in the same scope or in a part of it."""
        for part, before in _scopes(root):
            block = part.block
            if not isinstance(block, Compensate) or block.target is None:
                continue
            target: object = block.target
            if not any(inner.block is target for each in before for inner in each.walk()):
                what = f"names {name_of(target)}, which does not stand before it in the same scope"
                remedy = (
                    "name a leaf or block that was done before, or move it; compensate() undoes everything"
                )
                self.problem(part.id, what, remedy)

    def scope(self, part: Part, scope: Scope) -> None:
        for number, way in enumerate(scope.whenever, 1):
            remedy = "write whenever=(wait, block)"
            self.runner(part.id, f"whenever {number}", way, (Wait,), remedy)
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


def _scopes(root: Part) -> Iterator[tuple[Part, list[Part]]]:
    """Yield every part, with those that stand before it (or around it) in its innermost scope."""
    waiting: list[tuple[Part, list[Part]]] = [(root, [])]
    while waiting:
        part, before = waiting.pop()
        yield part, before
        fresh = isinstance(part.block, Scope | Repeat | Each)
        seen: list[Part] = [] if fresh else list(before)
        for inner in part.parts:
            is_outside = inner.role in ("catch", "every", "whenever")
            waiting.append((inner, [*before] if is_outside else [*seen]))
            if isinstance(part.block, tuple):
                seen.append(inner)


# --- where the flow goes on -----------------------------------------------------------------------

ON, ENDS = "on", "ends the scope"


def _is_body(part: Part) -> bool:
    return part.role == "body"


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
        case Scope() | Repeat():
            completes = (
                {ON}
                if any(ways for each, ways in zip(part.parts, inner, strict=True) if _is_body(each))
                else set()
            )
            catching = [ways for each, ways in zip(part.parts, inner, strict=True) if each.role == "catch"]
            return completes.union(*catching)
        case Each():
            return {ON}
        case Race():
            return anywhere
        case Wait() | Task():
            late = [ways for each, ways in zip(part.parts, inner, strict=True) if each.role == "late"]
            return {ON}.union(*late)
        case End():
            return {ENDS}
        case Again() | Refuse():
            return set()
        case _:
            return anywhere | {ON}
