"""A context that is not part of the program for a while: its events are kept, until it is back or given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga import Context, Runtime, UsageError
from saga.coordination import pruning
from saga.coordination.listeners import KnownListeners

from .conftest import OpenRuntime
from .support import Booked, Confirmed, Desk, Journalist, heard, logs, rows


class Reader(Context):
    """Listens to something else, and to what is rare."""

    @Confirmed.listener
    def read(self, event: Confirmed) -> None: ...


@pytest.fixture(autouse=True)
def _prune_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "EVENTS_BETWEEN_PRUNINGS", 10)


def publish(runtime: Runtime, first: int, last: int) -> None:
    for n in range(first, last):
        runtime.publish(Booked(str(n)))


def logged(store: Path) -> tuple[int, int]:
    """Return the first number in the log, and how many events are in it."""
    ((first, count),) = rows(store, "saga", "SELECT coalesce(min(no), 0), count(*) FROM events")
    return first, count


def known(store: Path) -> dict[tuple[str, str], int]:
    found = rows(store, "saga", "SELECT context, event_type, position FROM listeners")
    return {(context, event_type): position for context, event_type, position in found}


def test_the_log_is_kept_for_a_listener_that_is_away(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Journalist, Desk]) as runtime:
        publish(runtime, 0, 5)
        heard(store, 5)
    with Runtime(store, contexts=[Desk]) as runtime:
        publish(runtime, 5, 60)
        assert logged(store)[0] <= 6
    open_runtime(Journalist)
    assert heard(store, 60) == [str(n) for n in range(60)]


def test_so_it_is_over_several_lives(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Journalist]):
        pass
    for life in range(5):
        with Runtime(store, contexts=[Desk]) as runtime:
            publish(runtime, 7 * life, 7 * life + 7)
    open_runtime(Journalist)
    assert heard(store, 35) == [str(n) for n in range(35)]


def test_what_was_kept_is_let_go_of_when_the_listener_has_taken_it(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Journalist]):
        pass
    with Runtime(store, contexts=[Desk]) as runtime:
        publish(runtime, 0, 100)
    assert logged(store) == (1, 100)
    runtime = open_runtime(Journalist)
    heard(store, 100)
    for n in range(100, 115):
        publish(runtime, n, n + 1)
        heard(store, n + 1)
    assert logged(store)[1] < 40


def test_a_listener_that_is_away_and_has_taken_all_of_its_types_keeps_nothing(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Reader]):
        pass
    runtime = open_runtime(Desk)
    publish(runtime, 0, 40)
    assert logged(store)[1] < 25
    runtime.publish(Confirmed("a"))
    publish(runtime, 40, 100)
    assert logged(store)[0] == 41, "from the first event that it needs on"


def test_a_new_subscriber_gets_what_is_still_there(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Desk]) as runtime:
        publish(runtime, 0, 35)
        first, count = logged(store)
    open_runtime(Journalist)
    assert heard(store, count) == [str(n) for n in range(first - 1, 35)]


def test_a_listener_is_forgotten_when_a_person_says_so(open_runtime: OpenRuntime, store: Path) -> None:
    with Runtime(store, contexts=[Journalist]):
        pass
    with Runtime(store, contexts=[Desk]) as runtime:
        publish(runtime, 0, 30)
        assert logged(store) == (1, 30)
        assert runtime.forget_listener(Journalist, Confirmed) == 0
        assert runtime.forget_listener("journalist", Booked) == 1
        assert runtime.forget_listener(Journalist) == 0
        assert known(store) == {}
        publish(runtime, 30, 57)
        assert logged(store)[0] > 30
    open_runtime(Journalist)
    first, count = logged(store)
    assert heard(store, count) == [str(n) for n in range(first - 1, 57)], "it goes on with what is left"


def test_a_listener_that_is_here_cannot_be_forgotten(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Journalist)
    with pytest.raises(UsageError, match="journalist is given to this runtime"):
        runtime.forget_listener(Journalist)
    with pytest.raises(UsageError, match="is no context"):
        runtime.forget_listener(Booked)  # type: ignore[arg-type]


def test_a_context_that_does_not_listen_any_more_keeps_nothing(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Journalist]):
        pass
    assert known(store) == {("journalist", "Booked/1"): 0}

    class Deaf(Context):
        migrations = logs

    Deaf.__name__ = "Journalist"
    runtime = open_runtime(Deaf)
    assert known(store) == {}
    publish(runtime, 0, 40)
    assert logged(store)[1] < 25


def test_a_process_of_short_lives_lets_go_of_events_too(store: Path) -> None:
    for _ in range(20):
        with Runtime(store, contexts=[Desk]) as runtime:
            publish(runtime, 0, 3)
    assert logged(store)[1] < 25


def test_what_was_noted_is_never_beyond_what_was_taken(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Journalist)
    for n in range(45):
        publish(runtime, n, n + 1)
        heard(store, n + 1)
    ((position,),) = rows(store, "journalist", "SELECT position FROM _saga_positions")
    assert 30 <= known(store)["journalist", "Booked/1"] <= position


# --- the rules, without files ---


def listeners(stored: dict[tuple[str, str], int], events: dict[int, str]) -> KnownListeners:
    def first(event_type: str, after: int) -> int | None:
        return min((no for no, type in events.items() if type == event_type and no > after), default=None)

    return KnownListeners(stored, first)


def test_a_listener_that_comes_for_the_first_time_is_noted() -> None:
    known = listeners({}, {})
    assert known.came("x", {"A": 3}) == {("x", "A"): 3}
    assert known.came("x", {"A": 9}) == {}


def test_a_type_that_is_listened_to_no_more_is_forgotten() -> None:
    known = listeners({("x", "A"): 3, ("x", "B"): 3, ("y", "A"): 1}, {})
    assert known.came("x", {"B": 3}) == {("x", "A"): None}


def test_who_is_away_needs_the_first_event_of_its_type() -> None:
    known = listeners({("x", "A"): 3, ("y", "B"): 0}, {1: "A", 5: "A", 6: "B", 9: "A"})
    assert known.moved({}, 9) == {("x", "A"): 4, ("y", "B"): 5}
    assert known.lowest(9) == 4
    assert known.moved({}, 12) == {}


def test_who_is_here_is_asked() -> None:
    known = listeners({("x", "A"): 3}, {5: "A"})
    known.came("x", {"A": 3})
    assert known.moved({"x": 8}, 9) == {("x", "A"): 8}
    assert known.lowest(9) == 9
    assert known.away("x") == []
