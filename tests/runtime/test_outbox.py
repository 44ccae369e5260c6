"""The outbox of a context: nothing that an earlier life has left in it is overtaken by news."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Raw

from saga import Context, Event
from saga.coordination.context import ContextDriver
from saga.coordination.envelopes import Answers, Notify, Recall
from saga.coordination.guard import Busy
from saga.store import ContextStore, StoreFiles, StoreState


@dataclass(frozen=True, slots=True)
class Rung(Event):
    pass


@dataclass(frozen=True, slots=True)
class Echoed(Event):
    pass


class Wall(Context):
    @Rung.listener
    def echo(self, event: Rung) -> None:
        self.publish(Echoed())


class Coordinator:
    """Hears what the driver posts, and does nothing about it."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def post(self, message: object) -> None:
        self.heard.append(message)

    def post_many(self, messages: list[Any]) -> None:
        self.heard += messages

    def numbers(self) -> list[int]:
        """The outbox numbers it was told, in order."""
        return [event.no for each in self.heard if isinstance(each, Answers) for event in each.events]


class World:
    def now_ms(self) -> int:
        return 0

    def wake_at(self, due_ms: int | None) -> None:
        pass

    def pause(self, attempt: int) -> bool:
        return False

    def closing(self) -> bool:
        return False

    def monotonic(self) -> float:
        return 0.0


@contextmanager
def life(directory: Path) -> Iterator[tuple[ContextDriver, Coordinator]]:
    """One life of the wall, and who hears it."""
    state = StoreState("0" * 36, 1, 0, 0, 0)
    coordinator = Coordinator()
    with closing(ContextStore.open(StoreFiles.at(directory), "wall", state)) as store:
        driver = ContextDriver(Wall(), store, coordinator, World(), Busy())
        driver.open_positions(0)
        yield driver, coordinator


def ring(no: int) -> Notify:
    return Notify(no, f"e{no}", "Rung/1", Raw(b"{}"), "c")


def test_what_was_left_in_the_outbox_is_told_before_what_is_new(tmp_path: Path) -> None:
    """The coordinator takes numbers in order: told 3 first, it would believe that it had 1 and 2."""
    with life(tmp_path) as (driver, _):  # killed after its commits: nobody has heard of them
        driver.handle(deque([ring(1)]))
        driver.handle(deque([ring(2)]))
    with life(tmp_path) as (driver, coordinator):
        driver.handle(deque([ring(3)]))
        driver.handle(deque([ring(4)]))
        assert coordinator.numbers() == [1, 2, 3, 4]


def test_a_recall_tells_the_outbox_and_what_is_new_follows(tmp_path: Path) -> None:
    with life(tmp_path) as (driver, _):
        driver.handle(deque([ring(1)]))
    with life(tmp_path) as (driver, coordinator):
        driver.handle(deque([Recall(1, [])]))
        driver.handle(deque([ring(2)]))
        assert coordinator.numbers() == [1, 2]
