"""Commands that a saga answers: nobody who sends one sees the difference, however long it takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from saga import (
    Command,
    CommandFailed,
    Context,
    DefinitionError,
    Event,
    Key,
    NotEncodable,
    Rejected,
    Runtime,
    Saga,
    SagaConflict,
    SagaParked,
    VirtualClock,
    WaitTimeout,
    answer,
    choice,
    condition,
    step,
    wait,
)

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Desk,
    File,
    Job,
    Receipt,
    Script,
    Unbook,
    code_of,
    entered,
    sound,
    statuses,
    together,
    until_status,
    wait_until_it_happened,
)


@dataclass(frozen=True, slots=True)
class TakePayment(Command[Receipt]):
    key: str
    by_invoice: bool = False


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class TransferReceived(Event):
    key: Key[str]


class Payment(Context):
    """Its commands are answered by sagas."""


class CollectPayment(Saga[TakePayment], context=Payment):
    """Books; an invoice is waited for two weeks."""

    @step()
    def booking(self) -> Book:
        return Book(self.input.key)

    @booking.compensation
    def unbooking(self) -> Unbook:
        return Unbook(self.input.key, self.booking.number)

    @condition
    def is_by_invoice(self) -> bool:
        return self.input.by_invoice

    @wait(TransferReceived, within=timedelta(days=14))
    def transferred(self) -> str:
        return self.input.key

    @answer
    def receipt(self) -> Receipt:
        return self.booking

    flow = (booking, choice((is_by_invoice, transferred)), receipt)


class GiveBack(Saga[RefundPayment], context=Payment):
    """A compensation that is a saga, too."""

    @step()
    def unbooking(self) -> Unbook:
        return Unbook(f"{self.input.key}-back", self.input.number)

    flow = unbooking


class Order(Saga[Job]):
    """Is paid, then filed."""

    @step(timeout=timedelta(days=15))
    def paying(self) -> TakePayment:
        return TakePayment(self.input.key, by_invoice=self.input.size > 1)

    @paying.compensation
    def refunding(self) -> RefundPayment:
        return RefundPayment(self.input.key, self.paying.number)

    @step()
    def filing(self) -> File:
        return File(self.input.key)

    @answer
    def number(self) -> int:
        return self.paying.number

    flow = (paying, filing, number)


SAGAS = (Order, CollectPayment, GiveBack)


def test_a_step_whose_command_a_saga_answers_gets_its_answer(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)
    assert runtime.start(Order, Job("a"), id="a").wait(DEADLINE).answer == 7
    assert statuses(runtime) == {"a": "COMPLETED", "a:paying.1": "COMPLETED"}
    sound(store)


def test_an_answer_may_take_two_weeks(open_runtime: OpenRuntime, store: Path) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, Payment, sagas=SAGAS, clock=clock)
    handle = runtime.start(Order, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:paying.1", "wait-begun")
    clock.advance(timedelta(days=13, hours=23))
    assert [entry.what for entry in runtime.history("a")] == ["started", "command-sent"]
    runtime.publish(TransferReceived("a"))
    assert handle.wait(DEADLINE).completed
    sound(store)


def test_what_comes_too_late_is_refused_with_the_code_of_the_saga(
    open_runtime: OpenRuntime, store: Path
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, Payment, sagas=SAGAS, clock=clock)
    handle = runtime.start(Order, Job("a", size=2), id="a")
    wait_until_it_happened(runtime, "a:paying.1", "wait-begun")
    clock.advance(timedelta(days=14))
    assert code_of(handle.wait(DEADLINE)) == "timeout"
    assert entered(store, "a") == ["book", "unbook"]
    sound(store)


class Hasty(Saga[Job]):
    @step(timeout=timedelta(days=1))
    def paying(self) -> TakePayment:
        return TakePayment(self.input.key, by_invoice=True)

    @paying.compensation
    def refunding(self) -> RefundPayment:
        return RefundPayment(self.input.key, self.paying.number)

    flow = paying


def test_a_step_that_is_not_answered_in_time_gives_the_answering_saga_up(
    open_runtime: OpenRuntime, store: Path
) -> None:
    clock = VirtualClock()
    runtime = open_runtime(Desk, Payment, sagas=(Hasty, *SAGAS), clock=clock)
    handle = runtime.start(Hasty, Job("a"), id="a")
    wait_until_it_happened(runtime, "a:paying.1", "wait-begun")
    clock.advance(timedelta(days=1))
    assert code_of(handle.wait(DEADLINE)) == "timeout"
    assert statuses(runtime) == {"a": "COMPENSATED", "a:paying.1": "COMPENSATED"}
    assert entered(store, "a") == ["book", "unbook"]
    sound(store)


def test_a_compensation_may_be_answered_by_a_saga(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    runtime = open_runtime(lambda: Desk(script), Payment, sagas=SAGAS)
    assert code_of(runtime.start(Order, Job("a"), id="a").wait(DEADLINE)) == "paper"
    assert statuses(runtime) == {
        "a": "COMPENSATED",
        "a:paying.1": "COMPLETED",
        "a:paying.1~1": "COMPLETED",
    }
    assert (entered(store, "a"), entered(store, "a-back")) == (["book"], ["unbook"])
    sound(store)


def test_a_compensation_that_its_saga_refuses_is_parked_and_retried_with_a_new_saga(
    open_runtime: OpenRuntime, script: Script, store: Path
) -> None:
    script.on("file", "a", Rejected("no paper", code="paper"))
    script.on("unbook", "a-back", Rejected("not now", code="later"), None)
    runtime = open_runtime(lambda: Desk(script), Payment, sagas=SAGAS)
    handle = runtime.start(Order, Job("a"), id="a")
    with pytest.raises(SagaParked, match="not now"):
        handle.wait(DEADLINE)
    runtime.retry("a")
    until_status(runtime, "a", "COMPENSATED")
    assert statuses(runtime)["a:paying.1~2"] == "COMPLETED"
    sound(store)


# --- commands of the application ---


def test_a_sent_command_starts_the_saga_that_answers_it_once(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)
    assert runtime.send(TakePayment("a"), id="p") == Receipt("a", 7)
    assert runtime.send(TakePayment("a"), id="p") == Receipt("a", 7)
    assert statuses(runtime) == {"send:p": "COMPLETED"}
    assert entered(store, "a") == ["book"]


def test_a_sent_command_is_answered_in_asyncio(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)

    async def send() -> Receipt:
        return await runtime.send_async(TakePayment("a"), id="p")

    assert asyncio.run(send()) == Receipt("a", 7)


def test_a_sent_command_waits_for_its_saga_in_asyncio_no_longer_than_it_may(
    open_runtime: OpenRuntime,
) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)

    async def send() -> None:
        await runtime.send_async(TakePayment("a", by_invoice=True), id="p", timeout=0.05)

    with pytest.raises(WaitTimeout):
        asyncio.run(send())


def test_a_sent_command_that_its_saga_refuses_is_rejected(open_runtime: OpenRuntime, script: Script) -> None:
    script.on("book", "a", Rejected("full", code="full"))
    runtime = open_runtime(lambda: Desk(script), Payment, sagas=SAGAS)
    with pytest.raises(Rejected, match="full") as rejected:
        runtime.send(TakePayment("a"), id="p")
    assert rejected.value.code == "full"


def test_a_sent_command_whose_saga_is_cancelled_has_failed(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)
    with together(runtime.send, TakePayment("a", by_invoice=True), id="p") as sent:
        until_status(runtime, "send:p", "RUNNING")
        wait_until_it_happened(runtime, "send:p", "wait-begun")
        runtime.cancel("send:p", "changed my mind")
        with pytest.raises(CommandFailed, match="changed my mind"):
            sent.result(DEADLINE)
    assert entered(store, "a") == ["book", "unbook"]


def test_a_sent_command_outlives_the_patience_of_its_sender(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)
    with pytest.raises(WaitTimeout):
        runtime.send(TakePayment("a", by_invoice=True), id="p", timeout=0.05)
    runtime.publish(TransferReceived("a"))
    assert runtime.send(TakePayment("a", by_invoice=True), id="p") == Receipt("a", 7)


def test_another_command_of_the_same_id_is_a_conflict(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)
    runtime.send(TakePayment("a"), id="p")
    with pytest.raises(SagaConflict):
        runtime.send(TakePayment("b"), id="p")


def test_an_id_of_a_command_may_be_as_long_as_any(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Payment, sagas=SAGAS)
    assert runtime.send(TakePayment("a"), id="p" * 500) == Receipt("a", 7)
    with pytest.raises(NotEncodable, match="no id"):
        runtime.send(TakePayment("a"), id="p" * 501)


# --- definitions ---


class AlsoPayment(Context):
    @TakePayment.handler
    def take(self, command: TakePayment) -> Receipt:
        return Receipt(command.key, 1)


class CollectOtherwise(Saga[TakePayment], context=Payment):
    @answer
    def receipt(self) -> Receipt:
        return Receipt(self.input.key, 3)

    flow = receipt


class CollectPayment2(Saga[TakePayment], context=Payment, name="CollectPayment", version=2):
    @answer
    def receipt(self) -> Receipt:
        return Receipt(self.input.key, 2)

    flow = receipt


def test_a_command_with_a_handler_and_a_saga_is_refused(store: Path) -> None:
    with pytest.raises(DefinitionError, match=r"as AlsoPayment\.take does; keep one"):
        Runtime(store, contexts=[Desk, Payment, AlsoPayment], sagas=[CollectPayment])


def test_two_sagas_that_answer_one_command_are_refused(store: Path) -> None:
    with pytest.raises(DefinitionError, match="another version of the other"):
        Runtime(store, contexts=[Desk, Payment], sagas=[CollectPayment, CollectOtherwise])


def test_a_saga_of_a_context_that_is_not_here_is_refused(store: Path) -> None:
    with pytest.raises(DefinitionError, match=r"add it: Runtime\(contexts=\[Payment"):
        Runtime(store, contexts=[Desk], sagas=[CollectPayment])


def test_an_answering_saga_keeps_the_version_it_was_started_with(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk, Payment], sagas=SAGAS) as runtime:
        runtime.start(Order, Job("a", size=2), id="a")
        wait_until_it_happened(runtime, "a:paying.1", "wait-begun")
    runtime = open_runtime(Desk, Payment, sagas=[*SAGAS, CollectPayment2])
    assert runtime.start(Order, Job("b"), id="b").wait(DEADLINE).answer == 2
    runtime.publish(TransferReceived("a"))
    assert runtime.handle("a").wait(DEADLINE).answer == 7
    sound(store)
