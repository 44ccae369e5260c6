"""What a context's driver does about listeners when a message comes twice, late, or about what it is done with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec import Raw

from saga import Context, Event
from saga.coordination.context import ContextDriver, RetryDue
from saga.coordination.envelopes import Notify
from saga.coordination.guard import Busy
from saga.coordination.requests import Heard
from saga.store import ContextStore, StoreFiles, StoreState

from . import test_outbox


@dataclass(frozen=True, slots=True)
class Rung(Event):
    pass


@dataclass(frozen=True, slots=True)
class Knocked(Event):
    pass


class Door(Context):
    """Listens to two kinds of events; `fails` says how often it fails first."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.opened = 0

    @Rung.listener
    def ring(self, event: Rung) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("nobody is in")
        self.opened += 1

    @Knocked.listener
    def knock(self, event: Knocked) -> None: ...


class World(test_outbox.World):
    """Time is moved by hand; who is to be woken is noted."""

    def __init__(self) -> None:
        self.now = 0
        self.woken: list[int | None] = []

    def now_ms(self) -> int:
        return self.now

    def wake_at(self, due_ms: int | None) -> None:
        self.woken.append(due_ms)


class Life:
    """A context, its driver, and who hears it."""

    def __init__(self, fails: int, suspects: dict[int, str]) -> None:
        state = StoreState("0" * 36, 1, 0, 0, 0)
        self.store = ContextStore.open(StoreFiles.at(":memory:"), "door", state)
        self.door, self.world, self.coordinator = Door(fails), World(), test_outbox.Coordinator()
        self.driver = ContextDriver(
            self.door, self.store, self.coordinator, self.world, Busy(), suspects=suspects
        )
        self.driver.open_positions(0)

    def take(self, *messages: object) -> None:
        self.driver.handle(deque(messages))

    def done_with(self) -> list[int]:
        """The suspected events that it has told to be done with."""
        return [no for each in self.coordinator.heard if isinstance(each, Heard) for no in each.nos]


@pytest.fixture
def life() -> Callable[..., Life]:
    return lambda fails=0, suspects=None: Life(fails, suspects or {})


def rung(no: int, attempt: int = 1) -> Notify:
    return Notify(no, f"e{no}", "Rung/1", Raw(b"{}"), "c", attempt)


def test_an_event_that_is_to_be_tried_again_twice_is_tried_once(life: Callable[..., Life]) -> None:
    """As when it falls due while somebody asks for it."""
    one = life(fails=1)
    one.take(rung(1))
    one.take(rung(1, attempt=2), rung(1, attempt=2))
    assert one.door.opened == 1
    one.take(rung(1, attempt=2))
    assert one.door.opened == 1


def test_who_is_woken_too_early_is_woken_again_in_time(life: Callable[..., Life]) -> None:
    one = life(fails=2)
    one.take(rung(1))
    one.world.woken.clear()
    one.world.now = 499
    one.take(RetryDue())
    assert (one.door.fails, one.world.woken) == (1, [500])
    one.world.now = 500
    one.take(RetryDue())
    assert (one.door.fails, one.door.opened) == (0, 0)


def test_a_suspected_event_that_was_taken_is_told_when_it_comes_again(life: Callable[..., Life]) -> None:
    """The driver that took it died before it could tell; listeners to other events are further behind."""
    one = life(suspects={1: ""})
    one.take(rung(1))
    assert one.done_with() == [1]
    again = ContextDriver(
        one.door, one.store, one.coordinator, one.world, Busy(), suspects={1: "", 2: "it ends the process"}
    )
    again.open_positions(0)
    one.coordinator.heard.clear()
    again.handle(deque([rung(1)]))
    assert (one.done_with(), one.door.opened) == ([1], 1)
    again.handle(deque([rung(2)]))
    assert (one.done_with(), one.door.opened) == ([1, 2], 1)
