"""What a person does to a saga that is parked, and that everything is journaled with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga import (
    NotAllowed,
    NotEncodable,
    Outcome,
    Rejected,
    Runtime,
    Saga,
    Status,
    UnknownSaga,
    WaitTimeout,
    answer,
    step,
)

from .conftest import OpenRuntime
from .support import (
    AT_ONCE,
    DEADLINE,
    Await,
    Book,
    Confirmed,
    Desk,
    File,
    Gate,
    Job,
    Keep,
    Receipt,
    Script,
    entered,
    parked,
    texts,
)


class Decided(Saga[Job]):
    """Once it is booked there is no way back."""

    @step(pivot=True, retry=AT_ONCE)
    def booking(self) -> Book:
        return Book(self.input.key)

    @step(retry=AT_ONCE)
    def filing(self) -> File:
        return File(self.input.key)

    @answer
    def number(self) -> int:
        return self.booking.number

    flow = (booking, filing, number)


class Filed(Saga[Job]):
    """The same in the other order."""

    @step(pivot=True, retry=AT_ONCE)
    def filing(self) -> File:
        return File(self.input.key)

    @step(retry=AT_ONCE)
    def booking(self) -> Book:
        return Book(self.input.key)

    @answer
    def number(self) -> int:
        return self.booking.number

    flow = (filing, booking, number)


def reasons(runtime: Runtime, id: str) -> list[tuple[str, str]]:
    """Return the operators' actions in the journal, with their reasons."""
    return [
        (entry.data.get("action", entry.what), entry.data["reason"])
        for entry in runtime.history(id)
        if entry.what in ("acted", "suspended", "resumed")
    ]


@pytest.fixture
def runtime(open_runtime: OpenRuntime, script: Script) -> Runtime:
    return open_runtime(lambda: Desk(script), sagas=[Keep, Decided, Filed, Await])


class TestAStepThatFailedAfterThePivot:
    @pytest.fixture(autouse=True)
    def start(self, runtime: Runtime, script: Script) -> None:
        script.on("file", "a", *[OSError("no drawer")] * 3, None)  # all attempts it has
        runtime.start(Decided, Job("a"), id="a")
        assert "no drawer" in str(parked(runtime, "a"))

    def end(self, runtime: Runtime) -> Outcome:
        return runtime.handle("a").wait(DEADLINE)

    def test_is_done_when_it_is_retried(self, runtime: Runtime, store: Path) -> None:
        runtime.retry("a", "a drawer was found")
        assert self.end(runtime).answer == 7
        assert entered(store, "a") == ["book", "file"]
        assert reasons(runtime, "a") == [("retry", "a drawer was found")]

    def test_may_be_skipped(self, runtime: Runtime, store: Path) -> None:
        runtime.skip("a", "nobody needs it filed")
        assert self.end(runtime).completed
        assert entered(store, "a") == ["book"]
        assert reasons(runtime, "a") == [("skip", "nobody needs it filed")]

    def test_may_be_marked_as_done(self, runtime: Runtime, store: Path) -> None:
        runtime.mark_done("a", None, "filed by hand", step="filing")
        assert self.end(runtime).completed
        assert entered(store, "a") == ["book"]
        assert reasons(runtime, "a") == [("mark_done", "filed by hand")]

    def test_is_still_parked_after_a_restart(
        self, runtime: Runtime, open_runtime: OpenRuntime, script: Script
    ) -> None:
        runtime.close()
        runtime = open_runtime(lambda: Desk(script), sagas=[Keep, Decided, Await])
        parked(runtime, "a")
        runtime.retry("a")
        assert self.end(runtime).completed

    def test_is_not_found_under_another_name(self, runtime: Runtime) -> None:
        with pytest.raises(NotAllowed, match=r"filing\.1"):
            runtime.retry("a", step="booking")

    def test_keeps_the_saga_from_being_cancelled(self, runtime: Runtime) -> None:
        with pytest.raises(NotAllowed, match="pivot"):
            runtime.cancel("a")


def test_what_is_marked_as_done_needs_an_answer_that_fits(runtime: Runtime, script: Script) -> None:
    script.on("book", "a", *[OSError("no pen")] * 3, None)
    runtime.start(Filed, Job("a"), id="a")
    parked(runtime, "a")
    for bad in ("seven", None, Receipt("a", "7"), Book("a")):  # type: ignore[arg-type]
        with pytest.raises(NotEncodable):
            runtime.mark_done("a", bad, "by hand")
    runtime.mark_done("a", Receipt("a", 99), "by hand")
    assert runtime.handle("a").wait(DEADLINE).answer == 99


def test_a_compensation_that_was_refused_is_retried_with_a_new_id(
    runtime: Runtime, store: Path, script: Script
) -> None:
    script.on("file", "a", Rejected("full", code="full"))
    script.on("unbook", "a", Rejected("not now", code="not-now"), None)
    runtime.start(Keep, Job("a"), id="a")
    assert "not now" in str(parked(runtime, "a"))
    runtime.retry("a", "now")
    assert runtime.handle("a").wait(DEADLINE).status is Status.COMPENSATED
    assert entered(store, "a") == ["book", "unbook"]


def test_a_compensation_may_be_skipped(runtime: Runtime, store: Path, script: Script) -> None:
    script.on("file", "a", Rejected("full", code="full"))
    script.on("unbook", "a", Rejected("never", code="never"))
    runtime.start(Keep, Job("a"), id="a")
    parked(runtime, "a")
    runtime.skip("a", "it stays booked")
    assert runtime.handle("a").wait(DEADLINE).status is Status.COMPENSATED
    assert entered(store, "a") == ["book"]


# --- suspending ---


def test_a_suspended_saga_holds_what_comes_in_until_it_is_resumed(
    runtime: Runtime, script: Script, store: Path
) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    handle = runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    runtime.suspend("a", "audit")
    assert [row.status for row in runtime.list()] == [Status.SUSPENDED]
    gate.open()
    with pytest.raises(WaitTimeout):
        handle.wait(0.05)
    assert entered(store, "a") == ["book"]
    runtime.resume("a", "all is well")
    assert handle.wait(DEADLINE).completed
    assert reasons(runtime, "a") == [("suspended", "audit"), ("resumed", "all is well")]


def test_a_suspended_saga_takes_its_event_when_it_is_resumed(runtime: Runtime) -> None:
    handle = runtime.start(Await, Job("a"), id="a")
    runtime.suspend("a", "audit")
    runtime.publish(Confirmed("a"))
    with pytest.raises(WaitTimeout):
        handle.wait(0.02)
    runtime.resume("a")
    assert handle.wait(DEADLINE).completed


def test_a_saga_stays_suspended_over_a_restart(
    runtime: Runtime, open_runtime: OpenRuntime, script: Script
) -> None:
    runtime.start(Await, Job("a"), id="a")
    runtime.suspend("a", "audit")
    runtime.close()
    runtime = open_runtime(lambda: Desk(script), sagas=[Keep, Await])
    runtime.publish(Confirmed("a"))
    with pytest.raises(WaitTimeout):
        runtime.handle("a").wait(0.02)
    runtime.resume("a")
    assert runtime.handle("a").wait(DEADLINE).completed


# --- cancelling ---


def test_a_cancelled_saga_is_undone(runtime: Runtime, script: Script, store: Path) -> None:
    gate = Gate()
    script.on("file", "a", gate)
    handle = runtime.start(Keep, Job("a"), id="a")
    gate.wait_for_somebody()
    runtime.cancel("a", "changed my mind")
    gate.open()
    outcome = handle.wait(DEADLINE)
    assert outcome.status is Status.COMPENSATED
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.reason) == ("cancelled", "changed my mind")
    assert entered(store, "a")[-1] == "unbook"


def test_a_cancel_of_what_is_over_or_being_undone_changes_nothing(runtime: Runtime, script: Script) -> None:
    script.on("file", "a", Rejected("full", code="full"))
    script.on("unbook", "a", Rejected("never", code="never"))
    runtime.start(Keep, Job("a"), id="a")
    parked(runtime, "a")
    before = texts(runtime, "a")
    runtime.cancel("a")
    assert texts(runtime, "a") == before
    runtime.start(Keep, Job("b"), id="b").wait(DEADLINE)
    runtime.cancel("b")
    assert runtime.handle("b").wait(DEADLINE).completed


# --- what does not fit ---


def test_actions_on_a_saga_that_is_not_there(runtime: Runtime) -> None:
    for act in (
        lambda: runtime.cancel("nobody"),
        lambda: runtime.retry("nobody"),
        lambda: runtime.skip("nobody", "why"),
        lambda: runtime.mark_done("nobody", None, "why"),
        lambda: runtime.suspend("nobody", "why"),
        lambda: runtime.resume("nobody"),
        lambda: runtime.history("nobody"),
    ):
        with pytest.raises(UnknownSaga):
            act()


def test_actions_that_do_not_fit_change_nothing(runtime: Runtime) -> None:
    runtime.start(Await, Job("a"), id="a")
    before = texts(runtime, "a")
    for act in (
        lambda: runtime.retry("a"),
        lambda: runtime.skip("a", "why"),
        lambda: runtime.mark_done("a", None, "why"),
        lambda: runtime.resume("a"),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert texts(runtime, "a") == before
    runtime.publish(Confirmed("a"))
    runtime.handle("a").wait(DEADLINE)
    for act in (lambda: runtime.retry("a"), lambda: runtime.suspend("a", "why"), lambda: runtime.resume("a")):
        with pytest.raises(NotAllowed, match="COMPLETED"):
            act()
