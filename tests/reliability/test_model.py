"""The exhaustive model in its small size: nothing breaks, and without any of the rules something does."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from reliability.__main__ import main
from reliability.model.flows import FLOWS
from reliability.model.rules import RULES
from reliability.model.search import Search


@pytest.mark.parametrize("name", FLOWS)
def test_nothing_that_can_happen_breaks_it(name: str) -> None:
    flow = FLOWS[name]
    found = Search(flow.blocks).states(flow.world)
    assert not found.violation, [*found.story, found.violation]
    assert found.states >= flow.least


@pytest.mark.parametrize("name", RULES)
def test_without_a_rule_something_breaks(name: str) -> None:
    rule = RULES[name]
    for flow in rule.flows:
        with rule.off() as switched_off:
            found = Search(FLOWS[flow].blocks, **switched_off).states(FLOWS[flow].world)
        assert found.violation, flow


NO_COMMANDS = {"two calls at once"}
ONLY_GATEWAYS = {"a gateway that is tried twice"}
WITHOUT = [
    *(("tombstones", name) for name in FLOWS.keys() - NO_COMMANDS - ONLY_GATEWAYS),
    *(("dedupe", name) for name in FLOWS.keys() - NO_COMMANDS),
    *(("unknown_is_told", name) for name in FLOWS if "gateway" in name),
]


@pytest.mark.parametrize(("without", "name"), sorted(WITHOUT))
def test_without_a_protection_of_the_participants_it_breaks_in_every_flow(without: str, name: str) -> None:
    flow = FLOWS[name]
    found = Search(flow.blocks, **{without: False}).states(flow.world._replace(cancels=1))
    assert "carried out" in found.violation


def test_a_rule_that_was_switched_off_is_on_again() -> None:
    for rule in RULES.values():
        with rule.off():
            pass
    assert not Search(FLOWS["two steps"].blocks).states(FLOWS["two steps"].world).violation


def test_the_command_tells_the_story_of_what_breaks() -> None:
    words = ["model", "--flow", "two steps", "--without", "a repeated command is answered from the inbox"]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 1
    assert "command a.1: done" in told.output
    assert '--flow "two steps" --without "a repeated command is answered from the inbox"' in told.output


def test_the_small_size_holds() -> None:
    """Only that the command hangs together: each of its searches is a test above."""
    told = CliRunner().invoke(main, ["model", "--flow", "a call"])
    assert told.exit_code == 0, told.output
    assert "0 violations: holds" in told.output
