"""The flow language: random flows, and leaves and blocks put together in any way at all.

A random flow is a definition; its graph comes back from JSON, and a saga of it comes to its end. Something that was put
together by chance is a definition, too, or is refused with a DefinitionError that says of each problem where it is and
what to do. Never another exception.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from reliability.fuzz.drawing import Arrived, Do, Drawing, Here, Part, Placed, Seeded, a_flow, defined
from reliability.fuzz.walk import lead_to_its_end
from reliability.model.invariants import Violation
from saga import (
    DefinitionError,
    Retry,
    Saga,
    again,
    answer,
    call,
    choice,
    compensate,
    condition,
    each,
    end,
    items,
    parallel,
    publish,
    race,
    refuse,
    repeat,
    scope,
    sleep,
    step,
    task,
    wait,
)
from saga.flow import Graph, definition_of

__all__ = ["anything_is_a_definition_or_explained", "flows_come_to_their_end"]


def flows_come_to_their_end(rng: Random) -> str | None:
    """Draw a flow, store its graph, and lead a saga of it to its end. Return what is wrong."""
    made = defined(a_flow(Seeded(rng), rng.randint(1, 4)))
    if isinstance(made, DefinitionError):
        others = [each for each in made.problems if "is never reached" not in each.what]
        return f"a flow of the right kind is refused: {others}" if others else _explained(made)
    graph = definition_of(made).graph
    again = Graph.from_json(graph.to_json())
    if again != graph or again.digest() != graph.digest():
        return "its graph comes back from JSON as another one"
    try:
        lead_to_its_end(graph, rng)
    except Violation as violation:
        return f"{violation}"[:300]
    return None


def _explained(error: DefinitionError) -> str | None:
    if error.problems and all(each.element and each.what and each.remedy for each in error.problems):
        return None
    return f"refused without element, reason or remedy: {error}"


# --- anything at all ----------------------------------------------------------------------------------

NUMBERS: tuple[Any, ...] = (1, 3, 2, 0, -1, 2**70, 1.5, None, True, "3", float("nan"))
TIMES: tuple[Any, ...] = (timedelta(1), timedelta(0), timedelta(-1), timedelta.max, 5, 1.5, None, "1 day", Do)
THINGS: tuple[Any, ...] = (
    None,
    1,
    "reserve",
    Do,
    Part,
    Placed,
    object(),
    [],
    {},
    len,
    (),
    ((),),
    Ellipsis,
    Arrived,
)
CODES: tuple[Any, ...] = ("x", "timeout", "failed", "cancelled", "", "a b", None, 1, "ä", "X" * 200)
RETURNED: tuple[Any, ...] = (Do, Placed, str, timedelta, Arrived, bool, None, list[str], int, "Do", Any, Part)


class Stranger(Saga[Placed]):
    """Its leaves belong to it alone."""

    @step()
    def alone(self) -> Do:
        return Do(self.input.id)

    flow = alone


class _Anything:
    """Puts leaves and blocks together; mostly in a sensible way, so that more than the first check is come to."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.drawing = Drawing(Seeded(rng))
        self.flow = self.drawing.flow
        self.wrong = rng.choice((0.0, 0.02, 0.12))
        """How often something does not belong where it is put."""
        self.item = self.caught = False
        """Whether a block stands in an `each`, and in the catch of a scope."""

    def odd(self) -> bool:
        return self.rng.random() < self.wrong

    def perhaps(self, often: float) -> bool:
        return self.rng.random() < often

    def instead_of(self, fitting: Any) -> Any:
        return self.rng.choice((Do, None, "", 1)) if self.odd() else fitting

    def thing(self) -> Any:
        made = list(self.flow.methods.values())
        return self.rng.choice((*THINGS, Stranger.alone, *made[:3]))

    def leaf(self, returned: Any = None) -> Any:
        rng = self.rng
        if self.odd() and self.flow.methods:
            return rng.choice(list(self.flow.methods.values()))  # for the second time
        if self.odd():
            return self.thing()
        decorators: dict[str, tuple[Callable[[], Any], Any]] = {
            "step": (
                lambda: step(**self.options(timeout=TIMES, pivot=(True, False, 1), retry=(Retry(), 3))),
                Do,
            ),
            "wait": (
                lambda: wait(self.instead_of(Arrived), **self.beside()),
                str,
            ),
            "task": (lambda: task(**self.options(answer=(bool, Do, len, set)), **self.beside()), str),
            "sleep": (lambda: sleep, timedelta),
            "publish": (lambda: publish, Arrived),
            "answer": (lambda: answer, str),
            "call": (
                lambda: call(self.instead_of(Part), **self.options(timeout=TIMES)),
                Placed,
            ),
            "items": (lambda: items, list[str]),
            "is": (lambda: condition, bool),
        }
        words = (
            list(decorators) if self.odd() else [word for word in decorators if word not in ("items", "is")]
        )
        word = rng.choice(words)
        decorate, fitting = decorators[word]
        made = self.flow.method(
            decorate(),
            word,
            rng.choice(RETURNED) if self.odd() else returned or fitting,
            self.item != self.odd(),
        )
        if word in ("step", "call") and self.perhaps(0.3):
            undo = rng.choice(RETURNED) if self.odd() else Do
            self.flow.method(made.compensation, "undo", undo, self.item != self.odd())
        return made

    def options(self, **given: tuple[Any, ...]) -> dict[str, Any]:
        return {
            name: self.rng.choice(values) if self.odd() else values[0]
            for name, values in given.items()
            if self.perhaps(0.3)
        }

    def number(self) -> Any:
        return self.rng.choice(NUMBERS if self.odd() else NUMBERS[:3])

    def code(self) -> Any:
        return self.rng.choice(CODES) if self.odd() else CODES[0]

    def time(self) -> Any:
        return self.rng.choice(TIMES) if self.odd() else TIMES[0]

    def beside(self) -> dict[str, Any]:
        options = self.options(within=TIMES)
        if self.perhaps(0.2):
            options["otherwise"] = self.block(0)
        if self.perhaps(0.1):
            options["every"] = (self.time(), self.block(0), self.number())
        return options

    def condition(self) -> Any:
        if self.odd():
            return self.leaf()
        return self.drawing.condition(Here(0, item=self.item))

    def blocks(self, depth: int, most: int = 3) -> tuple[Any, ...]:
        return tuple(self.block(depth) for _ in range(self.rng.randint(0 if self.odd() else 1, most)))

    def block(self, depth: int) -> Any:
        rng = self.rng
        if depth <= 0 or rng.random() < 0.35:
            return self.leaf()
        inner = depth - 1
        match rng.randrange(13):
            case 0:
                return self.blocks(inner)
            case 1:
                cases = [
                    (self.condition(), self.block(inner))
                    for _ in range(rng.randint(0 if self.odd() else 1, 2))
                ]
                cases += [self.thing()] if self.odd() else []
                return choice(*cases, **({"otherwise": self.block(inner)} if self.perhaps(0.5) else {}))
            case 2:
                return parallel(*self.blocks(inner), *self.blocks(inner))
            case 3:
                ways = [(self.leaf(), self.block(inner)) for _ in range(2)]
                return race(*ways, after=(self.time(), self.block(inner)) if self.perhaps(0.4) else None)
            case 4:
                return repeat(*self.blocks(inner), until=self.condition(), at_most=self.number())
            case 5:
                listed = (
                    self.drawing.leaf(Here(0), items, "items", list[str]) if not self.odd() else self.leaf()
                )
                return each(listed, *self.blocks(inner), concurrency=self.number())
            case 6 | 7:
                outer, self.caught = self.caught, True
                catch = {
                    rng.choice(CODES if self.odd() else CODES[:3]): self.block(inner)
                    for _ in range(rng.randrange(3))
                }
                self.caught = outer
                options = self.options(timeout=TIMES)
                if self.perhaps(0.2):
                    options["compensation"] = self.leaf()
                if self.perhaps(0.2):
                    options["whenever"] = (self.leaf(), self.block(inner))
                if self.perhaps(0.2):
                    options["every"] = (self.time(), self.block(inner))
                return scope(*self.blocks(inner), catch=catch, **options)
            case 8:
                return again(at_most=self.number()) if self.caught != self.odd() else self.leaf()
            case 9:
                return compensate(self.leaf() if self.perhaps(0.5) else None)
            case 10:
                return refuse(str(self.instead_of("no")), code=self.code())
            case 11:
                return end()
            case _:
                return self.thing() if self.odd() else self.leaf()


def anything_is_a_definition_or_explained(rng: Random) -> str | None:
    """Put leaves and blocks together in any way. Return what is wrong."""
    anything = _Anything(rng)
    try:
        flow = anything.blocks(3, 4)
        methods = dict(anything.flow.methods)
        for _ in range(rng.randrange(2) if rng.random() < 0.2 else 0):
            methods.pop(rng.choice(list(methods)), None) if methods else None
        if rng.random() < 0.1:
            methods[rng.choice(("id", "input", "tags", "other", "started_at", "class"))] = anything.leaf()
        namespace = {**methods, "flow": anything.thing() if rng.random() < 0.03 else flow}
        made = types.new_class(
            "Random", (Saga[Placed],), anything.options(version=NUMBERS), lambda body: body.update(namespace)
        )
        graph = definition_of(made).graph
    except DefinitionError as error:
        return _explained(error)
    if Graph.from_json(graph.to_json()) != graph:
        return "its graph comes back from JSON as another one"
    try:
        lead_to_its_end(graph, rng)
    except Violation as violation:
        return f"{violation}"[:300]
    return None
