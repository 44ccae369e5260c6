"""Sagas that publish, and sagas that events start: in the commit of their cause, each once."""

from __future__ import annotations

from pathlib import Path

from saga import Runtime, Saga, answer, each, items, publish, refuse, step, wait
from saga.store import StoreReader

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Booked,
    Confirmed,
    Desk,
    File,
    Job,
    Journalist,
    code_of,
    heard,
    sound,
    statuses,
)


class Announce(Saga[Job]):
    """Publishes that it was booked, and waits for what that leads to."""

    @publish
    def booked(self) -> Booked:
        return Booked(self.input.key)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @answer
    def text(self) -> str:
        return self.confirmed.text

    flow = (booked, confirmed, text)


class Confirm(Saga[Booked], started_by_event=True):
    """Is started by what was booked, and confirms it."""

    @publish
    def confirming(self) -> Confirmed:
        return Confirmed(self.input.key, f"confirmed by {self.id}")

    flow = confirming


def test_a_published_event_starts_a_saga_which_publishes_what_the_first_one_waits_for(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(sagas=[Announce, Confirm])
    outcome = runtime.start(Announce, Job("a"), id="a").wait(DEADLINE)
    assert outcome.answer == "confirmed by Confirm:a:booked.1"
    assert statuses(runtime) == {"a": "COMPLETED", "Confirm:a:booked.1": "COMPLETED"}
    sound(store)


def test_all_that_a_published_event_leads_to_is_in_the_commit_of_its_cause(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(sagas=[Announce, Confirm])
    with StoreReader.open(store) as reader:
        before = reader.store().commit_no
    runtime.start(Announce, Job("a"), id="a").wait(DEADLINE)
    with StoreReader.open(store) as reader:
        assert reader.store().commit_no - before == 1
        assert [(event.id, event.source, event.causation) for event in reader.events(limit=9)] == [
            ("a:booked.1", "saga Announce", "a"),
            ("Confirm:a:booked.1:confirming.1", "saga Confirm", "Confirm:a:booked.1"),
        ]
        assert {event.correlation for event in reader.events(limit=9)} == {"a"}


def test_listening_contexts_hear_what_sagas_publish(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Journalist, sagas=[Announce])
    runtime.start(Announce, Job("a"))
    assert heard(store, 1) == ["a"]


def test_a_saga_is_started_once_by_an_event_however_often_it_comes(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(sagas=[Confirm])
    assert runtime.publish(Booked("a"), id="one")
    assert not runtime.publish(Booked("a"), id="one")
    assert runtime.publish(Booked("a"), id="two")
    assert statuses(runtime) == {"Confirm:runtime:one": "COMPLETED", "Confirm:runtime:two": "COMPLETED"}
    sound(store)


def test_a_saga_is_started_by_an_event_of_a_context(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Confirm])
    runtime.send(Book("a"))
    assert runtime.handle("Confirm:desk:1").wait(DEADLINE).completed is True
    sound(store)


class Refused(Saga[Job]):
    """Publishes, then turns back: what was said stays said."""

    @publish
    def booked(self) -> Booked:
        return Booked(self.input.key)

    flow = (booked, refuse("no", code="no"))


def test_what_was_published_stays_published_when_the_saga_is_undone(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(Journalist, sagas=[Refused])
    assert code_of(runtime.start(Refused, Job("a")).wait(DEADLINE)) == "no"
    assert heard(store, 1) == ["a"]


class Many(Saga[Job]):
    """Publishes one for each item; and calls a saga which waits for the last."""

    @items
    def numbers(self) -> list[int]:
        return list(range(self.input.size))

    @publish
    def booked(self, number: int) -> Booked:
        return Booked(f"{self.input.key}{number}")

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    flow = (each(numbers, booked, concurrency=10), filing)


def test_an_event_for_each_item(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Many, Confirm])
    assert runtime.start(Many, Job("a", size=200), id="a").wait(DEADLINE).completed
    assert sorted(heard(store, 200)) == sorted(f"a{n}" for n in range(200))
    assert len(statuses(runtime)) == 201
    sound(store)


def test_a_saga_that_was_started_by_an_event_is_not_started_again_after_a_restart(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, sagas=[Confirm]) as runtime:
        runtime.publish(Booked("a"), id="one")
    runtime = open_runtime(sagas=[Confirm])
    assert not runtime.publish(Booked("a"), id="one")
    assert len(statuses(runtime)) == 1


class Own(Saga[Job]):
    """Waits for what it has published itself."""

    @publish
    def confirming(self) -> Confirmed:
        return Confirmed(self.input.key, "by myself")

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @answer
    def text(self) -> str:
        return self.confirmed.text

    flow = (confirming, confirmed, text)


def test_a_saga_finds_what_it_has_published_itself(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(sagas=[Own])
    assert runtime.start(Own, Job("a")).wait(DEADLINE).answer == "by myself"
    sound(store)
