"""An author's function that raises parks its element, with the reason, and disturbs nobody else."""

from __future__ import annotations

import pytest

from reliability.model.graphs import Blocks, answer, choice, parallel, scope, sleep, step, wait
from saga.machine import NotPossible, Stuck
from saga.machine import records as r

from .scenario import Scenario, scenario

ELEMENTS: dict[str, tuple[Blocks, str]] = {
    "step": (step("x"), "x"),
    "wait": (wait("x"), "x"),
    "sleep": (sleep("x"), "x"),
    "answer": (answer("x"), "x"),
    "choice": (choice((("x", ()),)), "choice_1"),
}


@pytest.mark.parametrize("kind", ELEMENTS)
def test_it_is_parked_and_goes_on_when_retried(kind: str) -> None:
    block, name = ELEMENTS[kind]
    saga = Scenario(block, step("next"), holds={"x": True}).broken("x").begun()
    saga.parked(**{name: "function"}).sends().waits().timers()
    saga.mended("x").retry().parked()
    assert saga.state.status != "PARKED"  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_branch_beside_it_goes_on(kind: str) -> None:
    block, name = ELEMENTS[kind]
    saga = Scenario(parallel(block, (step("a"), step("b"))), holds={"x": True}).broken("x").begun()
    saga.parked(**{name: "function"}).answer("a").sends("b").answer("b").status("PARKED")


@pytest.mark.parametrize("kind", ELEMENTS)
def test_it_is_dropped_when_its_scope_turns_back(kind: str) -> None:
    block, _ = ELEMENTS[kind]
    flow = scope(parallel(block, step("a")), catch={"no": step("b")})
    Scenario(flow, holds={"x": True}).broken("x").begun().refuse("a").parked().sends("b")


def test_it_keeps_its_scope_open() -> None:
    saga = Scenario(scope(parallel(step("x"), step("a"))), step("b")).broken("x").begun().answer("a").sends()
    saga.parked(x="function").skip().sends("b")


def test_a_step_in_a_scope_is_parked_in_its_scope() -> None:
    saga = Scenario(scope(step("x"))).broken("x").begun()
    assert saga.last[-1] == r.Parked("scope-1.1/x.1", "x", "scope-1.1", "function", "x raised", 0)


def test_the_reason_is_there_for_people() -> None:
    saga = Scenario(step("x")).broken("x").begun()
    incident = saga.pending.incidents["x.1"]
    assert (incident.kind, incident.reason, incident.at) == ("function", "x raised", 0)


def test_a_visit_that_was_parked_and_one_that_follows_have_different_paths() -> None:
    saga = Scenario(step("x")).broken("x").begun().retry().retry().mended("x").retry().sends("x")
    assert saga.path("x") == "x.4"


def test_a_command_without_handler_is_parked_as_such_and_goes_on_when_it_is_there() -> None:
    saga = Scenario(step("x")).broken("x", kind="no-handler").begun().parked(x="no-handler")
    saga.mended("x").retry().sends("x")


def test_a_scope_out_of_time_takes_what_is_parked_in_it_along() -> None:
    saga = Scenario(scope(step("x"), timeout=10, catch={"timeout": step("b")})).broken("x").begun()
    saga.at(10).parked().sends("b")


def test_two_that_raise_are_both_parked() -> None:
    saga = (
        Scenario(parallel(step("x"), step("y"))).broken("x", "y").begun().parked(x="function", y="function")
    )
    saga.mended("x", "y").retry("y").sends("y").retry().sends("x", "y")


def test_stuck_says_what_kind_it_is() -> None:
    stuck = Stuck("function", "it raised")
    assert (stuck.kind, stuck.reason, str(stuck)) == ("function", "it raised", "it raised")
    assert not issubclass(NotPossible, Stuck)
    assert scenario().state is not None
