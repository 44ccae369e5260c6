"""What happens beside something else: reminders, events that come whenever, and the deadline of a whole saga."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from saga import (
    Event,
    Key,
    Rejected,
    Runtime,
    Saga,
    VirtualClock,
    answer,
    call,
    scope,
    step,
    task,
    wait,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Confirmed,
    Desk,
    File,
    Gate,
    Job,
    Script,
    Unbook,
    code_of,
    entered,
    sound,
    statuses,
    wait_until_it_happened,
)

DAY = timedelta(days=1)


class Remind(Saga[Job]):
    """Waits ten days, and reminds every day, three times at most."""

    @step()
    def reminding(self) -> File:
        return File(self.input.key)

    @wait(Confirmed, within=timedelta(days=10), every=(DAY, reminding, 3))
    def confirmed(self) -> str:
        return self.input.key

    flow = confirmed


def filed(runtime: Runtime, store: Path, times: int) -> None:
    """Wait until it was filed so often, then fail if it was more often."""
    while len(entered(store, "a")) < times:
        pass
    while [row for row in runtime.list() if row.status == "RUNNING"] and _is_filing(runtime):
        pass
    assert len(entered(store, "a")) == times


def _is_filing(runtime: Runtime) -> bool:
    done = [entry.what for entry in runtime.history("a")]
    return done.count("command-sent") > done.count("step-completed")


def test_reminders_come_in_their_time_and_so_often_at_most(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[Remind], clock=clock)
    handle = runtime.start(Remind, Job("a"), id="a")
    wait_until_it_happened(runtime, "a", "wait-begun")
    clock.advance(timedelta(hours=23))
    assert entered(store, "a") == []
    for times in (1, 2, 3):
        clock.advance(DAY)
        filed(runtime, store, times)
    clock.advance(DAY)
    filed(runtime, store, 3)
    runtime.publish(Confirmed("a"))
    assert handle.wait(DEADLINE).completed
    clock.advance(DAY)
    assert len(entered(store, "a")) == 3
    sound(store)


def test_reminders_that_were_due_during_downtime_count_as_one(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    with Runtime(store, contexts=[Desk], sagas=[Remind], clock=clock) as runtime:
        runtime.start(Remind, Job("a"), id="a")
        wait_until_it_happened(runtime, "a", "wait-begun")
    clock.advance(timedelta(days=5, hours=1))
    runtime = open_runtime(Desk, sagas=[Remind], clock=clock)
    filed(runtime, store, 1)
    clock.advance(timedelta(hours=22))
    filed(runtime, store, 1)
    clock.advance(timedelta(hours=1))
    filed(runtime, store, 2)
    sound(store)


def test_a_wait_with_reminders_is_late_in_its_time(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[Remind], clock=clock)
    handle = runtime.start(Remind, Job("a"), id="a")
    wait_until_it_happened(runtime, "a", "wait-begun")
    clock.advance(timedelta(days=10))
    assert code_of(handle.wait(DEADLINE)) == "timeout"
    sound(store)


class AskAgain(Saga[Job]):
    """Asks a person, and reminds them every day."""

    @step()
    def reminding(self) -> File:
        return File(self.input.key)

    @task(answer=bool, every=(DAY, reminding))
    def approve(self) -> Job:
        return self.input

    flow = approve


def test_a_person_is_reminded_of_a_task_until_it_is_decided(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[AskAgain], clock=clock)
    handle = runtime.start(AskAgain, Job("a"), id="a")
    for times in (1, 2):
        clock.advance(DAY)
        filed(runtime, store, times)
    assert len(runtime.tasks()) == 1
    runtime.complete_task("a", True)
    assert handle.wait(DEADLINE).completed
    clock.advance(DAY)
    assert len(entered(store, "a")) == 2
    sound(store)


# --- scopes ---


@dataclass(frozen=True, slots=True)
class Asked(Event):
    key: Key[str]
    text: str


class Serve(Saga[Job]):
    """Answers every question, and files every day, as long as it is not confirmed."""

    @wait(Asked)
    def asked(self) -> str:
        return self.input.key

    @step()
    def booking(self) -> Book:
        return Book(self.asked.text)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.asked.text, self.booking.number)

    @step()
    def reporting(self) -> File:
        return File(self.input.key)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @step()
    def closing(self) -> File:
        return File("the end")

    flow = (scope(confirmed, every=(DAY, reporting), whenever=(asked, booking)), closing)


def serve(open_runtime: OpenRuntime, script: Script, clock: VirtualClock) -> Runtime:
    runtime = open_runtime(lambda: Desk(script), sagas=[Serve], clock=clock)
    runtime.start(Serve, Job("a"), id="a")
    wait_until_it_happened(runtime, "a", "wait-begun")
    return runtime


def done(runtime: Runtime) -> list[str]:
    """Return the steps that are done, in order."""
    return [entry.path for entry in runtime.history("a") if entry.what == "step-completed"]


def test_something_happens_each_time_an_event_comes(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    runtime = serve(open_runtime, script, VirtualClock())
    for n in range(5):
        runtime.publish(Asked("a", f"question {n}"))
    for n in range(5):
        assert script.wait_for("book", f"question {n}", 1)
    runtime.publish(Confirmed("a"))
    assert runtime.handle("a").wait(DEADLINE).completed
    runtime.publish(Asked("a", "too late"))
    assert [entered(store, f"question {n}") for n in range(5)] == [["book"]] * 5
    assert entered(store, "too late") == []
    sound(store)


def test_what_was_done_beside_is_undone_too(open_runtime: OpenRuntime, script: Script, store: Path) -> None:
    script.on("file", "the end", Rejected("no paper", code="paper"))
    runtime = serve(open_runtime, script, VirtualClock())
    for n in range(1, 4):
        runtime.publish(Asked("a", f"question {n}"))
        while len(done(runtime)) < n:
            pass
    runtime.publish(Confirmed("a"))
    assert code_of(runtime.handle("a").wait(DEADLINE)) == "paper"
    assert [entered(store, f"question {n}") for n in range(1, 4)] == [["book", "unbook"]] * 3
    sound(store)


def test_events_that_come_quickly_do_not_mix_their_values(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    gate = Gate()
    script.on("book", "question 1", gate)
    script.on("file", "the end", Rejected("no paper", code="paper"))
    runtime = serve(open_runtime, script, VirtualClock())
    runtime.publish(Asked("a", "question 1"))
    gate.wait_for_somebody()
    runtime.publish(Asked("a", "question 2"))
    gate.open()
    while len(done(runtime)) < 2:
        pass
    runtime.publish(Confirmed("a"))
    assert code_of(runtime.handle("a").wait(DEADLINE)) == "paper"
    assert [entered(store, f"question {n}") for n in (1, 2)] == [["book", "unbook"]] * 2


def test_what_goes_on_beside_goes_on_after_a_restart(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    clock = VirtualClock()
    with Runtime(store, contexts=[Desk], sagas=[Serve], clock=clock) as runtime:
        runtime.start(Serve, Job("a"), id="a")
        runtime.publish(Asked("a", "before"))
    clock.advance(timedelta(days=3))
    runtime = open_runtime(lambda: Desk(script), sagas=[Serve], clock=clock)
    runtime.publish(Asked("a", "after"))
    assert script.wait_for("book", "after", 1)
    assert script.wait_for("file", "a", 1)
    runtime.publish(Confirmed("a"))
    assert runtime.handle("a").wait(DEADLINE).completed
    assert [entered(store, key) for key in ("before", "after", "a")] == [["book"], ["book"], ["file"]]
    sound(store)


# --- deadlines ---


class Soon(Saga[Job], deadline=timedelta(days=3)):
    """Books, and waits for what may never come."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @answer
    def text(self) -> str:
        return self.confirmed.text

    flow = (booking, confirmed, text)


def test_a_saga_that_is_not_done_by_its_deadline_is_undone(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[Soon], clock=clock)
    handle = runtime.start(Soon, Job("a"), id="a")
    wait_until_it_happened(runtime, "a", "wait-begun")
    clock.advance(timedelta(days=2, hours=23))
    assert statuses(runtime) == {"a": "RUNNING"}
    clock.advance(timedelta(hours=1))
    outcome = handle.wait(DEADLINE)
    assert code_of(outcome) == "timeout"
    assert entered(store, "a") == ["book", "unbook"]
    sound(store)


def test_a_deadline_that_passed_during_downtime_does_not_undo_what_came_in_time(
    open_runtime: OpenRuntime, store: Path
) -> None:
    clock = VirtualClock()
    with Runtime(store, contexts=[Desk], sagas=[Soon], clock=clock) as runtime:
        for key in "ab":
            runtime.start(Soon, Job(key), id=key)
            wait_until_it_happened(runtime, key, "wait-begun")
    clock.advance(timedelta(days=4))
    runtime = open_runtime(Desk, sagas=[Soon], clock=clock)
    assert {code_of(runtime.handle(key).wait(DEADLINE)) for key in "ab"} == {"timeout"}
    assert entered(store, "a") == ["book", "unbook"]
    sound(store)


class Over(Saga[Job]):
    @call(Soon, answer=str)
    def soon(self) -> Job:
        return self.input

    flow = soon


def test_a_called_saga_has_a_deadline_of_its_own(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[Over], clock=clock)
    handle = runtime.start(Over, Job("a"), id="a")
    wait_until_it_happened(runtime, "a:soon.1", "wait-begun")
    clock.advance(timedelta(days=3))
    assert code_of(handle.wait(DEADLINE)) == "timeout"
    assert statuses(runtime) == {"a": "COMPENSATED", "a:soon.1": "COMPENSATED"}
    sound(store)
