"""The way of the event log to its listeners: in order, in pages, and nothing is pruned that is needed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from saga.coordination.envelopes import Notify
from saga.coordination.relay import NEWEST, NEWEST_BYTES, PAGE, WINDOW, Relay


class Log:
    """An event log of types A and B, and a mailbox for each listener."""

    def __init__(self) -> None:
        self.events: list[Notify] = []
        self.relay = Relay(self.read)
        self.reads = 0
        self.size = 2
        """Bytes of a payload."""

    def read(self, after_no: int, types: tuple[str, ...], limit: int) -> list[Notify]:
        self.reads += 1
        return [event for event in self.events if event.no > after_no and event.type in types][:limit]

    def write(self, *types: str) -> None:
        new = [
            Notify(no, f"e{no}", type, Raw(b"x" * self.size), "c")
            for no, type in enumerate(types, len(self.events) + 1)
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


def test_a_listener_that_is_sent_again_what_it_has_taken_does_not_wait_for_ever(log: Log, port: Port) -> None:
    """It died alone. Its successor stands where its rarest type stands, and takes first what was in the mailbox."""
    last = WINDOW + 10
    log.write("B", *["A"] * (last - 1))
    log.relay.add("x", port, {"A": last - 1, "B": 1})
    log.relay.taken("x", last)  # the one that was in the mailbox
    log.relay.feed()
    assert port.got == list(range(2, WINDOW + 2))
    log.relay.taken("x", WINDOW + 1)
    log.relay.feed()
    log.relay.taken("x", last)
    log.write("B")
    assert port.got == list(range(2, last + 2))


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


# --- large pages, and from memory ---


def test_a_listener_at_work_gets_what_came_meanwhile_in_one_go(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    for _ in range(10):
        log.write("A")
    assert port.got == [1]
    log.relay.taken("x", 1)
    log.relay.feed()
    assert port.got == list(range(1, 11))


def test_a_listener_at_work_gets_a_page_before_it_is_done(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.write("A")
    log.write(*["A"] * PAGE)
    assert port.got == list(range(1, PAGE + 2))


def test_who_is_up_to_date_is_fed_from_memory(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.reads = 0
    for no in range(1, 3 * NEWEST, 100):
        log.write(*["A"] * 100)
        log.relay.taken("x", no + 99)
        log.relay.feed()
    assert port.got == list(range(1, len(log.events) + 1))
    assert log.reads == 0


def test_memory_is_bounded_by_number_and_by_size(log: Log, port: Port) -> None:
    log.relay.add("x", port, {"A": 0})
    log.relay.feed()
    log.write(*["A"] * (2 * NEWEST + 1))
    assert len(log.relay._newest) == NEWEST
    log.size = NEWEST_BYTES // 4
    log.write(*["A"] * 6)
    assert log.relay._newest == []
    while len(port.got) < len(log.events):
        log.relay.taken("x", port.got[-1])
        log.relay.feed()
    assert port.got == list(range(1, len(log.events) + 1)), "the log has them all the same"
