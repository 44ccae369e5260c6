"""Where the shop is put together: contexts, gateway and saga. The web knows the runtime that comes from here."""

from __future__ import annotations

from pathlib import Path

from examples.web_shop.fulfil_order import FulfilOrder
from examples.web_shop.payment.bank import Bank
from examples.web_shop.payment.context import Payment
from examples.web_shop.warehouse.context import Warehouse
from saga import Runtime, VirtualClock

__all__ = ["make_shop"]


def make_shop(store: Path, bank_url: str, clock: VirtualClock | None = None) -> Runtime:
    """Return the shop whose data is in the directory `store`; it opens with `with`. No `clock`: the real one."""
    return Runtime(
        store, contexts=[Warehouse, Payment, lambda: Bank(bank_url)], sagas=[FulfilOrder], clock=clock
    )
