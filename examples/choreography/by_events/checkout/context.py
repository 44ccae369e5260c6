"""The bounded context of Checkout."""

from __future__ import annotations

from examples.choreography.business.orders import Orders
from examples.choreography.by_events.checkout.messages import OrderPlaced, PlaceOrder

__all__ = ["Checkout"]


class Checkout(Orders):
    """Takes orders."""

    @PlaceOrder.handler
    def place(self, command: PlaceOrder) -> None:
        self.take_down(command.order)
        self.publish(OrderPlaced(command.order.order_id, command.order))
