"""Random flows that keep the rules of the language: any blocks, nested, with a pivot here and there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random

from reliability.model.graphs import (
    Block,
    Blocks,
    Every,
    again,
    answer,
    call,
    choice,
    compensate,
    each,
    end,
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
    walk,
)

__all__ = ["CODES", "EVENTS", "has_pivot", "random_flow"]

CODES = ("no", "sold-out")
"""What participants refuse with."""
EVENTS = ("paid", "fetched")
"""Few, so that several waits are for the same one."""
PARTICIPANTS = ("context-1", "gateway-1", "context-2", "gateway-2")


def random_flow(rng: Random, size: int = 8) -> tuple[Blocks, ...]:
    """Return a flow of about `size` leaves. Where chance says 0 it is the simplest that there is."""
    flow = _Flow(rng, size, pivots=rng.randrange(2) == 0)
    return flow.sequence(_Place(may_pivot=True), least=2 + size // 4)


def has_pivot(flow: Blocks) -> bool:
    """Return whether a flow has a pivot of its own, or calls a saga that makes one of the call."""
    return any(isinstance(block, step | call) and block.pivot for block in walk(flow, called=False))


@dataclass(frozen=True)
class _Place:
    """What holds where a block is put."""

    depth: int = 0
    may_pivot: bool = False
    """Nothing around may be undone as a whole, and no other branch is under way."""
    caught: frozenset[str] = frozenset()
    """Codes that a scope around catches for good; counted only behind a pivot."""
    beside: bool = False
    """It happens beside something else, and so perhaps behind a pivot that stands later."""
    before: tuple[str, ...] = ()
    """Names of what stands before it in the same scope."""


@dataclass
class _Flow:
    rng: Random
    left: int
    pivots: bool = True
    """It may have a pivot."""
    quiet: bool = False
    """It publishes nothing: it is called whenever an event comes, and might call itself for ever."""
    level: int = 0
    """How many sagas call each other around it."""
    names: Iterator[int] = field(default_factory=lambda: count(1))
    pivoted: bool = False
    kinds: list[Callable[[_Place], Blocks]] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = [self.step] * 8 + [self.scope] * 4 + [self.parallel] * 3
        self.kinds += [self.choice, self.wait, self.wait, self.sleep, self.answer]
        self.kinds += [self.race, self.race, self.repeat, self.repeat, self.each, self.each, self.each]
        self.kinds += [self.task, self.task, self.publish, self.compensate, self.compensate]
        self.kinds += [self.call, self.call]

    def below(self, n: int) -> int:
        return self.rng.randrange(n)

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == one_in - 1

    def name(self, kind: str) -> str:
        return f"{kind}{next(self.names)}"

    def sequence(self, place: _Place, least: int = 0) -> tuple[Blocks, ...]:
        """A sequence; nothing stands behind what never goes on."""
        blocks: list[Blocks] = []
        while self.left > 0 and (len(blocks) < least or self.chance(2)):
            blocks.append(self.block(place))
            if ON not in _ways(blocks[-1]):
                return tuple(blocks)
            place = replace(place, before=(*place.before, *_named(blocks[-1])))
            if place.may_pivot and self.pivots and not self.pivoted and self.chance(6):
                blocks.append(self.pivot())
        if place.depth and self.chance(16):
            blocks.append(end())
        elif self.chance(24):
            blocks.append(self.refusing(place))
        return tuple(blocks)

    def refusing(self, place: _Place) -> Block:
        codes = [code for code in CODES if self.may_refuse(code, place)]
        return refuse(codes[self.below(len(codes))]) if codes else end()

    def may_refuse(self, code: str, place: _Place) -> bool:
        return code in place.caught or not (self.pivoted or (place.beside and self.pivots))

    def block(self, place: _Place) -> Blocks:
        self.left -= 1
        if place.depth > 3:
            return self.step(place)
        return self.kinds[self.below(len(self.kinds))](place)

    # --- leaves -----------------------------------------------------------------------------------

    def step(self, place: _Place) -> Block:
        name = self.name("s")
        return step(
            name,
            to=PARTICIPANTS[self.below(4)],
            undo=None if self.chance(3) else f"undo_{name}",
            timeout=(20, 150)[self.below(2)] if self.chance(3) else None,
            attempts=1 + self.below(3),
        )

    def pivot(self) -> Block:
        self.pivoted = True
        timeout = 150 if self.chance(2) else None
        return step(self.name("p"), to=PARTICIPANTS[self.below(4)], timeout=timeout, attempts=2, pivot=True)

    def call(self, place: _Place) -> Block:
        """Calls another saga. If that one has a pivot, the call is one, or has a compensation of its own."""
        if self.level > 1:
            return self.step(place)
        size = 1 + self.below(4)
        self.left -= size // 2
        own_undo, pivots = self.chance(4), self.chance(4)
        pivots &= own_undo or (place.may_pivot and self.pivots and not self.pivoted)
        quiet = self.quiet or place.beside
        inner = _Flow(self.rng, size, pivots, quiet, self.level + 1, self.names)
        child = inner.sequence(_Place(may_pivot=True), least=1)
        name = self.name("k")
        undo: str | bool | None = f"undo_{name}" if own_undo else None
        pivot = has_pivot(child) and undo is None
        if undo is None and not pivot and _can_be_undone(child):
            undo = True
        self.pivoted |= pivot
        timeout = (60, 300)[self.below(2)] if self.chance(3) else None
        deadline = 200 if not has_pivot(child) and self.chance(6) else None
        return call(name, child, undo, timeout, pivot, deadline)

    def wait(self, place: _Place) -> Block:
        name, event = self.name("w"), EVENTS[self.below(2)]
        within, otherwise, every = self.limits(place)
        return wait(name, event, within, otherwise, every)

    def task(self, place: _Place) -> Block:
        return task(self.name("t"), *self.limits(place))

    def limits(self, place: _Place) -> tuple[int | None, Blocks | None, Every | None]:
        """How long something is waited for, what happens when it is late, and what happens meanwhile."""
        every = self.every(place) if self.chance(4) else None
        if self.chance(2):
            return None, None, every
        if self.chance(2):
            return (30, 200)[self.below(2)], self.sequence(self.inner(place)), every
        return 100 if self.may_refuse("timeout", place) else None, None, every

    def every(self, place: _Place) -> Every:
        interval, block = (25, 90)[self.below(2)], self.sequence(self.aside(place), 1)
        return (interval, block, 1 + self.below(3)) if self.chance(2) else (interval, block)

    def sleep(self, place: _Place) -> Block:
        return sleep(self.name("z"))

    def answer(self, place: _Place) -> Block:
        return answer(self.name("a"))

    def publish(self, place: _Place) -> Block:
        if self.quiet or place.beside:
            return self.step(place)
        return publish(self.name("e"), EVENTS[self.below(2)])

    def compensate(self, place: _Place) -> Block:
        if place.before and not self.chance(3):
            return compensate(place.before[self.below(len(place.before))])
        return compensate()

    # --- blocks -----------------------------------------------------------------------------------

    def inner(self, place: _Place, **changes: object) -> _Place:
        return replace(place, depth=place.depth + 1, **changes)  # type: ignore[arg-type]

    def aside(self, place: _Place) -> _Place:
        return self.inner(place, may_pivot=False, beside=True)

    def choice(self, place: _Place) -> Block:
        inner = self.inner(place, may_pivot=False)
        cases = [(self.name("c"), self.sequence(inner)) for _ in range(1 + self.below(2))]
        if self.chance(3):
            cases.append((self.name("c"), self.refusing(place) if self.chance(2) else end()))
        return choice(tuple(cases), self.sequence(inner))

    def parallel(self, place: _Place) -> Block:
        inner = self.inner(place, may_pivot=False)
        branches = [self.sequence(inner, 1 + self.below(2)) for _ in range(2 + self.below(2))]
        if not all(ON in _ways(branch) for branch in branches):
            self.pivoted = (
                True  # what follows is never reached; a pivot there would seem to be in the parallel
            )
        return parallel(*branches)

    def race(self, place: _Place) -> Block:
        inner = self.inner(place, may_pivot=False)
        ways = tuple((self.runner(), self.sequence(inner)) for _ in range(1 + self.below(3)))
        if len(ways) == 1 or self.chance(2):
            return race(ways, ((20, 120)[self.below(2)], self.sequence(inner)))
        return race(ways)

    def runner(self) -> Block:
        runners: list[Callable[[], Block]] = [
            lambda: wait(self.name("w"), EVENTS[self.below(2)]),
            lambda: task(self.name("t")),
            lambda: sleep(self.name("z")),
        ]
        return runners[self.below(3)]()

    def repeat(self, place: _Place) -> Block:
        body = self.sequence(self.inner(place, may_pivot=False, before=()), 1)
        return repeat(body, self.name("c"), 1 + self.below(3), self.name("repeat"))

    def each(self, place: _Place) -> Block:
        body = self.sequence(self.inner(place, may_pivot=False, before=()), 1)
        return each(self.name("items"), body, 1 + self.below(3), self.name("each"))

    def scope(self, place: _Place) -> Block:
        pivoted = self.pivoted or (place.beside and self.pivots)
        codes = [code for code in (*CODES, "timeout", "failed") if self.chance(2)]
        goes_again = {code for code in codes if self.chance(2)}
        caught = place.caught | {*codes} - goes_again  # the others go on when their `again` is used up
        undo = self.name("undo_scope") if self.chance(4) else None
        timed = self.chance(3)
        if pivoted and timed and "timeout" not in caught:
            timed = False
        bare = not codes and undo is None and not timed
        every = self.every(place) if self.chance(5) else None
        whenever = tuple(self.whenever(place) for _ in range(self.below(3) if self.chance(4) else 0))
        may_pivot = place.may_pivot and bare and not every and not whenever
        inner = self.inner(place, may_pivot=may_pivot, caught=caught, before=())
        body = self.sequence(inner, 1 + self.below(3))
        catch = {code: self.catch(self.inner(place, may_pivot=False), code in goes_again) for code in codes}
        timeout = (60, 300)[self.below(2)] if timed else None
        return scope(body, timeout, catch, undo, every, whenever, self.name("scope"))

    def whenever(self, place: _Place) -> tuple[wait, Blocks]:
        return wait(self.name("w"), EVENTS[self.below(2)]), self.sequence(self.aside(place), 1)

    def catch(self, place: _Place, goes_again: bool) -> Blocks:
        blocks = self.sequence(place)
        if goes_again and ON in _ways(blocks):
            return (*blocks, again(1 + self.below(2)))
        return blocks


def _named(block: Blocks) -> list[str]:
    return [name for one in walk(block, called=False) if (name := getattr(one, "name", ""))]


def _can_be_undone(flow: Blocks) -> bool:
    return any(isinstance(block, step | call | scope) and block.undo for block in walk(flow, called=False))


ON, ENDS = "on", "ends the scope"


def _ways(block: Blocks) -> set[str]:
    """Return how the flow may leave a block."""
    match block:
        case tuple():
            ways = [_ways(one) for one in block]
            ends = set().union(*ways) & {ENDS}
            return ends | {ON} if all(ON in one for one in ways) else ends
        case parallel():
            ways = [_ways(one) for one in block.branches]
            return set().union(*ways) - ({ON} if any(ON not in one for one in ways) else set())
        case choice():
            return set().union(_ways(block.otherwise), *(_ways(one) for _, one in block.cases))
        case race():
            late = [block.after[1]] if block.after else []
            return set().union(*(_ways(one) for one in (*(behind for _, behind in block.ways), *late)))
        case scope() | repeat():
            catches = block.catch.values() if isinstance(block, scope) else ()
            completes = {ON} if _ways(block.body) else set()
            return completes.union(*(_ways(one) for one in catches))
        case wait() | task() if block.otherwise is not None:
            return {ON} | _ways(block.otherwise)
        case end():
            return {ENDS}
        case refuse() | again():
            return set()
        case _:
            return {ON}
