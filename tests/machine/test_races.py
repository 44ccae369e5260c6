"""Races: of several things that are waited for at once, the first one wins (event-based gateway)."""

from __future__ import annotations

from reliability.model.graphs import parallel, race, refuse, scope, sleep, step, task, wait
from saga.machine import records as r

from .scenario import Scenario, raw, scenario

RACE = race(((wait("paid"), step("ship")), (task("stop"), step("drop")), (sleep("rest"), ())))


def a_race() -> Scenario:
    return scenario(RACE, step("tell"))


def test_a_race_waits_for_all_it_is_made_of() -> None:
    a_race().waits("paid").tasks("stop").timers(rest=50).sends()


def test_an_event_that_comes_first_wins_and_the_others_are_not_waited_for_any_more() -> None:
    a_race().event("paid").sends("ship").waits().tasks().timers()


def test_a_decision_that_comes_first_wins() -> None:
    a_race().decide().sends("drop").waits().tasks().timers()


def test_a_sleep_that_ends_first_wins() -> None:
    a_race().at(50).sends("tell").waits().tasks().timers()


def test_behind_what_has_won_the_flow_goes_on_behind_the_race() -> None:
    a_race().event("paid").answer("ship").sends("tell").answer("tell").ends("COMPLETED")


def test_what_won_is_journaled() -> None:
    assert r.RaceOver("race-1.1", "paid.1") in a_race().event("paid").last
    assert r.RaceOver("race-1.1") in scenario(race(((wait("paid"), ()),), after=(9, ()))).at(9).last


def test_an_event_that_comes_after_the_race_changes_nothing() -> None:
    saga = a_race()
    late = saga.path("paid")
    saga.decide().event_at(late).leaves(r.Ignored).sends("drop")


def test_of_two_events_at_once_the_first_one_wins() -> None:
    saga = scenario(race(((wait("a"), step("x")), (wait("b"), step("y")))))
    second = saga.path("a")
    saga.event("b").event_at(second).leaves(r.Ignored).sends("y")


def test_a_race_that_nobody_wins_in_time_goes_on_another_way() -> None:
    saga = scenario(race(((wait("paid"), ()),), after=(100, step("remind")))).timers(race_1=100)
    saga.at(99).sends().at(100).sends("remind").waits().timers()


def test_a_race_that_is_won_is_not_out_of_time_afterwards() -> None:
    scenario(race(((wait("paid"), step("ship")),), after=(100, step("late")))).event("paid").timers().at(
        200
    ).sends("ship")


def test_what_came_in_time_is_known_and_nothing_of_the_others_is() -> None:
    a_race().event("paid", "event-7").knows(paid="event-7")


def test_a_refusal_elsewhere_ends_the_race_too() -> None:
    saga = scenario(parallel(RACE, step("a"))).refuse("a")
    saga.ends("COMPENSATED", "no").waits().tasks().timers()


def test_a_scope_out_of_time_ends_the_race_in_it() -> None:
    saga = scenario(
        scope(race(((wait("paid"), ()), (wait("b"), ()))), timeout=10, catch={"timeout": step("c")})
    )
    saga.at(10).waits().sends("c")


def test_a_function_that_raises_parks_the_race_as_a_whole_and_a_retry_begins_it() -> None:
    saga = Scenario(race(((wait("a"), step("x")), (wait("b"), ())))).broken("b").begun()
    saga.parked(race_1="function").waits().mended("b").retry().waits("a", "b").event("a").sends("x")


def test_a_race_cannot_be_skipped_since_nobody_knows_which_way_to_go() -> None:
    saga = Scenario(race(((wait("a"), ()), (wait("b"), ())))).broken("b").begun()
    saga.impossible(saga.skip, "no way around race-1")


def test_a_race_that_is_come_to_again_begins_anew() -> None:
    saga = scenario(scope(race(((wait("a"), refuse("no")), (wait("b"), ()))), catch={"no": RACE}))
    saga.event("a").waits("paid").tasks("stop")


def test_while_the_saga_is_suspended_the_race_is_not_over() -> None:
    saga = a_race().suspend().waits().timers().at(200).resume().waits("paid").timers(rest=50)
    saga.event("paid").sends("ship")


def test_an_answer_of_a_person_is_kept_when_it_wins() -> None:
    saga = scenario(race(((task("ask"), ()), (sleep("rest"), ())))).decide(value="yes").knows(ask="yes")
    assert saga.last[0] == r.TaskDone("ask.1", raw("yes"), "ann")
