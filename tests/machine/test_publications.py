"""Publications: the saga tells an event to whom it may concern (message throw event)."""

from __future__ import annotations

from reliability.model.graphs import publish, repeat, step, wait
from saga.machine import records as r

from .scenario import Scenario, raw, scenario


def test_an_event_is_published_in_the_turn_that_comes_to_it_and_the_flow_goes_on() -> None:
    saga = scenario(publish("told"), step("a")).sends("a")
    assert r.EventPublished("told.1", "told", "", "told/1", raw("told"), "key of told") in saga.last


def test_an_event_is_published_once_for_each_visit_under_a_path_of_its_own() -> None:
    saga = scenario(repeat((publish("told"), step("a")), until="enough"), holds={"enough": [False, True]})
    paths = [record.path for record in saga.answer("a").records() if isinstance(record, r.EventPublished)]
    assert paths == ["repeat-1.1/told.1", "repeat-1.2/told.1"]


def test_what_was_published_is_not_taken_back_when_the_saga_turns_back() -> None:
    saga = scenario(publish("told"), step("a")).refuse("a").ends("COMPENSATED", "no")
    assert sum(isinstance(record, r.EventPublished) for record in saga.records()) == 1


def test_a_function_that_raises_parks_the_publication_and_nothing_is_published() -> None:
    saga = Scenario(publish("told"), step("a")).broken("told").begun().parked(told="function")
    assert not any(isinstance(record, r.EventPublished) for record in saga.records())
    saga.mended("told").retry().sends("a")


def test_a_publication_can_be_skipped() -> None:
    Scenario(publish("told"), step("a")).broken("told").begun().skip().sends("a")


def test_a_saga_may_wait_for_what_it_has_published_itself() -> None:
    saga = scenario(publish("told"), wait("w", "told"), step("a"))
    saga.waits("told").event("w", "trip-1:told.1").sends("a")
