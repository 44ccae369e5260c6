"""Tasks: a person decides (user task)."""

from __future__ import annotations

from reliability.model.graphs import each, parallel, scope, step, task
from saga.machine import records as r

from .scenario import Scenario, raw, scenario


def test_a_task_says_what_is_to_be_decided_and_until_when() -> None:
    saga = scenario(task("approve", within=100)).tasks("approve").timers(approve=100)
    (open_task,) = saga.pending.tasks.values()
    assert (open_task.element, open_task.type, open_task.assignee, open_task.due) == (
        "approve",
        "approve/1",
        "",
        100,
    )
    assert bytes(open_task.subject) == b'"approve"'


def test_a_decision_is_the_value_of_the_task_and_the_flow_goes_on() -> None:
    saga = (
        scenario(task("approve"), step("a")).decide("approve", "yes").tasks().sends("a").knows(approve="yes")
    )
    assert r.TaskDone("approve.1", raw("yes"), "ann") in saga.last


def test_a_task_is_assigned_and_assigned_again_and_stays_open() -> None:
    saga = scenario(task("approve")).assign("approve", "ann").leaves(r.TaskAssigned)
    assert saga.pending.tasks["approve.1"].assignee == "ann"
    saga.assign("approve", "").tasks("approve")
    assert saga.pending.tasks["approve.1"].assignee == ""


def test_anybody_may_decide_whoever_it_is_assigned_to() -> None:
    scenario(task("approve")).assign("approve", "ann").decide(by="bob").ends("COMPLETED")


def test_a_task_without_a_time_limit_waits_for_ever() -> None:
    scenario(task("approve")).timers().at(10**12).tasks("approve")


def test_a_task_that_is_late_is_refused_with_code_timeout() -> None:
    saga = scenario(step("x", undo="X"), task("approve", within=100)).answer("x").at(100).tasks()
    saga.undoes("X").ends("COMPENSATED", "timeout")
    assert saga.state is not None
    assert saga.state.failure is not None
    assert saga.state.failure.reason == "approve was not decided in time"


def test_a_task_that_is_late_goes_another_way_and_then_on_behind_it() -> None:
    saga = scenario(task("approve", within=100, otherwise=step("ask")), step("a")).at(100).tasks()
    saga.sends("ask").answer("ask").sends("a")


def test_a_task_that_is_late_is_caught_with_code_timeout() -> None:
    scenario(scope(task("approve", within=100), catch={"timeout": step("c")})).at(100).sends("c")


def test_a_decision_that_comes_too_late_is_not_possible() -> None:
    saga = scenario(task("approve", within=100, otherwise=step("ask"))).at(100)
    saga.impossible(lambda: saga.decide("approve"), "nothing in it is an open task, it is RUNNING")


def test_a_task_is_decided_once() -> None:
    saga = scenario(task("approve"), step("a")).decide()
    saga.impossible(saga.decide, "nothing in it is an open task")


def test_after_the_end_nothing_can_be_decided_or_assigned() -> None:
    saga = scenario(task("approve")).decide()
    saga.impossible(saga.decide, "it is COMPLETED, nothing changes it any more")
    saga.impossible(lambda: saga.assign("approve", "ann"), "it is COMPLETED")


def test_of_several_open_tasks_one_must_be_named() -> None:
    saga = scenario(parallel(task("a"), task("b")))
    saga.impossible(saga.decide, r"say which one of a\.1, b\.1 is meant")
    saga.impossible(lambda: saga.decide("c"), "'c' is not an open task; there is: a.1, b.1")
    saga.decide("a").tasks("b").decide("b.1").ends("COMPLETED")


def test_a_suspended_saga_shows_its_tasks_which_wait_until_it_is_resumed() -> None:
    saga = scenario(task("approve")).suspend().tasks("approve")
    saga.impossible(saga.decide, "it is suspended; resume it first")
    saga.impossible(lambda: saga.assign("approve", "ann"), "it is suspended; resume it first")
    saga.resume().decide().ends("COMPLETED")


def test_a_suspended_saga_does_not_run_out_of_time() -> None:
    saga = scenario(task("approve", within=100)).suspend().timers().at(200).resume().tasks("approve")
    saga.at(200).ends("COMPENSATED", "timeout")


def test_a_saga_that_turns_back_takes_its_tasks_back() -> None:
    scenario(parallel(task("approve"), step("a"))).refuse("a").tasks().ends("COMPENSATED", "no")


def test_a_function_that_raises_parks_the_task_which_can_be_skipped_or_retried() -> None:
    saga = Scenario(task("approve"), step("a")).broken("approve").begun().parked(approve="function").tasks()
    saga.impossible(saga.mark_done, "approve is no step, so it cannot be marked done")
    saga.mended("approve").retry().tasks("approve").decide().sends("a")
    Scenario(task("approve"), step("a")).broken("approve").begun().skip().sends("a")


def test_each_item_has_a_task_of_its_own() -> None:
    saga = scenario(each("guests", task("approve"), 2), lists={"guests": [1, 2]}).tasks("approve", "approve")
    saga.decide("each-1.1/item.2/approve.1", "no").decide("", "yes")
    saga.knows(guests=[1, 2], approve={"0": "yes", "1": "no"}).ends("COMPLETED")
