"""Deadlines: how long a saga as a whole may take."""

from __future__ import annotations

from reliability.model.graphs import call, end, parallel, scope, sleep, step, wait
from saga.machine import records as r

from .scenario import scenario


def test_a_saga_out_of_time_turns_back() -> None:
    saga = scenario(step("a", undo="A"), wait("w"), deadline=100).answer("a").at(99).waits("w").at(100)
    saga.waits().undoes("A").ends("COMPENSATED", "timeout")


def test_that_it_is_out_of_time_is_journaled() -> None:
    saga = scenario(wait("w"), deadline=100).at(100)
    assert saga.last[0] == r.ScopeFailed("", "timeout", "the saga was not done in time", "", False)


def test_a_saga_that_ends_in_time_is_disarmed() -> None:
    scenario(step("a"), deadline=100).answer("a").ends("COMPLETED").at(200).ends("COMPLETED")


def test_while_it_is_being_undone_its_deadline_does_not_matter() -> None:
    saga = scenario(step("a", undo="A"), step("b"), deadline=100).answer("a").refuse("b").timers().at(200)
    saga.undoes("A").ends("COMPENSATED", "no")


def test_what_is_open_at_the_deadline_is_resolved_first() -> None:
    saga = scenario(step("a", undo="A"), deadline=100).at(100).asks("a").resolve("a", "done").undoes("A")
    saga.ends("COMPENSATED", "timeout")


def test_the_deadline_is_not_caught_by_a_scope_in_the_saga() -> None:
    scenario(scope(wait("w"), catch={"timeout": step("c")}), deadline=100).at(100).sends().ends(
        "COMPENSATED", "timeout"
    )


def test_a_called_saga_is_given_up_at_the_deadline() -> None:
    saga = scenario(call("book"), deadline=100).at(100).gives_up("book").resolve("book", "not-done")
    saga.ends("COMPENSATED", "timeout")


def test_the_deadline_counts_from_the_beginning_of_the_flow_not_from_the_start() -> None:
    saga = scenario(sleep("rest"), wait("w"), start_at=500, deadline=100)
    assert saga.pending.timers == {"start.1|wake": 500, "|deadline": 600}
    saga.at(599).waits("w").at(600).ends("COMPENSATED", "timeout")


def test_a_suspended_saga_turns_back_when_it_is_resumed_too_late() -> None:
    saga = scenario(wait("w"), deadline=100).suspend().timers().at(200).status("SUSPENDED").resume()
    saga.at(200).ends("COMPENSATED", "timeout")


def test_a_saga_that_comes_to_its_end_block_in_time_completes_though_it_waits_for_outcomes() -> None:
    saga = scenario(parallel(step("a"), (step("b"), end())), deadline=100).answer("b").timers().at(200)
    saga.resolve("a", "not-done").ends("COMPLETED")


def test_a_deadline_that_fires_early_leaves_nothing() -> None:
    saga = scenario(wait("w"), deadline=100)
    saga.timer("", "deadline").leaves().waits("w")
