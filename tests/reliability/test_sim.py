"""The simulator: seeds hold, are the same whenever they are played, and without a protection some of them fail."""

from __future__ import annotations

import re

import pytest

from reliability.sim import CONTROLS
from reliability.sim import controls as module
from reliability.sim.hunt import hunt, line_for, shrink
from reliability.sim.plan import draw

SEEDS = range(150)
FEW = range(300)


def test_seeds_hold_and_are_the_same_in_every_process() -> None:
    tally = hunt(SEEDS, jobs=2, twice=20)
    assert tally.violations == []
    assert tally.seeds == len(SEEDS)
    assert tally.crashes > len(SEEDS)
    assert tally.faults > len(SEEDS)


@pytest.mark.parametrize("protection", CONTROLS)
def test_without_a_protection_some_seed_fails(protection: str) -> None:
    tally = hunt(FEW, jobs=1, without=protection, first=True)
    assert len(tally.violations) == 1
    seed = max(tally.digests)
    assert tally.violations[0].endswith(f": {line_for(seed, protection)}")


def test_every_control_can_be_asked_for() -> None:
    assert tuple(module.CONTROLS) == CONTROLS


def test_what_fails_is_shrunk_to_a_story_that_can_be_read() -> None:
    seed = max(hunt(FEW, jobs=1, without="inbox", first=True).digests)
    lines = shrink(seed, "inbox")
    assert lines[0].startswith(f"seed {seed}: I2")
    assert re.search(r"\d+ steps to \d+", lines[1])  # of a smaller plan, which may take longer
    entries = lines[lines.index("plan:") + 1 : lines.index("story:")]
    assert len(entries) < len(draw(seed).entries)


def test_a_seed_that_holds_has_nothing_to_shrink() -> None:
    assert shrink(0) == []
