"""Random flows that keep the rules of the language: any blocks, nested, with a pivot here and there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from .graphs import (
    Block,
    Blocks,
    again,
    answer,
    choice,
    end,
    parallel,
    refuse,
    scope,
    sleep,
    step,
    wait,
)

__all__ = ["CODES", "random_flow"]

CODES = ("no", "sold-out")
"""What participants refuse with."""
EVENTS = ("paid", "fetched")
"""Few, so that several waits are for the same one."""
PARTICIPANTS = ("context-1", "gateway-1", "context-2", "gateway-2")


def random_flow(rng: Random, size: int = 8) -> tuple[Blocks, ...]:
    """Return a flow of about `size` leaves. Where chance says 0 it is the simplest that there is."""
    return _Flow(rng, size).sequence(_Place(may_pivot=True), least=2 + size // 4)


@dataclass(frozen=True)
class _Place:
    """What holds where a block is put."""

    depth: int = 0
    may_pivot: bool = False
    """Nothing around may be undone as a whole, and no other branch is under way."""
    caught: frozenset[str] = frozenset()
    """Codes that a scope around catches for good; counted only behind a pivot."""


@dataclass
class _Flow:
    rng: Random
    left: int
    names: int = 0
    pivoted: bool = False
    kinds: list[Callable[[_Place], Blocks]] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = [self.step] * 7 + [self.scope] * 4 + [self.parallel] * 3
        self.kinds += [self.choice, self.wait, self.wait, self.sleep, self.answer]

    def below(self, n: int) -> int:
        return self.rng.randrange(n)

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == one_in - 1

    def name(self, kind: str) -> str:
        self.names += 1
        return f"{kind}{self.names}"

    def sequence(self, place: _Place, least: int = 0) -> tuple[Blocks, ...]:
        """A sequence; nothing stands behind what never goes on."""
        blocks: list[Blocks] = []
        while self.left > 0 and (len(blocks) < least or self.chance(2)):
            blocks.append(self.block(place))
            if ON not in _ways(blocks[-1]):
                return tuple(blocks)
            if place.may_pivot and not self.pivoted and self.chance(6):
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
        return not self.pivoted or code in place.caught

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

    def wait(self, place: _Place) -> Block:
        name, event = self.name("w"), EVENTS[self.below(2)]
        if self.chance(2):
            return wait(name, event)
        if self.chance(2):
            return wait(name, event, (30, 200)[self.below(2)], self.sequence(self.inner(place)))
        return wait(name, event, 100 if self.may_refuse("timeout", place) else None)

    def sleep(self, place: _Place) -> Block:
        return sleep(self.name("z"))

    def answer(self, place: _Place) -> Block:
        return answer(self.name("a"))

    # --- blocks -----------------------------------------------------------------------------------

    def inner(self, place: _Place, **changes: object) -> _Place:
        given = {"depth": place.depth + 1, "may_pivot": place.may_pivot, "caught": place.caught} | changes
        return _Place(**given)  # type: ignore[arg-type]

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

    def scope(self, place: _Place) -> Block:
        pivoted = self.pivoted
        codes = [code for code in (*CODES, "timeout", "failed") if self.chance(2)]
        goes_again = {code for code in codes if self.chance(2)}
        caught = place.caught | {*codes} - goes_again  # the others go on when their `again` is used up
        undo = self.name("undo_scope") if self.chance(4) else None
        timed = self.chance(3)
        if pivoted and timed and "timeout" not in caught:
            timed = False
        bare = not codes and undo is None and not timed
        body = self.sequence(
            self.inner(place, may_pivot=place.may_pivot and bare, caught=caught),
            1 + self.below(3),
        )
        catch = {code: self.catch(self.inner(place, may_pivot=False), code in goes_again) for code in codes}
        return scope(body, (60, 300)[self.below(2)] if timed else None, catch, undo)

    def catch(self, place: _Place, goes_again: bool) -> Blocks:
        blocks = self.sequence(place)
        if goes_again and ON in _ways(blocks):
            return (*blocks, again(1 + self.below(2)))
        return blocks


ON, ENDS = "on", "ends the scope"


def _ways(block: Blocks) -> set[str]:
    """Return how the flow may leave a block."""
    match block:
        case tuple():
            ways = [_ways(each) for each in block]
            ends = set().union(*ways) & {ENDS}
            return ends | {ON} if all(ON in each for each in ways) else ends
        case parallel():
            ways = [_ways(each) for each in block.branches]
            return set().union(*ways) - ({ON} if any(ON not in each for each in ways) else set())
        case choice():
            return set().union(_ways(block.otherwise), *(_ways(each) for _, each in block.cases))
        case scope():
            completes = {ON} if _ways(block.body) else set()
            return completes.union(*(_ways(each) for each in block.catch.values()))
        case wait() if block.otherwise is not None:
            return {ON} | _ways(block.otherwise)
        case end():
            return {ENDS}
        case refuse() | again():
            return set()
        case _:
            return {ON}
