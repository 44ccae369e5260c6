"""Where the shop is put together."""

from __future__ import annotations

from pathlib import Path

from examples.choreography.by_saga.checkout.context import Checkout
from examples.choreography.by_saga.checkout.messages import PlaceOrder
from examples.choreography.by_saga.fulfil_order import FulfilOrder
from examples.choreography.by_saga.inventory.context import Inventory
from examples.choreography.by_saga.notification.context import Notification
from examples.choreography.by_saga.payment.context import Payment
from examples.choreography.by_saga.shipment.context import Shipment
from examples.choreography.order import Order
from saga import Runtime

__all__ = ["make_shop", "place"]


def make_shop(store: Path) -> Runtime:
    """Return the shop whose data is in the directory `store`; it opens with `with`."""
    contexts = [Checkout, Payment, Inventory, Shipment, Notification]
    return Runtime(store, contexts=contexts, sagas=[FulfilOrder])


def place(shop: Runtime, order: Order) -> None:
    """Place an order; return when that is on disk."""
    shop.send(PlaceOrder(order), id=order.order_id)
