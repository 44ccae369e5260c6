"""Random flows in the language of authors, all blocks nested into each other, by a seed or by hypothesis.

What is drawn is a definition unless something in it is never reached.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Protocol, TypeVar

from saga import (
    Command,
    DefinitionError,
    Event,
    Key,
    Saga,
    again,
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

__all__ = [
    "Arrived",
    "Chance",
    "Do",
    "Drawing",
    "Flow",
    "Here",
    "Part",
    "Placed",
    "Seeded",
    "a_flow",
    "defined",
]

T = TypeVar("T")


class Chance(Protocol):
    """Decides what is left to chance."""

    def number(self, least: int, most: int) -> int:
        """Return a number in this range."""

    def yes(self) -> bool:
        """Return yes or no."""

    def pick(self, items: Sequence[T]) -> T:
        """Return one of these."""


class Seeded:
    """Chance that a seed decides about."""

    def __init__(self, rng: Random) -> None:
        self.number, self.pick, self.yes = rng.randint, rng.choice, lambda: rng.random() < 0.5


@dataclass(frozen=True, slots=True)
class Placed:
    """The input of random sagas."""

    id: str


@dataclass(frozen=True, slots=True)
class Do(Command[None]):
    """What their steps send."""

    id: str


@dataclass(frozen=True, slots=True)
class Arrived(Event):
    """What they wait for."""

    id: Key[str]


CODES = ("x", "y", "timeout")


class Part(Saga[Placed]):
    """A saga that others call."""

    @step()
    def do(self) -> Do:
        return Do(self.input.id)

    flow = do


@dataclass
class Flow:
    """A random flow, and the methods it is made of by name."""

    methods: dict[str, Any] = field(default_factory=dict)
    blocks: Any = ()

    def method(self, decorate: Callable[[Any], Any], word: str, returned: object, item: bool = False) -> Any:
        def plain(self: Any) -> Any: ...

        def with_item(self: Any, item: str) -> Any: ...

        function: Any = with_item if item else plain
        function.__name__ = f"{word}_{len(self.methods)}"
        function.__annotations__ = {"item": str, "return": returned} if item else {"return": returned}
        made = self.methods[function.__name__] = decorate(function)
        return made


@dataclass(frozen=True)
class Here:
    """Where a block is drawn: how much may still be in it, may an `again` or `end` stand there, is there an item?"""

    depth: int
    loop: bool = False
    item: bool = False
    beside: bool = False

    def inside(self, **changes: bool) -> Here:
        return replace(self, depth=self.depth - 1, **changes)


DAY = timedelta(1)
LEAVES = ("step", "step", "call", "wait", "task", "sleep", "publish", "refuse", "undone")
NESTED = ("sequence", "choice", "parallel", "race", "repeat", "each", "scope", "late", "reminded")


class Drawing:
    """Draws the blocks of a flow."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.flow = Flow()

    def some(self, here: Here, least: int, most: int) -> tuple[Any, ...]:
        return tuple(self.block(here) for _ in range(self.chance.number(least, most)))

    def leaf(self, here: Here, decorate: Callable[[Any], Any], word: str, returned: object) -> Any:
        return self.flow.method(decorate, word, returned, here.item)

    def step(self, here: Here) -> Any:
        return self.leaf(here, step(), "step", Do)

    def condition(self, here: Here) -> Any:
        return self.leaf(here, condition, "is", bool)

    def wait(self, here: Here, **options: Any) -> Any:
        return self.leaf(here, wait(Arrived, **options), "wait", str)

    def task(self, here: Here, **options: Any) -> Any:
        return self.leaf(here, task(answer=bool, **options), "task", str)

    def every(self, here: Here) -> Any:
        block = (self.step(here), self.block(here.inside(loop=False, beside=True)))
        return (DAY, block, self.chance.number(1, 3))

    def block(self, here: Here) -> Any:
        ends = ["end"] * (not here.beside) + ["again"] * 3 * here.loop
        nested = NESTED if here.depth > 0 else ()
        kind = self.chance.pick([*LEAVES, *ends, *nested])
        draw: Callable[[Here], Any] = getattr(self, f"_{kind}")
        return draw(here)

    def _step(self, here: Here) -> Any:
        return self.step(here)

    def _call(self, here: Here) -> Any:
        return self.leaf(here, call(Part), "call", Placed)

    def _wait(self, here: Here) -> Any:
        return self.wait(here, within=DAY)

    def _task(self, here: Here) -> Any:
        return self.task(here, within=DAY)

    def _sleep(self, here: Here) -> Any:
        return self.leaf(here, sleep, "sleep", timedelta)

    def _publish(self, here: Here) -> Any:
        return self.leaf(here, publish, "publish", Arrived)

    def _refuse(self, here: Here) -> Any:
        return refuse("no", code=self.chance.pick(CODES[:2]))

    def _end(self, here: Here) -> Any:
        return end()

    def _again(self, here: Here) -> Any:
        return again(at_most=self.chance.number(1, 2))

    def _undone(self, here: Here) -> Any:
        done = self.step(here)
        self.leaf(here, done.compensation, "undo", Do)
        return (done, compensate(done if self.chance.yes() else None))

    def _late(self, here: Here) -> Any:
        make = self.wait if self.chance.yes() else self.task
        return make(here, within=DAY, otherwise=self.block(here.inside()))

    def _reminded(self, here: Here) -> Any:
        make = self.wait if self.chance.yes() else self.task
        return make(here, within=DAY, every=self.every(here))

    def _sequence(self, here: Here) -> Any:
        return self.some(here.inside(), 0, 3)

    def _choice(self, here: Here) -> Any:
        cases = self.some(here.inside(), 1, 3)
        asked = [(self.condition(here), each) for each in cases]
        return choice(*asked, otherwise=self.block(here.inside()))

    def _parallel(self, here: Here) -> Any:
        return parallel(*self.some(here.inside(loop=False), 2, 3))

    def _race(self, here: Here) -> Any:
        runners = [self.wait(here), self.task(here), self._sleep(here)]
        ways = [(each, self.block(here.inside())) for each in runners]
        return race(*ways, after=(DAY, self.block(here.inside())) if self.chance.yes() else None)

    def _repeat(self, here: Here) -> Any:
        body = (self.step(here), self.block(here.inside(loop=False, beside=False)))
        return repeat(*body, until=self.condition(here), at_most=self.chance.number(1, 3))

    def _each(self, here: Here) -> Any:
        listed = self.leaf(here, items, "items", list[str])
        inside = here.inside(loop=False, beside=False, item=True)
        return each(listed, self.step(inside), self.block(inside), concurrency=self.chance.number(1, 3))

    def _scope(self, here: Here) -> Any:
        caught = {code for code in CODES if self.chance.yes()}
        options: dict[str, Any] = {}
        if self.chance.yes():
            options["every"] = self.every(here)
            beside = self.block(here.inside(loop=False, beside=True))
            options["whenever"] = (self.wait(here), beside)
        body = self.some(here.inside(loop=False, beside=False), 0, 3)
        catch = {code: self.block(here.inside(loop=True)) for code in sorted(caught)}
        return scope(*body, catch=catch, **options)


def a_flow(chance: Chance, depth: int = 4) -> Flow:
    """Return a random flow."""
    drawing = Drawing(chance)
    first = Here(depth)
    drawing.flow.blocks = (drawing.step(first), *drawing.some(first, 1, depth))
    return drawing.flow


def defined(flow: Flow) -> type[Saga[Any]] | DefinitionError:
    """Return the saga of a flow, or why there is none."""
    namespace = {**flow.methods, "flow": flow.blocks}
    try:
        return types.new_class("Random", (Saga[Placed],), {}, lambda body: body.update(namespace))
    except DefinitionError as error:
        return error
