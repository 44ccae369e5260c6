"""Sagas that call sagas: started once, in the same commit; given up, undone and answered with their caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from saga import (
    Command,
    Context,
    Rejected,
    Runtime,
    Saga,
    SagaParked,
    VirtualClock,
    WaitTimeout,
    answer,
    call,
    choice,
    condition,
    each,
    items,
    parallel,
    refuse,
    repeat,
    scope,
    step,
    wait,
)
from saga.machine import stimuli as s

from .bugs import fail_machine, refuse_rows_of
from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Confirmed,
    Desk,
    File,
    Gate,
    Job,
    Phone,
    Receipt,
    Script,
    Telephone,
    Unbook,
    code_of,
    entered,
    sound,
    statuses,
    until_status,
    wait_until_it_happened,
)


class Part(Saga[Job]):
    """Books; is confirmed when its size is 2 or more."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self, receipt: Receipt | None) -> Unbook:
        return Unbook(self.input.key, 0 if receipt is None else receipt.number)

    @condition
    def is_large(self) -> bool:
        return self.input.size > 1

    @wait(Confirmed)
    def confirmed(self) -> str:
        return self.input.key

    @answer
    def receipt(self) -> Receipt:
        return self.booking

    flow = (booking, choice((is_large, confirmed)), receipt)


class Whole(Saga[Job]):
    """Calls a part, then files; the part is called `KEY-part`."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part", self.input.size)

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @answer
    def number(self) -> int:
        return self.part.number

    flow = (part, filing, number)


# --- answers and refusals ---


def test_the_answer_of_a_called_saga_is_the_value_of_the_call(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    assert runtime.start(Whole, Job("a"), id="a").wait(DEADLINE).answer == 7
    assert statuses(runtime) == {"a": "COMPLETED", "a:part.1": "COMPLETED"}
    assert runtime.handle("a:part.1").wait(DEADLINE).answer == Receipt("a-part", 7)
    assert runtime.history("a:part.1")[0].data["correlation"] == "a"
    sound(store)


def test_a_saga_that_is_called_need_not_be_given_to_the_runtime(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    assert runtime.start(Part, Job("b")).wait(DEADLINE).completed


def test_a_refused_saga_refuses_its_caller_with_its_code(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("book", "a-part", Rejected("full", code="full"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    outcome = runtime.start(Whole, Job("a"), id="a").wait(DEADLINE)
    assert (outcome.status, code_of(outcome)) == ("COMPENSATED", "full")
    assert statuses(runtime) == {"a": "COMPENSATED", "a:part.1": "COMPENSATED"}
    sound(store)


class Forgiving(Saga[Job]):
    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job("refused")

    @step()
    def instead(self) -> Book:
        return Book("instead")

    flow = scope(part, catch={"full": instead})


def test_the_refusal_of_a_called_saga_is_caught_by_its_code(
    open_runtime: OpenRuntime, script: Script
) -> None:
    script.on("book", "refused", Rejected("full", code="full"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Forgiving])
    assert runtime.start(Forgiving, Job("a")).wait(DEADLINE).completed
    assert script.calls["book", "instead"] == 1


# --- turning back ---


def test_cancelling_the_caller_cancels_the_called_saga_that_runs(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    handle = runtime.start(Whole, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    runtime.cancel("a", "changed my mind")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert statuses(runtime) == {"a": "COMPENSATED", "a:part.1": "COMPENSATED"}
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)


def test_a_called_saga_that_has_completed_is_undone_with_its_caller(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    outcome = runtime.start(Whole, Job("a"), id="a").wait(DEADLINE)
    assert code_of(outcome) == "paper"
    assert statuses(runtime) == {"a": "COMPENSATED", "a:part.1": "COMPENSATED"}
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)


class Undone(Saga[Job]):
    """Undoes what it called by a command of its own."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part")

    @part.compensation
    def unpart(self, receipt: Receipt | None) -> Unbook:
        return Unbook("by hand", 0 if receipt is None else receipt.number)

    flow = (part, refuse("no", code="no"))


def test_a_compensation_of_the_call_undoes_it_instead(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Undone])
    assert runtime.start(Undone, Job("a"), id="a").wait(DEADLINE).status == "COMPENSATED"
    assert statuses(runtime) == {"a": "COMPENSATED", "a:part.1": "COMPLETED"}
    assert (entered(store, "a-part"), entered(store, "by hand")) == (["book"], ["unbook"])
    sound(store)


class Aborted(Saga[Job]):
    """Calls a part, and is refused in the same breath."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job("never")

    flow = parallel(part, refuse("no", code="no"))


def test_a_call_that_is_given_up_at_once_was_never_started(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Aborted])
    assert runtime.start(Aborted, Job("a"), id="a").wait(DEADLINE).status == "COMPENSATED"
    assert statuses(runtime) == {"a": "COMPENSATED"}
    sound(store)


class Never(Saga[Job]):
    """Is refused at once."""

    flow = refuse("no", code="no")


class Torn(Saga[Job]):
    """Calls a part, and beside it what is refused at once."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job("never")

    @call(Never)
    def never(self) -> Job:
        return self.input

    flow = parallel(part, never)


def test_a_call_that_is_given_up_in_the_commit_of_its_start_is_undone(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    runtime = open_runtime(lambda: Desk(script), sagas=[Torn])
    assert runtime.start(Torn, Job("a"), id="a").wait(DEADLINE).status == "COMPENSATED"
    assert set(statuses(runtime).values()) == {"COMPENSATED"}
    assert entered(store, "never") in ([], ["book", "unbook"])
    sound(store)


def test_a_suspended_saga_that_is_given_up_ends_when_it_is_resumed(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    handle = runtime.start(Whole, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    runtime.suspend("a:part.1", "let me see")
    runtime.cancel("a")
    with pytest.raises(WaitTimeout):
        handle.wait(0.05)
    assert statuses(runtime) == {"a": "COMPENSATING", "a:part.1": "SUSPENDED"}
    runtime.resume("a:part.1")
    assert handle.wait(DEADLINE).status == "COMPENSATED"


def test_the_end_of_a_called_saga_is_held_while_its_caller_is_suspended(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    handle = runtime.start(Whole, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    runtime.suspend("a", "let me see")
    runtime.publish(Confirmed("a-part"))
    runtime.handle("a:part.1").wait(DEADLINE)
    assert statuses(runtime)["a"] == "SUSPENDED"
    runtime.resume("a")
    assert handle.wait(DEADLINE).completed


class InTime(Saga[Job]):
    @call(Part, answer=Receipt, timeout=timedelta(days=14))
    def part(self) -> Job:
        return Job(f"{self.input.key}-part", self.input.size)

    flow = part


def test_a_call_that_is_not_answered_in_time_is_given_up(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, sagas=[InTime], clock=clock)
    handle = runtime.start(InTime, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    clock.advance(timedelta(days=13))
    assert statuses(runtime)["a"] == "RUNNING"
    clock.advance(timedelta(days=1))
    outcome = handle.wait(DEADLINE)
    assert code_of(outcome) == "timeout"
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)


# --- what needs a person ---


def test_a_caller_waits_while_the_saga_that_it_called_is_parked(
    open_runtime: OpenRuntime, script: Script
) -> None:
    script.on("unbook", "a-part", Rejected("too late", code="late"), None)
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    handle = runtime.start(Whole, Job("a"), id="a")
    until_status(runtime, "a:part.1", "PARKED")
    assert statuses(runtime) == {"a": "COMPENSATING", "a:part.1": "PARKED"}
    runtime.retry("a:part.1")
    assert handle.wait(DEADLINE).status == "COMPENSATED"


def test_a_skipped_compensation_of_a_called_saga_lets_its_caller_end(
    open_runtime: OpenRuntime, script: Script
) -> None:
    script.on("unbook", "a-part", Rejected("too late", code="late"))
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    handle = runtime.start(Whole, Job("a"), id="a")
    until_status(runtime, "a:part.1", "PARKED")
    runtime.skip("a:part.1", "written off")
    assert handle.wait(DEADLINE).status == "COMPENSATED"


class Stubborn(Saga[Job]):
    """There is no way back when it calls its part."""

    @step(pivot=True)
    def filing(self) -> File:
        return File(self.input.key)

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part")

    flow = (filing, part)


def test_a_call_that_is_refused_after_a_pivot_is_retried_with_a_new_saga(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("book", "a-part", Rejected("full", code="full"), None)
    runtime = open_runtime(lambda: Desk(script), sagas=[Stubborn])
    handle = runtime.start(Stubborn, Job("a"), id="a")
    with pytest.raises(SagaParked, match="full"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    assert handle.wait(DEADLINE).completed
    assert statuses(runtime) == {"a": "COMPLETED", "a:part.1": "COMPENSATED", "a:part.2": "COMPLETED"}
    sound(store)


def test_an_id_that_somebody_else_has_taken_parks_the_call(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    runtime.start(Part, Job("other", size=2), id="a:part.1")
    handle = runtime.start(Whole, Job("a"), id="a")
    with pytest.raises(SagaParked, match="taken"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    assert handle.wait(DEADLINE).completed
    assert statuses(runtime) == {"a": "COMPLETED", "a:part.2": "COMPLETED", "a:part.1": "RUNNING"}
    sound(store)


def test_giving_up_a_call_does_no_harm_to_whoever_has_its_id(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    runtime.start(Part, Job("other", size=2), id="a:part.1")
    handle = runtime.start(Whole, Job("a"), id="a")
    with pytest.raises(SagaParked, match="taken"):
        handle.wait(DEADLINE)
    runtime.cancel("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert statuses(runtime) == {"a": "COMPENSATED", "a:part.1": "RUNNING"}
    sound(store)


def _deep(levels: int) -> type[Saga[Job]]:
    """Return a saga that calls one that calls one ..."""
    below: type[Saga[Any]] = Part
    for level in range(levels):
        child = below

        class Level(Saga[Job], name=f"Level{level}"):
            @call(child)
            def down(self) -> Job:
                return self.input

            flow = down

        below = Level
    return below


def test_a_saga_calls_one_that_calls_one(open_runtime: OpenRuntime, store: Path) -> None:
    top = _deep(5)
    runtime = open_runtime(Desk, sagas=[top])
    handle = runtime.start(top, Job("a"), id="a")
    assert handle.wait(DEADLINE).completed
    assert len(statuses(runtime)) == 6
    assert runtime.history("a:down.1:down.1:down.1:down.1:down.1")[0].data["correlation"] == "a"
    sound(store)


def test_a_cancel_goes_down_to_the_last_saga_that_was_called(open_runtime: OpenRuntime, store: Path) -> None:
    top = _deep(5)
    runtime = open_runtime(Desk, sagas=[top])
    handle = runtime.start(top, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a" + ":down.1" * 5, "wait-begun")
    runtime.cancel("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert set(statuses(runtime).values()) == {"COMPENSATED"}
    assert entered(store, "a") == ["book", "unbook"]
    sound(store)


# --- many ---


class Several(Saga[Job]):
    """Calls a part for each item, two at a time, and another one beside it."""

    @items
    def numbers(self) -> list[int]:
        return list(range(self.input.size))

    @call(Part, answer=Receipt)
    def part(self, number: int) -> Job:
        return Job(f"{self.input.key}-{number}")

    @call(Part, answer=Receipt)
    def beside(self) -> Job:
        return Job(f"{self.input.key}-beside")

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @answer
    def keys(self) -> list[str]:
        return [receipt.key for receipt in self.part]

    flow = (parallel(each(numbers, part, concurrency=2), beside), filing, keys)


def test_an_each_calls_sagas_some_at_a_time(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Several])
    outcome = runtime.start(Several, Job("a", size=9), id="a").wait(DEADLINE)
    assert outcome.answer == [f"a-{n}" for n in range(9)]
    assert len(statuses(runtime)) == 11
    sound(store)


def test_all_sagas_that_an_each_has_called_are_undone_in_reverse(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Several])
    assert runtime.start(Several, Job("a", size=4), id="a").wait(DEADLINE).status == "COMPENSATED"
    assert set(statuses(runtime).values()) == {"COMPENSATED"}
    done = [key for what, key in script.order if what == "book"]
    undone = [key for what, key in script.order if what == "unbook"]
    assert sorted(done) == sorted(undone)
    assert len(done) == 5
    assert [key for key in undone if key != "a-beside"][:2] == ["a-3", "a-2"]
    sound(store)


def test_a_refused_item_gives_up_the_sagas_that_run_and_undoes_the_others(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("book", "a-2", Rejected("full", code="full"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Several])
    outcome = runtime.start(Several, Job("a", size=50), id="a").wait(DEADLINE)
    assert code_of(outcome) == "full"
    assert set(statuses(runtime).values()) == {"COMPENSATED"}
    for saga_id in statuses(runtime):
        assert entered(store, saga_id) in ([], ["book", "unbook"])
    sound(store)


# --- without an end ---


@dataclass(frozen=True, slots=True)
class Ask(Command[None]):
    size: int


class Mirror(Context):
    """Answers by sagas only."""


class Reflect(Saga[Ask], context=Mirror):
    """Answers a command by sending the same, as often as it says."""

    @step()
    def one(self) -> Ask:
        return self.input

    @step()
    def other(self) -> Ask:
        return self.input

    @condition
    def is_double(self) -> bool:
        return self.input.size > 1

    flow = parallel(one, choice((is_double, other)))


def test_a_recursion_without_an_end_is_parked(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Mirror, sagas=[Reflect])
    runtime.start(Reflect, Ask(1), id="a")
    parked = [row.id for row in runtime.list(status="PARKED")]
    assert len(parked) == 1
    with pytest.raises(SagaParked, match="call each other without an end"):
        runtime.handle(parked[0]).wait(DEADLINE)
    runtime.cancel("a")
    assert runtime.handle("a").wait(DEADLINE).status == "COMPENSATED"
    assert set(statuses(runtime).values()) == {"COMPENSATED"}
    sound(store)


def test_a_recursion_that_doubles_every_time_is_parked_before_it_fills_the_memory(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.coordination.calls.MOST_CALLS", 300)
    runtime = open_runtime(Mirror, sagas=[Reflect])
    handle = runtime.start(Reflect, Ask(2), id="a")
    assert len(runtime.list(limit=1_000)) == 301
    runtime.cancel("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert {row.status for row in runtime.list(limit=1_000)} == {"COMPENSATED"}
    sound(store)


class Nothing(Saga[Job]):
    """Ends at once."""

    @answer
    def done(self) -> int:
        return 1

    flow = done


class Around(Saga[Job]):
    """Calls what ends at once, again and again."""

    @call(Nothing, answer=int)
    def nothing(self) -> Job:
        return self.input

    @condition
    def never(self) -> bool:
        return False

    flow = repeat(nothing, until=never, at_most=1_000_000)


def test_a_loop_of_calls_that_never_waits_is_parked(
    open_runtime: OpenRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saga.coordination.calls.MOST_CALLS", 100)
    runtime = open_runtime(sagas=[Around])
    with pytest.raises(SagaParked, match="without an end"):
        runtime.start(Around, Job("a"), id="a").wait(DEADLINE)
    assert len(runtime.list(limit=1_000)) == 101
    assert runtime.start(Nothing, Job("b")).wait(DEADLINE).completed


# --- restarts ---


def test_a_called_saga_goes_on_after_a_restart_and_its_caller_with_it(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Whole]) as runtime:
        runtime.start(Whole, Job("a", size=2), id="a")
        wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    runtime = open_runtime(Desk, sagas=[Whole])
    runtime.publish(Confirmed("a-part"))
    assert runtime.handle("a").wait(DEADLINE).completed
    sound(store)


def test_a_called_saga_whose_class_is_gone_is_parked_until_it_is_back(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Whole]) as runtime:
        runtime.start(Whole, Job("a", size=2), id="a")
        wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    with Runtime(store, contexts=[Desk], sagas=[]) as runtime:
        runtime.publish(Confirmed("a-part"))
        with pytest.raises(SagaParked, match="Part version 1 is not known"):
            runtime.handle("a:part.1").wait(DEADLINE)
        assert statuses(runtime) == {"a": "RUNNING", "a:part.1": "PARKED"}
    runtime = open_runtime(Desk, sagas=[Whole])
    assert runtime.handle("a").wait(DEADLINE).completed
    sound(store)


def test_a_saga_that_was_completed_before_a_restart_is_undone_with_its_caller(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    gate = Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    runtime.start(Whole, Job("a"), id="a")
    gate.wait_for_somebody()
    gate.open()
    runtime.close()
    with Runtime(store, contexts=[lambda: Desk(script)], sagas=[Whole]) as runtime:
        runtime.handle("a").wait(DEADLINE)
    sound(store)


# --- faults of ours ---


def test_a_caller_does_not_wait_for_a_saga_whose_rows_were_refused(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[After])
    refuse_rows_of(monkeypatch, runtime, "a:part.1", "started")
    handle = runtime.start(After, Job("a"), id="a")
    with pytest.raises(SagaParked, match="refused by the store"):
        handle.wait(DEADLINE)
    until_status(runtime, "a", "PARKED")
    assert statuses(runtime) == {"a": "PARKED"}
    sound(store)
    runtime.retry("a")
    assert handle.wait(DEADLINE).completed
    sound(store)


class After(Saga[Job]):
    """Calls a part after a step."""

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part", self.input.size)

    flow = (filing, part)


def test_an_end_whose_rows_were_refused_is_told_when_it_comes_again(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[After])
    refuse_rows_of(monkeypatch, runtime, "a:part.1", "step-completed")
    runtime.start(After, Job("a"), id="a")
    until_status(runtime, "a:part.1", "PARKED")
    assert statuses(runtime)["a"] == "RUNNING"
    runtime.retry("a:part.1")
    until_status(runtime, "a", "COMPLETED")
    assert entered(store, "a-part") == ["book"]
    sound(store)


def test_a_machine_that_fails_at_the_start_of_a_called_saga_parks_the_call(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    fail_machine(monkeypatch, "a:part.1", s.Start)
    handle = runtime.start(Whole, Job("a"), id="a")
    with pytest.raises(SagaParked, match="a bug of ours"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    assert handle.wait(DEADLINE).completed
    sound(store)


class Beside(Saga[Job]):
    """Calls a part and phones at the same time."""

    @call(Part, answer=Receipt)
    def part(self) -> Job:
        return Job(f"{self.input.key}-part", self.input.size)

    @step()
    def phoning(self) -> Phone:
        return Phone(self.input.key)

    flow = parallel(part, phoning)


def test_a_caller_whose_rows_were_refused_still_hears_of_the_saga_that_it_called(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(Desk, lambda: Telephone(script), sagas=[Beside])
    refuse_rows_of(monkeypatch, runtime, "a", "step-completed")
    handle = runtime.start(Beside, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    gate.open()
    until_status(runtime, "a", "PARKED")
    runtime.retry("a", step="phoning")
    runtime.publish(Confirmed("a-part"))
    assert handle.wait(DEADLINE).completed
    assert entered(store, "a-part") == ["book"]
    sound(store)


@pytest.mark.parametrize("decision", ["retry", "cancel"])
def test_a_caller_that_could_not_take_an_end_takes_it_when_a_person_says_so(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    fail_machine(monkeypatch, "a", s.Completed, "part.1")
    handle = runtime.start(Whole, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert statuses(runtime)["a:part.1"] == "COMPLETED"
    getattr(runtime, decision)("a")
    outcome = handle.wait(DEADLINE)
    done = (("COMPLETED", ["book"]), ("COMPENSATED", ["book", "unbook"]))[decision == "cancel"]
    assert (outcome.status, entered(store, "a-part")) == done
    assert set(statuses(runtime)) == {"a", "a:part.1"}
    sound(store)


def test_a_caller_that_could_not_take_the_end_of_a_reversal_does_not_reverse_twice(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    fail_machine(monkeypatch, "a", s.Completed, "part.1~1")
    handle = runtime.start(Whole, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert statuses(runtime)["a:part.1"] == "COMPENSATED"
    runtime.retry("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)


def test_a_machine_that_fails_at_a_reversal_parks_the_caller(
    open_runtime: OpenRuntime, store: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), sagas=[Whole])
    fail_machine(monkeypatch, "a:part.1", s.Reverse)
    handle = runtime.start(Whole, Job("a"), id="a")
    until_status(runtime, "a", "PARKED")
    assert statuses(runtime)["a:part.1"] == "COMPLETED"
    runtime.retry("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)


def test_a_machine_that_fails_at_giving_up_parks_the_caller(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = open_runtime(Desk, sagas=[Whole])
    handle = runtime.start(Whole, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:part.1", "wait-begun")
    fail_machine(monkeypatch, "a:part.1", s.GiveUp)
    runtime.cancel("a")
    until_status(runtime, "a", "PARKED")
    assert statuses(runtime)["a:part.1"] == "RUNNING"
    runtime.retry("a")
    assert handle.wait(DEADLINE).status == "COMPENSATED"
    assert entered(store, "a-part") == ["book", "unbook"]
    sound(store)


def test_a_call_that_is_retried_where_its_saga_is_not_known_waits_until_it_is(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Whole]) as runtime:
        fail_machine(monkeypatch, "a:part.1", s.Start)
        runtime.start(Whole, Job("a"), id="a")
        until_status(runtime, "a", "PARKED")
    with Runtime(store, contexts=[Desk], sagas=[]) as runtime:
        runtime.retry("a")
        until_status(runtime, "a", "PARKED")
        with pytest.raises(SagaParked, match="Part version 1 is not known to this runtime"):
            runtime.handle("a").wait(DEADLINE)
    runtime = open_runtime(Desk, sagas=[Whole])
    assert runtime.handle("a").wait(DEADLINE).completed
    sound(store)
