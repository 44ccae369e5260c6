"""An inquiry that comes when its command is over and forgotten: it changes nothing in the context's file."""

from __future__ import annotations

from collections import deque

from saga import Context
from saga.coordination.context import ContextDriver
from saga.coordination.envelopes import Answers, Inquire
from saga.coordination.guard import Busy
from saga.store import ContextChanges, ContextStore, StoreFiles, StoreState

from .test_outbox import Coordinator, World


class Vault(Context):
    pass


def inquire(driver: ContextDriver, number: int) -> None:
    driver.handle(deque([Inquire(f"s:{number}", 1, "a.1", number, True, False, 1)]))


def test_an_inquiry_below_the_floor_leaves_no_tombstone_and_is_not_answered() -> None:
    store = ContextStore.open(StoreFiles.at(":memory:"), "vault", StoreState("0" * 36, 1, 0, 0, 0))
    coordinator = Coordinator()
    driver = ContextDriver(Vault(), store, coordinator, World(), Busy())
    changes = ContextChanges()
    changes.floor = 5
    store.begin()
    store.commit(changes)
    inquire(driver, 4)
    assert store.answers(["s:4"]) == {}
    assert coordinator.heard == []
    inquire(driver, 5)
    assert store.answers(["s:5"])["s:5"].outcome == "tombstone"
    assert isinstance(coordinator.heard[0], Answers)
    store.close()
