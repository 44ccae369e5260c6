"""Random flows in a random world: whatever happens, what must hold holds, and every saga comes to an end.

`SAGA_EXAMPLES=100000 python -m pytest tests/machine/test_properties.py` hunts for longer. A failure shows the
flow and the whole story of the run.
"""

from __future__ import annotations

import os
import re
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reliability.model.graphs import graph
from reliability.model.invariants import Violation
from saga.flow.pivot import pivot_problems
from saga.machine.records import AttemptFailed, Parked

from .flows import random_flow
from .participants import Rules
from .runs import Run, a_run

EXAMPLES = int(os.environ.get("SAGA_EXAMPLES", "0"))
many = settings(
    max_examples=EXAMPLES or 300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
chances = st.randoms(use_true_random=False)
"""Chance that hypothesis decides about, and so can make simpler."""


@pytest.mark.timeout(0 if EXAMPLES else 60)
@many
@given(chances, st.integers(1, 24))
def test_whatever_happens_the_invariants_hold_and_the_saga_comes_to_its_end(rng: Random, size: int) -> None:
    a_run(rng, size)


@pytest.mark.timeout(0 if EXAMPLES else 60)
def test_the_same_holds_for_many_seeds() -> None:
    """Quicker than hypothesis by far, so it comes round more corners; what it finds is larger."""
    for seed in range((EXAMPLES or 300) * 5):
        try:
            a_run(Random(seed), 1 + seed % 24)
        except Violation as violation:
            raise AssertionError(f"seed {seed}: {violation}") from None


def test_the_same_seed_leads_to_the_same_journal() -> None:
    for seed in range(50):
        assert a_run(Random(seed), 12).rows == a_run(Random(seed), 12).rows


def test_the_random_flows_keep_the_rules_of_the_pivot() -> None:
    """All but one: that a compensation never runs is a waste, but no harm."""
    for seed in range(500):
        problems = pivot_problems(graph(*random_flow(Random(seed), 2 + seed % 20)))
        assert not [problem for problem in problems if "never runs" not in problem.what], seed


def test_a_run_in_which_all_goes_well_needs_no_person() -> None:
    class Well(Random):
        def randrange(self, *_: object) -> int:  # type: ignore[override]
            return 0

    for seed in range(100):
        run = Run(Well(), random_flow(Random(seed), 12), Rules())
        run.trouble = 0
        run.run(0)
        assert not [record for record in run.written if isinstance(record, AttemptFailed)]
        assert not [record for record in run.written if isinstance(record, Parked)]


# --- control runs: a protection is switched off, and it is noticed ----------------------------


def first_violation(rules: Rules, seeds: int = 4000) -> str:
    """Return what the first violation says, under these rules."""
    for seed in range(seeds):
        try:
            a_run(Random(seed), 1 + seed % 24, rules)
        except Violation as violation:
            return str(violation).splitlines()[-1]
    return "nothing was noticed"


@pytest.mark.parametrize(
    "rules",
    [
        Rules(tombstones=False),
        Rules(dedupe=False),
        Rules(unknown_is_told=False),
        Rules(stored_before_sent=False),
    ],
    ids=["tombstones", "dedupe", "unknown", "stored-before-sent"],
)
def test_a_world_without_a_protection_is_noticed(rules: Rules) -> None:
    assert re.search("carried out, the journal does not know|more than once", first_violation(rules))
