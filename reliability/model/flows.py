"""The flows that are searched, the smallest ones in which all that the machine knows of can go wrong."""

from __future__ import annotations

from typing import NamedTuple

from reliability.model.graphs import (
    Blocks,
    again,
    call,
    compensate,
    each,
    end,
    parallel,
    race,
    refuse,
    repeat,
    scope,
    step,
    task,
    wait,
)
from reliability.model.search import World

__all__ = ["FLOWS", "LARGER", "Flow"]


class Flow(NamedTuple):
    """What is searched, what may happen in the small size, and how many states that makes at least."""

    blocks: Blocks
    world: World
    least: int
    """With fewer, something would not happen any more."""


A, B = (step(name, undo=name.upper(), timeout=5) for name in "ab")
C, D = (step(name, undo=name.upper()) for name in "cd")
G = step("g", "gateway", undo="G", timeout=5)
BOTH_WAYS = race(((wait("v"), ()), (wait("w"), step("b"))))
CALM = World(cancels=0)
USUAL = World()

FLOWS: dict[str, Flow] = {
    "two steps": Flow((A, B), USUAL, 2700),
    "two branches": Flow(parallel(A, C), CALM, 6294),
    "two branches and a step": Flow((parallel(C, D), step("e")), CALM, 7387),
    "a scope that is caught": Flow(scope((C, A), catch={"no": (), "timeout": ()}), CALM, 1065),
    "a scope that is tried again": Flow(scope((C, step("b")), catch={"no": again(1)}), CALM, 4932),
    "a branch that ends the others": Flow(parallel(C, (step("b"), end())), CALM, 2949),
    "a step that is tried twice": Flow((C, step("b", undo="B", attempts=2)), USUAL, 2021),
    "a race": Flow(
        (C, race(((wait("w"), step("b")), (task("t"), ())), after=(5, refuse("no")))), USUAL, 1485
    ),
    "a race in a branch": Flow(parallel(C, BOTH_WAYS), CALM, 3237),
    "a repeat": Flow(repeat(C, until="enough", at_most=2), USUAL, 1459),
    "a repeat of rounds that end": Flow(
        repeat(parallel(C, (wait("w"), end())), until="enough", at_most=2), CALM, 3413
    ),
    "two items, one after the other": Flow(each("things", C), USUAL, 1459),
    "two items at once": Flow(each("things", C, 2), CALM, 3144),
    "a call": Flow((call("k", undo=True, timeout=5), step("b")), USUAL, 261),
    "two calls at once": Flow(parallel(call("k", undo=True), call("l", undo=True)), USUAL, 74),
    "a compensation of everything": Flow((C, D, compensate(), step("e")), CALM, 1592),
    "a compensation beside a branch": Flow(parallel((C, compensate()), D), CALM, 3806),
    "a compensation that is ended": Flow(parallel((C, compensate()), (wait("w"), end())), CALM, 232),
    "a wait that reminds": Flow((wait("w", every=(5, C, 1)), D), CALM, 3463),
    "a scope that watches": Flow(scope(C, whenever=((wait("w"), task("t")),)), CALM, 330),
    "a gateway": Flow((G, step("e")), USUAL, 1),
    "a gateway that is tried twice": Flow((step("g", "gateway", undo="G", attempts=2), step("e")), CALM, 1),
    "two waits for one event": Flow((wait("w", "paid"), C, wait("v", "paid")), USUAL, 1),
    "a pivot": Flow((C, step("p", pivot=True), step("e")), World(retries=1), 1),
    "a saga that is suspended": Flow((A, step("e")), World(suspensions=1), 1),
}
"""By name."""

LARGER: dict[str, Flow] = {
    "three steps": Flow((A, B, C), USUAL, 1),
    "three branches": Flow(parallel(C, D, step("e")), CALM, 1),
    "three branches that can be undone": Flow(parallel(A, C, D), CALM, 1),
    "branches in a branch": Flow(parallel(C, (parallel(D, step("e")), step("f"))), CALM, 1),
    "branches of two steps": Flow(parallel((C, step("e")), (D, step("f"))), CALM, 1),
    "branches in a scope that is tried again": Flow(
        scope(parallel(C, step("b")), catch={"no": again(1)}), CALM, 1
    ),
    "branches, and a step that is refused": Flow((parallel(A, C), step("e"), D), CALM, 1),
    "a gateway behind a step": Flow((C, G, step("e")), USUAL, 1),
    "a gateway in a branch": Flow(parallel(C, G), CALM, 1),
    "two gateways at once": Flow(parallel(G, step("h", "gateway", undo="H")), CALM, 1),
    "three items at once, two at a time": Flow((each("things", (C, step("e")), 2)), CALM, 1),
    "a pivot in a branch": Flow((C, parallel(step("p", pivot=True), D)), World(retries=1), 1),
}
"""Those that take minutes: for the nightly and the release size."""
