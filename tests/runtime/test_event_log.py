"""The event log and its deliveries, as the application reads them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from saga import Context, Event, Key, Runtime, UsageError, VirtualClock

from .conftest import OpenRuntime
from .support import DEADLINE, Await, Book, Booked, Confirmed, Desk, Job, Journalist, Keep, Script, heard
from .test_events import wait_for_attempt

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Strange(Event):
    """Of which the runtime that reads it knows nothing."""

    number: Key[int]
    at: datetime


# --- the log ---


def test_events_are_read_as_their_classes_where_the_runtime_knows_them(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Journalist, sagas=[Await], clock=VirtualClock())
    runtime.publish(Booked("a"), id="one")
    runtime.publish(Confirmed("b", "well"))
    first, second = runtime.events()
    assert (first.no, first.id, first.type, first.key) == (1, "runtime:one", "Booked/1", "a")
    assert first.event == Booked("a")
    assert (first.at, first.source, first.correlation, first.causation) == (
        START,
        "runtime",
        "runtime:one",
        None,
    )
    assert second.event == Confirmed("b", "well")


def test_events_of_unknown_classes_are_plain_json(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Journalist)
    runtime.publish(Strange(7, START))
    assert [event.event for event in runtime.events()] == [{"number": 7, "at": "2026-01-01T00:00:00Z"}]
    assert [event.event for event in runtime.events(type=Strange)] == [Strange(7, START)]


def test_an_event_whose_class_has_changed_is_plain_json(open_runtime: OpenRuntime, store: Path) -> None:
    @dataclass(frozen=True, slots=True)
    class Booked(Event):
        other: int

    with Runtime(store) as runtime:
        runtime.publish(Booked(3))
    assert [event.event for event in open_runtime(Journalist).events()] == [{"other": 3}]


def test_events_are_found_by_type_key_and_correlation(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="order-a").wait(DEADLINE)
    runtime.publish(Booked("a"), id="news")
    runtime.publish(Confirmed("a"))
    runtime.publish(Strange(5, START))

    def nos(**wanted: Any) -> list[int]:
        return [event.no for event in runtime.events(**wanted)]

    assert nos() == [1, 2, 3, 4]
    assert nos(type=Booked) == nos(type="Booked/1") == [1, 2]
    assert nos(key="a") == [1, 2, 3]
    assert nos(key=5) == [4]
    assert nos(type=Confirmed, key="a") == [3]
    assert nos(correlation="order-a") == [1]
    assert nos(correlation="runtime:news", type=Confirmed) == []


def test_an_event_of_a_handler_tells_what_led_to_it(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    runtime.start(Keep, Job("a"), id="order-a").wait(DEADLINE)
    runtime.send(Book("b"), id="by-hand")
    until = time.monotonic() + DEADLINE
    while len(runtime.events()) < 2:  # a send is answered by its context, before the log knows
        assert time.monotonic() < until
    by_saga, by_hand = runtime.events()
    assert (by_saga.source, by_saga.correlation, by_saga.causation) == (
        "desk",
        "order-a",
        "order-a:booking.1",
    )
    assert (by_hand.correlation, by_hand.causation) == ("send:by-hand", "send:by-hand")


def test_pages_of_events_follow_each_other(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk)
    for n in range(7):
        runtime.publish(Booked(str(n)))
    first = runtime.events(limit=3)
    second = runtime.events(limit=5, after=first[-1].no)
    assert [event.key for event in first + second] == [str(n) for n in range(7)]


def test_a_store_in_memory_is_read_too(open_runtime: OpenRuntime, script: Script) -> None:
    clock = VirtualClock()
    script.on("hear", "a", ValueError("no ink"))
    runtime = open_runtime(lambda: Journalist(script), at=":memory:", clock=clock)
    runtime.publish(Booked("a"))
    wait_for_attempt(script, "a", 2, clock)
    assert [event.event for event in runtime.events(type=Booked)] == [Booked("a")]
    (delivery,) = runtime.deliveries()
    assert (delivery.context, delivery.event_no, delivery.event) == ("journalist", 1, Booked("a"))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"limit": 0}, "limit=0: write a whole number from 1"),
        ({"limit": True}, "limit=True"),
        ({"limit": "many"}, "limit='many'"),
        ({"after": -1}, "after=-1: write a whole number from 0"),
        ({"after": 2**62}, "after="),
        ({"type": "Booked"}, "'Booked' is no event type: give its class, or its stored name"),
        ({"type": Job}, "is no event type"),
        ({"type": Event}, "is no event type"),
        ({"type": 3}, "3 is no event type"),
        ({"key": object()}, "cannot be the key of an event"),
        ({"correlation": 5}, "correlation=5: give an id, as a string"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    open_runtime: OpenRuntime, wanted: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        open_runtime().events(**wanted)


# --- deliveries ---


def test_a_delivery_that_fails_is_seen_until_it_is_settled(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    script.on("hear", "b", ValueError("no ink"), None)
    runtime.publish(Booked("a"))
    runtime.publish(Booked("b"), id="bad")
    assert heard(store, 1) == ["a"]
    assert script.wait_for("hear", "b", 1)
    (delivery,) = wait_for_deliveries(runtime, 1)
    assert (delivery.context, delivery.event_no, delivery.event_id) == ("journalist", 2, "runtime:bad")
    assert (delivery.event_type, delivery.event, delivery.correlation) == (
        "Booked/1",
        Booked("b"),
        "runtime:bad",
    )
    assert (delivery.attempts, delivery.failed_at) == (1, START)
    assert delivery.next_at == START + timedelta(milliseconds=500)
    assert "no ink" in delivery.reason
    assert not delivery.set_aside
    wait_for_attempt(script, "b", 2, clock)
    assert wait_for_deliveries(runtime, 0) == []


def wait_for_deliveries(runtime: Runtime, count: int, **wanted: Any) -> list[Any]:
    """Return the failed deliveries as soon as there are so many."""
    until = time.monotonic() + DEADLINE
    while len(found := runtime.deliveries(**wanted)) != count and time.monotonic() < until:
        pass
    return found


def give_up(runtime: Runtime, script: Script, clock: VirtualClock, *keys: str) -> None:
    """Publish events that the journalist fails on until they are set aside."""
    for key in keys:
        script.on("hear", key, *[ValueError("no ink")] * 5, None)
        runtime.publish(Booked(key))
    for key in keys:
        wait_for_attempt(script, key, 5, clock)
    wait_for_deliveries(runtime, len(keys), set_aside=True)


def test_deliveries_are_found_by_context_and_state(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), Desk, clock=clock)
    give_up(runtime, script, clock, "a", "b", "c")
    script.on("hear", "d", ValueError("no paper"))
    runtime.publish(Booked("d"))
    wait_for_deliveries(runtime, 1, set_aside=False)

    def keys(**wanted: Any) -> list[str]:
        return [delivery.event.key for delivery in runtime.deliveries(**wanted)]

    assert keys() == ["a", "b", "c", "d"]
    assert keys(set_aside=True) == ["a", "b", "c"]
    assert keys(set_aside=False) == ["d"]
    assert keys(context=Journalist, limit=2) == ["a", "b"]
    assert keys(context="journalist", after=2, limit=1) == ["c"]
    assert keys(context=Desk) == []


def test_what_was_set_aside_is_seen_when_its_context_is_away(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    with Runtime(store, contexts=[lambda: Journalist(script)], clock=clock) as runtime:
        give_up(runtime, script, clock, "a")
    (delivery,) = open_runtime(Desk).deliveries()
    assert delivery.set_aside
    assert delivery.event == {"key": "a"}


def test_a_retry_tells_how_many_are_tried_again(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    assert runtime.retry_deliveries(Journalist) == 0
    give_up(runtime, script, clock, "a", "b")
    assert runtime.retry_deliveries("journalist", "Confirmed/1") == 0
    assert runtime.retry_deliveries(Journalist, Booked) == 2
    assert sorted(heard(store, 2)) == ["a", "b"]
    assert wait_for_deliveries(runtime, 0) == []


def test_what_fails_again_after_it_was_set_aside_is_set_aside_at_once(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    give_up(runtime, script, clock, "a")
    script.on("hear", "a", ValueError("still no ink"))
    runtime.retry_deliveries(Journalist)
    assert script.wait_for("hear", "a", 6)
    until = time.monotonic() + DEADLINE
    while runtime.deliveries()[0].attempts != 6:
        assert time.monotonic() < until
    assert runtime.deliveries()[0].set_aside


def test_very_many_deliveries_are_tried_again_page_by_page(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    """More than are read at once; what is due is in the file, not in memory."""
    clock = VirtualClock()
    runtime = open_runtime(lambda: Journalist(script), clock=clock)
    keys = [f"k{n}" for n in range(150)]
    for key in keys:
        script.on("hear", key, ValueError("no ink"), None)
        runtime.publish(Booked(key))
    for key in keys:
        wait_for_attempt(script, key, 2, clock)
    assert sorted(heard(store, 150)) == sorted(keys)
    assert wait_for_deliveries(runtime, 0) == []


def test_a_retry_of_a_context_that_is_not_here_is_refused(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk)
    for context in (Journalist, "journalist"):
        with pytest.raises(UsageError, match="this runtime has no context 'journalist'; it has desk"):
            runtime.retry_deliveries(context)
    with pytest.raises(UsageError, match="is no context"):
        runtime.retry_deliveries(Job)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no context 'nobody'; there are desk"):
        runtime.deliveries("nobody")
    with pytest.raises(UsageError, match="is no event type"):
        runtime.retry_deliveries(Desk, "Booked")


def test_a_context_that_is_down_says_so(open_runtime: OpenRuntime, failpoint: Any) -> None:
    class Quiet(Context):
        @Booked.listener
        def hear(self, event: Booked) -> None: ...

    runtime = open_runtime(Quiet)
    failpoint.on("quiet", "context.before-commit", *[RuntimeError("boom")] * 20)
    runtime.publish(Booked("a"))
    until = time.monotonic() + DEADLINE
    while "quiet" not in runtime._crew.down:  # type: ignore[union-attr]
        assert time.monotonic() < until
    with pytest.raises(UsageError, match="quiet is down"):
        runtime.retry_deliveries(Quiet)
