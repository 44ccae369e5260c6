"""Events and points in time."""

from __future__ import annotations

from reliability.model.graphs import parallel, scope, sleep, step, wait
from saga.machine import records as r
from saga.machine import stimuli as s

from .scenario import raw, scenario


def test_a_wait_waits_for_an_event_of_its_type_with_its_key() -> None:
    saga = scenario(wait("fetched"))
    assert saga.pending.waits == {"fetched.1": ("fetched/1", "key of fetched")}


def test_the_event_is_the_value_of_the_wait() -> None:
    saga = scenario(wait("fetched"), step("ship")).event("fetched", "event-9").sends("ship").waits()
    assert saga.state is not None
    assert saga.state.results["fetched"] == raw("event-9")


def test_an_event_in_time_disarms_the_timer() -> None:
    scenario(wait("fetched", within=100), step("ship")).event("fetched").timers()


def test_an_event_is_used_once_by_a_saga() -> None:
    saga = scenario(wait("first"), wait("second")).event("first", "event-1")
    saga.event("second", "event-1").leaves().waits("second").event("second", "event-2").ends("COMPLETED")


def test_the_event_that_started_a_saga_satisfies_no_wait_of_it() -> None:
    saga = scenario(wait("first"), event_id="event-1").event("first", "event-1").leaves().waits("first")
    saga.event("first", "event-2").ends("COMPLETED")


def test_two_waits_for_the_same_event_need_two_of_them() -> None:
    saga = scenario(parallel(wait("left"), wait("right"))).event("left", "event-1")
    saga.event("right", "event-1").waits("right").event("right", "event-2").ends("COMPLETED")


def test_an_event_for_a_wait_that_is_over_is_ignored_and_counted() -> None:
    saga = scenario(wait("fetched"), step("ship")).event("fetched")
    saga.tell(s.EventArrived("fetched.1", "event-2", raw(2))).leaves(r.Ignored).sends("ship")
    assert saga.state is not None
    assert saga.state.ignored == 1


def test_a_late_wait_refuses() -> None:
    saga = scenario(step("reserve", undo="release"), wait("fetched", within=100)).answer("reserve")
    saga.at(99).waits("fetched").at(100).waits().sends("release").answer("release").ends(
        "COMPENSATED", "timeout"
    )


def test_a_late_wait_with_otherwise_goes_on_there_and_then_behind_the_wait() -> None:
    saga = scenario(wait("fetched", within=100, otherwise=step("remind")), step("ship"))
    saga.at(100).waits().sends("remind").answer("remind").sends("ship")


def test_a_wait_that_is_in_time_does_not_go_through_its_otherwise() -> None:
    scenario(wait("fetched", within=100, otherwise=step("remind")), step("ship")).event("fetched").sends(
        "ship"
    )


def test_a_late_wait_is_caught() -> None:
    saga = scenario(scope(wait("fetched", within=100), catch={"timeout": step("remind")}))
    saga.at(100).sends("remind").answer("remind").ends("COMPLETED")


def test_a_sleep_ends_at_its_time_and_never_early() -> None:
    scenario(sleep("rest"), step("ship"), sleeps=50).timers(rest=50).at(49).sends().at(50).sends(
        "ship"
    ).timers()


def test_a_sleep_until_a_time_that_is_past_ends_when_its_timer_fires() -> None:
    scenario(sleep("rest"), sleeps=-5).at(0).ends("COMPLETED")


def test_waits_and_sleeps_of_a_saga_that_turns_back_are_dropped() -> None:
    saga = scenario(parallel(wait("fetched", within=500), sleep("rest"), step("pay"))).refuse("pay")
    saga.ends("COMPENSATED", "no")
