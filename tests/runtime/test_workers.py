"""The base of the actors: a mailbox outlives its actor, and a dead actor touches nothing."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

import pykka
import pytest

from saga.actors.mailbox import Mailbox
from saga.actors.worker import Close, Crash, Open, Worker

from .support import DEADLINE, Gate


class Clerk(Worker):
    """Takes messages through a gate; dies of the message `bad`."""

    gate = Gate()
    taken: list[Any] = []

    def open(self) -> None:
        pass

    def work(self, messages: list[Any]) -> None:
        self.taken += messages
        if messages:
            self.gate()
        if "bad" in messages:
            raise SystemExit("bad")

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        raise KeyboardInterrupt


class Office:
    """A clerk, and what is heard of it."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.crashes: list[Crash] = []
        self.crashed = threading.Event()

    def hire(self) -> pykka.ActorRef[Clerk]:
        ref = Clerk.start("clerk", self.mailbox, self._note)
        opened: Future[None] = Future()
        ref.tell(Open(opened))
        opened.result(DEADLINE)
        return ref

    def _note(self, crash: Crash) -> None:
        self.crashes.append(crash)
        self.crashed.set()


@pytest.fixture
def office() -> Office:
    Clerk.gate, Clerk.taken = Gate(), []
    return Office()


def close(ref: pykka.ActorRef[Clerk]) -> None:
    closed: Future[None] = Future()
    ref.tell(Close(closed))
    closed.result(DEADLINE)
    assert ref.actor_stopped.wait(DEADLINE)


def test_an_actor_that_has_died_takes_nothing_more(office: Office) -> None:
    """The wake for the second message is in pykka's inbox already when the first one kills the actor."""
    ref = office.hire()
    office.mailbox.post("bad")
    Clerk.gate.wait_for_somebody()
    office.mailbox.post("good")
    Clerk.gate.open()
    assert ref.actor_stopped.wait(DEADLINE)
    assert [type(crash.error) for crash in office.crashes] == [SystemExit]
    assert len(office.mailbox) == 1


def test_its_successor_finds_what_was_not_taken(office: Office) -> None:
    ref = office.hire()
    office.mailbox.post("bad")
    Clerk.gate.wait_for_somebody()
    office.mailbox.post("good")
    Clerk.gate.open()
    assert ref.actor_stopped.wait(DEADLINE)
    successor = office.hire()
    Clerk.gate.wait_for_somebody()
    close(successor)
    assert len(office.mailbox) == 0


def test_what_was_posted_while_nobody_was_there_is_taken_later(office: Office) -> None:
    office.mailbox.post_many(["a", "b"])
    Clerk.gate.open()
    ref = office.hire()
    Clerk.gate.wait_for_somebody()
    close(ref)
    assert len(office.mailbox) == 0


def test_a_wake_that_comes_after_the_close_is_ignored(office: Office) -> None:
    ref = office.hire()
    office.mailbox.post("a")
    Clerk.gate.wait_for_somebody()
    closed: Future[None] = Future()
    ref.tell(Close(closed))
    office.mailbox.post("b")  # its wake stands behind the close
    Clerk.gate.open()
    closed.result(DEADLINE)
    assert ref.actor_stopped.wait(DEADLINE)
    assert (office.crashes, len(office.mailbox)) == ([], 1)


def test_many_threads_post_and_nothing_is_lost(office: Office) -> None:
    Clerk.gate.open()
    ref = office.hire()
    post = office.mailbox.post
    threads = [threading.Thread(target=lambda: [post(n) for n in range(5_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    post("last")
    until = time.monotonic() + DEADLINE
    while len(Clerk.taken) < 20_001 and time.monotonic() < until:
        Clerk.gate.wait_for_somebody()
    close(ref)
    assert len(Clerk.taken) == 20_001
