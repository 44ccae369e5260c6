"""Where the shop is put together: the one place that knows all contexts and all sagas."""

from __future__ import annotations

from pathlib import Path

from examples.order_fulfilment.checkout.context import Checkout
from examples.order_fulfilment.fulfil_order import FulfilOrder
from examples.order_fulfilment.inventory.context import Inventory
from examples.order_fulfilment.notification.context import Notification
from examples.order_fulfilment.payment.card_processor import CardProcessor
from examples.order_fulfilment.payment.collect_payment import CollectPayment
from examples.order_fulfilment.payment.context import Payment
from examples.order_fulfilment.payment.return_payment import ReturnPayment
from examples.order_fulfilment.shipment.context import Shipment
from saga import Runtime, ScaledClock, VirtualClock

__all__ = ["make_shop"]


def make_shop(store: Path, clock: ScaledClock | VirtualClock, processor_url: str) -> Runtime:
    """Return the shop whose data is in the directory `store`; it opens with `with`."""
    return Runtime(
        store,
        contexts=[Checkout, Inventory, Payment, Shipment, Notification, lambda: CardProcessor(processor_url)],
        sagas=[FulfilOrder, CollectPayment, ReturnPayment],
        clock=clock,
    )
