"""The way of the event log to its listeners: in order, in pages, and nothing is pruned that is needed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from saga.coordination.envelopes import Notify
from saga.coordination.relay import PAGE, WINDOW, Relay


class Log:
    """An event log of types A and B, and a mailbox for each listener."""

    def __init__(self) -> None:
        self.events: list[Notify] = []
        self.relay = Relay(self.read)

    def read(self, after_no: int, types: tuple[str, ...], limit: int) -> list[Notify]:
        return [event for event in self.events if event.no > after_no and event.type in types][:limit]

    def write(self, *types: str) -> None:
        new = [
            Notify(no, f"e{no}", type, Raw(b"{}"), "c") for no, type in enumerate(types, len(self.events) + 1)
        ]
        self.events += new
        self.relay.logged(new)
        self.relay.feed()

    @property
    def lowest(self) -> int:
        last = len(self.events)
        return min([last, *self.relay.taken_to(last).values()])


class Port:
    def __init__(self) -> None:
        self.got: list[int] = []

    def post(self, message: Any) -> None:
        self.got.append(message.no)

    def post_many(self, messages: list[Any]) -> None:
        self.got += [message.no for message in messages]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def port() -> Port:
    return Port()


def test_a_listener_gets_what_is_new_of_its_types(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.write("A", "B", "A")
    assert port.got == [1, 3]


def test_a_listener_that_is_behind_is_fed_in_pages(log: Log, port: Port) -> None:
    log.write(*["A"] * (WINDOW + 10))
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    assert port.got == list(range(1, WINDOW + 1))
    log.relay.taken("x", WINDOW)
    log.relay.feed()
    assert port.got == list(range(1, WINDOW + 11))


def test_a_slow_listener_gets_no_more_than_the_window(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    for _ in range(WINDOW + 50):
        log.write("A")
    sent = len(port.got)
    assert PAGE <= sent <= WINDOW
    log.relay.taken("x", sent)
    log.relay.feed()
    assert port.got == list(range(1, WINDOW + 51))


def test_a_slow_listener_holds_up_nobody(log: Log, port: Port) -> None:
    slow = Port()
    log.relay.add("slow", slow, {"A": 0})
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    for no in range(1, 2 * WINDOW + 1):
        log.write("A")
        log.relay.taken("x", no)
    assert len(port.got) == 2 * WINDOW


def test_what_a_listener_has_not_taken_is_needed(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.write("A", "A", "A")
    log.relay.taken("x", 2)
    assert log.lowest == 2


def test_a_listener_that_has_taken_all_of_its_types_needs_nothing(log: Log, port: Port) -> None:
    """Else a listener to a rare type of event would keep the whole log."""
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.write("A", "B", "B", "B")
    log.relay.taken("x", 1)
    assert log.lowest == 4


def test_what_a_listener_that_is_down_has_not_taken_is_needed(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.write("A")
    log.relay.taken("x", 1)
    log.relay.pause("x")
    log.write("A", "A")
    assert port.got == [1]
    assert log.lowest == 1


def test_a_listener_that_is_back_goes_on_where_it_stands(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0, "B": 0})
    log.relay.feed()
    log.write("A", "B", "A")
    again = Port()
    log.relay.add("x", again, {"A": 1, "B": 2})
    log.relay.feed()
    assert again.got == [2, 3]


def test_without_listeners_nothing_is_needed(log: Log) -> None:
    log.write("A", "A")
    assert log.lowest == 2
