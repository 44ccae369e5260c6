"""Flows that go back: the language has `again`, other notations any flow to any node of the same scope."""

from __future__ import annotations

from reliability.model.graphs import again, answer, graph, refuse, scope, step
from saga.flow import graph as g
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import Scenario, raw, scenario


def looping() -> Scenario:
    """A flow that goes back to its first step as long as `more` holds."""
    saga = Scenario(step("a", undo="A"), step("b"), holds={"more": True})
    back = g.Choice(id="choice-1", cases=(("more", "a"),), otherwise="b")
    first = g.Step(id="a", next="choice-1", command="a/1", compensation="A", undo_command="A/1")
    saga.graph = g.Graph(
        name="Trip",
        version=1,
        input="Trip/1",
        nodes={**graph(step("a"), step("b")).nodes, "a": first, "choice-1": back},
        start="start",
    )
    return saga.begun()


def test_each_time_round_is_a_visit_of_its_own() -> None:
    saga = looping().answer("a", 1).answer("a", 2).sends("a")
    assert saga.path("a") == "a.3"
    assert saga.state is not None
    assert saga.state.results["a"] == raw(2)


def test_each_time_round_is_undone_with_its_own_answer() -> None:
    saga = looping().answer("a", 1).answer("a", 2)
    saga.author.holds["more"] = False
    saga.answer("a", 3).refuse("b")
    for path, value in (("a.3", 3), ("a.2", 2), ("a.1", 1)):
        assert (saga.author.seen["A"].path, saga.author.seen["A"].answer) == (path, raw(value))
        saga.answer("A")
    saga.ends("COMPENSATED", "no")


def test_a_flow_that_goes_round_without_ever_waiting_is_parked() -> None:
    """It would hold up all other sagas, and fill the memory."""
    saga = scenario(scope(refuse("no"), catch={"no": again(at_most=10**9)})).status("PARKED")
    (incident,) = saga.pending.incidents.values()
    assert "without ever waiting" in incident.reason
    saga.cancel().ends("COMPENSATED", "cancelled")


def test_each_time_round_an_answer_is_made_anew() -> None:
    saga = Scenario(step("a"), answer("result"))
    nodes = {**saga.graph.nodes, "result": g.Answer(id="result", next="a")}
    saga.graph = g.Graph(name="Trip", version=1, input="Trip/1", nodes=nodes, start="start")
    assert saga.begun().answer("a").last[1] == r.Answered("result.1", "result", "", raw("result"))
    assert saga.answer("a").last[1] == r.Answered("result.2", "result", "", raw("result"))


def test_a_late_answer_of_an_earlier_round_does_not_count_for_this_one() -> None:
    looping().answer("a").tell(s.Completed("a.1", raw(9))).sends("a")
