"""Who waits for a saga: one completion for everybody, as long as anybody holds on to it."""

from __future__ import annotations

from saga.coordination.outcome import SWEEP_FROM, Completion, Completions
from saga.errors import RuntimeClosed, SagaParked, StoreFailed


def test_everybody_who_asks_gets_the_same_completion_and_nobody_else_is_remembered() -> None:
    completions = Completions()
    completion = completions.of("a")
    assert completions.of("a") is completion is completions.find("a")
    del completion
    assert completions.find("a") is None
    assert completions.find("b") is None


def test_what_nobody_holds_on_to_takes_no_memory() -> None:
    completions = Completions()
    held = [completions.of(f"held-{number}") for number in range(10)]
    for number in range(SWEEP_FROM * 10):
        completions.of(f"dropped-{number}")
    assert len(completions._known) <= SWEEP_FROM + 1
    assert [completions.find(each.saga_id) for each in held] == held


def test_more_may_be_held_than_are_swept_at_first() -> None:
    completions = Completions()
    held = [completions.of(str(number)) for number in range(SWEEP_FROM * 5)]
    assert [completions.find(each.saga_id) for each in held] == held


def test_all_that_are_held_are_told_of_a_failure() -> None:
    completions = Completions()
    held, error = completions.of("a"), RuntimeClosed()
    completions.of("b")
    completions.fail_all(error)
    assert held.outcome is error


def test_what_has_ended_is_not_parked_any_more() -> None:
    """The supervisor tells of a runtime that has failed while the coordinator still tells of a saga."""
    heard: list[object] = []
    completion = Completion("a")
    completion.end(StoreFailed("saga.db", "no write came through"))
    completion.park(SagaParked("a", ["step.1"], "no paper"))
    assert isinstance(completion.add(heard.append), StoreFailed)
    assert (completion.parked, heard) == (None, [])
