"""One process of forty nested elements, of all kinds, in a world in which everything goes wrong."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import get_args

import pytest

from reliability.model.graphs import (
    Block,
    again,
    answer,
    call,
    choice,
    compensate,
    each,
    end,
    graph,
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
from reliability.model.invariants import Violation
from saga.flow.graph import Node
from saga.machine import records as r

from .participants import Rules
from .runs import Run

BOOK_SPEAKER = (
    step("ask", to="gateway-1", undo="unask", timeout=150, attempts=2),
    race(
        (
            (wait("agreed", "paid"), step("contract", to="context-2", undo="cancel_contract")),
            (sleep("patience"), refuse("no")),
        )
    ),
    answer("speaker"),
)
INVITE = (
    step("address", to="context-1"),
    choice(
        (
            (
                "is_vip",
                (call("hotel", (step("room", undo="free_room", to="gateway-2"),), undo=True), task("seat")),
            ),
            ("declined", end()),
        ),
        scope(
            (
                step("mail", to="gateway-1", attempts=2, undo="apologise"),
                step("record", to="context-2", undo="erase"),
            ),
            catch={"failed": again(1), "no": ()},
            name="mailing",
        ),
    ),
)
CONFERENCE = (
    step("budget", to="context-1", undo="free_budget"),
    scope(
        (
            parallel(
                repeat(
                    (
                        step("venue", to="gateway-2", undo="cancel_venue", attempts=3),
                        task("inspect", within=200, otherwise=compensate("venue")),
                    ),
                    until="is_fine",
                    name="venues",
                ),
                each(
                    "topics",
                    call("speaker", BOOK_SPEAKER, undo=True, timeout=300),
                    concurrency=2,
                    name="speakers",
                ),
                wait(
                    "sponsor",
                    "fetched",
                    within=200,
                    otherwise=(),
                    every=(25, step("remind", to="gateway-1"), 3),
                ),
            ),
            publish("announced", "fetched"),
            compensate("speakers"),
            each("guests", INVITE, concurrency=3, name="invitations"),
        ),
        timeout=900,
        catch={
            "timeout": (step("postpone", to="context-1"), again(1)),
            "no": step("regret", to="context-2", undo="forget"),
        },
        every=(90, step("report", to="context-2")),
        whenever=((wait("registered", "paid"), step("register", to="context-1", undo="unregister")),),
        name="planning",
    ),
    sleep("until_the_day"),
    parallel(step("evaluate", to="context-1", undo="discard"), step("thank", to="gateway-2", attempts=3)),
    answer("programme"),
)


def named(block: Block) -> str:
    return type(block).__name__


def test_it_has_forty_elements_of_all_kinds() -> None:
    kinds = Counter(map(named, walk(CONFERENCE)))
    assert sum(kinds.values()) >= 40
    flows = [CONFERENCE, *(block.child for block in walk(CONFERENCE) if isinstance(block, call))]
    nodes = {type(node) for flow in flows for node in graph(*flow).nodes.values()}
    assert nodes == set(get_args(Node))


@pytest.mark.timeout(180)  # it takes some 12 s of a processor
def test_a_process_of_40_nested_elements_of_all_kinds_survives_1000_random_runs() -> None:
    """Refusals, timeouts, events early and late, cancels, operators, crashes: every invariant holds, each time."""
    seen: Counter[type] = Counter()
    for seed in range(1_000):
        rng = Random(seed)
        run = Run(rng, CONFERENCE, Rules(), deadline=2_000 if rng.randrange(4) == 3 else None)
        try:
            run.run(rng.randrange(200))
        except Violation as violation:
            raise AssertionError(f"seed {seed}: {violation}") from None
        seen.update(map(type, run.written))
    assert {kind for kind in get_args(r.Record) if not seen[kind]} == set()
