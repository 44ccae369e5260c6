"""The whole story of one id: who commanded, who answered, who published, who listened; across all files."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import Raw

from saga import (
    Command,
    Context,
    Event,
    Key,
    NotEncodable,
    Rejected,
    Runtime,
    Saga,
    Trace,
    UnknownId,
    VirtualClock,
    call,
    publish,
    step,
    wait,
)
from saga.codec import codec_for
from saga.coordination import pruning
from saga.coordination import requests as q

from .conftest import OpenRuntime
from .support import DEADLINE, Gate


@dataclass(frozen=True, slots=True)
class Order:
    id: str


@dataclass(frozen=True, slots=True)
class TakePayment(Command[str]):
    order: str


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    order: str


@dataclass(frozen=True, slots=True)
class Ship(Command[None]):
    order: str


@dataclass(frozen=True, slots=True)
class Pack(Command[None]):
    order: str


@dataclass(frozen=True, slots=True)
class Paid(Event):
    order: Key[str]


@dataclass(frozen=True, slots=True)
class Thanked(Event):
    order: Key[str]


@dataclass(frozen=True, slots=True)
class Fetched(Event):
    order: Key[str]


class Payment(Context):
    @TakePayment.handler
    def take(self, command: TakePayment) -> str:
        self.publish(Paid(command.order))
        return "p-1"

    @Refund.handler
    def refund(self, command: Refund) -> None: ...


class Mail(Context):
    """Thanks, and tells that it did."""

    @Paid.listener
    def thank(self, event: Paid) -> None:
        self.publish(Thanked(event.order))


class Statistics(Context):
    """Counts; cannot count what is odd."""

    @Paid.listener
    def count(self, event: Paid) -> None:
        if event.order.startswith("odd"):
            raise ValueError("an odd one")

    @Thanked.listener
    def note(self, event: Thanked) -> None: ...


class Shipment(Context):
    gate: Gate | None = None

    @Ship.handler
    def ship(self, command: Ship) -> None:
        if self.gate is not None:
            self.gate()
        if command.order.startswith("refused"):
            raise Rejected("no lorry goes there", code="no-lorry")

    @Pack.handler
    def pack(self, command: Pack) -> None: ...


class Fulfil(Saga[Order]):
    @step()
    def take_payment(self) -> TakePayment:
        return TakePayment(self.input.id)

    @take_payment.compensation
    def refund(self) -> Refund:
        return Refund(self.input.id)

    @wait(Fetched)
    def fetched(self) -> str:
        return self.input.id

    @step()
    def ship(self) -> Ship:
        return Ship(self.input.id)

    flow = (take_payment, fetched, ship)


class PackIt(Saga[Paid], started_by_event=True):
    @step()
    def pack(self) -> Pack:
        return Pack(self.input.order)

    flow = (pack,)


ALL = [Payment, Mail, Statistics, Shipment]
SAGAS = [Fulfil, PackIt]


def told(trace: Trace) -> list[str]:
    """Return the story as indented lines, without the notes of waiting."""
    return ["  " * entry.depth + entry.text for entry in trace.entries if "waiting for" not in entry.text]


def until(runtime: Runtime, id: str, so: Callable[[list[str]], bool]) -> list[str]:
    """Return the story of an id once it is so."""
    end = time.monotonic() + DEADLINE
    while not so(lines := told(runtime.trace(id))):
        assert time.monotonic() < end, "\n".join(lines)
    return lines


def run_order(runtime: Runtime, id: str) -> None:
    """Let an order be paid, fetched and shipped, and everybody listen."""
    handle = runtime.start(Fulfil, Order(id), id=id)
    until(runtime, id, lambda lines: sum("ended" in line for line in lines) == 1)  # it was packed
    until(runtime, id, lambda lines: not any("still to get" in line for line in lines))
    runtime.publish(Fetched(id), id=f"fetched-{id}")
    handle.wait(DEADLINE)


STORY = """\
order-1: Fulfil version 1 starts
  take_payment.1: TakePayment/1 to payment
    payment: done
    payment publishes Paid/1 of order-1
      mail has listened
        mail publishes Thanked/1 of order-1
          statistics has listened
      statistics has listened
      PackIt:payment:1: PackIt version 1 starts
        pack.1: Pack/1 to shipment
          shipment: done
        ended: COMPLETED
  fetched.1: Fetched/1 from runtime; its own story is that of runtime:fetched-order-1
  ship.1: Ship/1 to shipment
    shipment: done
  ended: COMPLETED"""


def test_a_story_tells_who_commanded_answered_published_and_listened(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(*ALL, sagas=SAGAS)
    run_order(runtime, "order-1")
    assert told(runtime.trace("order-1")) == STORY.splitlines()


def test_any_id_of_a_story_finds_it(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(*ALL, sagas=SAGAS)
    run_order(runtime, "order-1")
    run_order(runtime, "order-2")
    for id in (
        "order-1",
        "payment:1",  # an event
        "mail:1",  # an event that a listener has published
        "PackIt:payment:1",  # a saga that an event has started
        "order-1:ship.1",  # a command
        "PackIt:payment:1:pack.1",
    ):
        assert runtime.trace(id).correlation == "order-1", id
    assert told(runtime.trace("order-1")) == STORY.splitlines()


def test_every_message_has_its_cause(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(*ALL, sagas=SAGAS)
    run_order(runtime, "order-1")
    entries = runtime.trace("order-1").entries
    causes = {entry.id: entry.cause for entry in entries if entry.id is not None}
    assert causes == {
        "order-1": None,
        "order-1:take_payment.1": None,  # of the start
        "payment:1": "order-1:take_payment.1",
        "mail:1": "payment:1",
        "PackIt:payment:1": "payment:1",
        "PackIt:payment:1:pack.1": "payment:1",
        "order-1:ship.1": "runtime:fetched-order-1",
    }
    at = [entry.at for entry in entries if entry.depth == 1 and entry.at is not None]
    assert at == sorted(at)


def test_an_event_of_the_application_has_a_story_of_its_own(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(*ALL, sagas=SAGAS)
    runtime.publish(Paid("x"), id="news")
    lines = until(runtime, "news", lambda lines: lines[-1] == "    ended: COMPLETED")
    for id in ("news", "runtime:news", "PackIt:runtime:news"):
        assert [line for line in told(runtime.trace(id)) if "statistics" not in line] == [
            "application publishes Paid/1 of x",
            "  mail has listened",
            "    mail publishes Thanked/1 of x",
            "  PackIt:runtime:news: PackIt version 1 starts",
            "    pack.1: Pack/1 to shipment",
            "      shipment: done",
            "    ended: COMPLETED",
        ]
    assert lines


def test_a_saga_that_goes_on_with_an_event_of_its_own_story_is_told_below_that(
    open_runtime: OpenRuntime,
) -> None:
    class Thanks(Saga[Order]):
        @step()
        def take_payment(self) -> TakePayment:
            return TakePayment(self.input.id)

        @wait(Thanked)
        def thanked(self) -> str:
            return self.input.id

        flow = (take_payment, thanked)

    runtime = open_runtime(Payment, Mail, sagas=[Thanks])
    runtime.start(Thanks, Order("a"), id="a").wait(DEADLINE)
    lines = told(runtime.trace("a"))
    at = lines.index("        mail publishes Thanked/1 of a")
    assert lines[at + 1] == "          a goes on at thanked.1"
    assert "  thanked.1: event mail:1" in lines


def test_a_command_of_the_application_begins_a_story(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Payment, Statistics)
    runtime.send(TakePayment("x"), id="by-hand")
    lines = until(runtime, "by-hand", lambda lines: any("has listened" in line for line in lines))
    assert lines == [
        "application: TakePayment/1 to payment",
        "  payment: done",
        "  payment publishes Paid/1 of x",
        "    statistics has listened",
    ]
    assert told(runtime.trace("send:by-hand")) == lines


def test_a_refused_command_of_the_application_is_told(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Shipment)
    with pytest.raises(Rejected):
        runtime.send(Ship("refused-1"), id="by-hand")
    assert told(runtime.trace("by-hand")) == [
        "application: Ship/1 to shipment",
        "  shipment: refused: no lorry goes there [no-lorry]",
    ]


def test_a_story_tells_where_a_saga_turned_back(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(*ALL, sagas=[Fulfil])
    handle = runtime.start(Fulfil, Order("refused-1"), id="refused-1")
    runtime.publish(Fetched("refused-1"))
    handle.wait(DEADLINE)
    lines = [
        line for line in told(runtime.trace("refused-1")) if line.startswith("  ship") or "refused:" in line
    ]
    assert lines == ["  ship.1: Ship/1 to shipment", "    shipment: refused: no lorry goes there [no-lorry]"]
    assert told(runtime.trace("refused-1"))[-4:] == [
        "  the saga turns back: no lorry goes there [no-lorry]",
        "  take_payment.1~1: Refund/1 to payment",
        "    payment: done",
        "  ended: COMPENSATED",
    ]


def test_a_listener_that_failed_and_one_that_has_not_come_so_far_are_told(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Mail], clock=VirtualClock()):
        pass  # it is known, and away from now on
    runtime = open_runtime(Payment, Statistics, clock=VirtualClock())
    runtime.send(TakePayment("odd-1"), id="by-hand")
    lines = until(runtime, "by-hand", lambda lines: any("failed" in line for line in lines))
    assert lines[-2:] == [
        "    mail is still to get it",
        "    statistics has failed on it 1 time: ValueError: an odd one; again at 2026-01-01 00:00:00",
    ]


def test_a_listener_that_came_later_has_not_heard_what_was_before(
    open_runtime: OpenRuntime, store: Path
) -> None:
    class Late(Context):
        listen_from = "now"

        @Paid.listener
        def hear(self, event: Paid) -> None: ...

    with Runtime(store, contexts=[Payment]) as runtime:
        runtime.send(TakePayment("x"), id="by-hand")
        until(runtime, "by-hand", lambda lines: lines[-1].endswith("publishes Paid/1 of x"))
    runtime = open_runtime(Payment, Late)
    assert told(runtime.trace("by-hand"))[-1].endswith("publishes Paid/1 of x")


def test_a_command_that_is_on_its_way_is_told(open_runtime: OpenRuntime) -> None:
    gate = Gate()

    class Slow(Shipment):
        pass

    Slow.gate, Slow.__name__ = gate, "Shipment"
    runtime = open_runtime(Payment, Slow, sagas=[Fulfil])
    runtime.start(Fulfil, Order("a"), id="a")
    runtime.publish(Fetched("a"))
    gate.wait_for_somebody()
    *_, last = runtime.trace("a").entries
    assert (last.text, last.outcome) == ("ship.1: Ship/1 to shipment", "open")
    gate.open()
    runtime.handle("a").wait(DEADLINE)


def test_a_child_saga_stands_below_the_command_that_called_it(open_runtime: OpenRuntime) -> None:
    """A saga with the correlation of its parent, and the id of a command of the parent as its cause."""
    runtime = open_runtime(*ALL, sagas=SAGAS)
    parent = runtime.start(Fulfil, Order("refused-1"), id="parent")
    runtime.publish(Fetched("refused-1"))
    parent.wait(DEADLINE)
    reply: Future[object] = Future()
    definition = runtime._definitions.of(PackIt)
    data = Raw(codec_for(Paid).encode(Paid("x")))
    for id, cause in (("child", "parent:ship.1"), ("other", "parent:some_call.1")):
        start = q.Start(definition, id, data, Paid("x"), {}, 0, "parent", cause)
        reply = Future()
        runtime._open_crew().post(q.StartSagas([start], reply))  # type: ignore[arg-type]
        reply.result(DEADLINE)
        runtime.handle(id).wait(DEADLINE)
    lines = told(runtime.trace("child"))
    below = lines.index("  ship.1: Ship/1 to shipment")
    assert lines[below + 2 : below + 5] == [
        "    child: PackIt version 1 starts",
        "      pack.1: Pack/1 to shipment",
        "        shipment: done",
    ]
    assert "  other: PackIt version 1 starts" in lines, "what is called by no command is the parent's own"


def test_a_story_in_memory_is_told_too(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(*ALL, sagas=SAGAS, at=":memory:")
    run_order(runtime, "order-1")
    assert told(runtime.trace("order-1")) == STORY.splitlines()
    assert runtime.trace("order-1:ship.1").correlation == "order-1"


def test_what_was_let_go_of_is_not_shown(
    open_runtime: OpenRuntime, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "EVENTS_BETWEEN_PRUNINGS", 5)
    runtime = open_runtime(*ALL, sagas=SAGAS)
    run_order(runtime, "order-1")
    for n in range(30):
        runtime.publish(Fetched(str(n)))
    lines = told(runtime.trace("order-1"))
    assert not any("publishes" in line for line in lines)
    assert "  fetched.1: event runtime:fetched-order-1" in lines
    assert "PackIt:payment:1: PackIt version 1 starts" in lines, "a saga without its cause stands for itself"
    with pytest.raises(UnknownId, match="nothing in this store has the id 'payment:1'"):
        runtime.trace("payment:1")


@pytest.mark.parametrize("id", ["", "\x1b", 3, "x" * 501])
def test_what_is_no_id_is_refused(open_runtime: OpenRuntime, id: str) -> None:
    with pytest.raises(NotEncodable, match="is no id"):
        open_runtime().trace(id)


def test_an_unknown_id_is_told(open_runtime: OpenRuntime) -> None:
    with pytest.raises(UnknownId, match="'nothing'; give that of a saga, an event, a command"):
        open_runtime(Payment).trace("nothing")


class Prepare(Saga[Order]):
    """Is called by another saga."""

    @step()
    def pack(self) -> Pack:
        return Pack(self.input.id)

    flow = (pack,)


class Deliver(Saga[Order]):
    """Calls another saga, and publishes by itself."""

    @call(Prepare)
    def prepare(self) -> Order:
        return Order(self.input.id)

    @publish
    def tell(self) -> Fetched:
        return Fetched(self.input.id)

    @step()
    def ship(self) -> Ship:
        return Ship(self.input.id)

    flow = (prepare, tell, ship)


def test_called_sagas_and_events_of_sagas_are_in_the_story(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Shipment, sagas=[Deliver, Prepare])
    runtime.start(Deliver, Order("a"), id="a").wait(DEADLINE)
    lines = told(runtime.trace("a"))
    assert lines == [
        "a: Deliver version 1 starts",
        "  prepare.1: Order/1 to saga Prepare/1",
        "    a:prepare.1: Prepare version 1 starts",
        "      pack.1: Pack/1 to shipment",
        "        shipment: done",
        "      ended: COMPLETED",
        "    saga Prepare/1: done",
        "  a publishes Fetched/1 of a",
        "  ship.1: Ship/1 to shipment",
        "    shipment: done",
        "  ended: COMPLETED",
    ]
    assert told(runtime.trace("a:prepare.1:pack.1")) == lines
