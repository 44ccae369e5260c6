"""The bounded context of Payment."""

from __future__ import annotations

from examples.choreography.business.accounts import Accounts
from examples.choreography.by_events.checkout.messages import OrderPlaced
from examples.choreography.by_events.inventory.messages import GoodsUnavailable
from examples.choreography.by_events.payment.messages import (
    PaymentDeclined,
    PaymentReceived,
    PaymentReturned,
)
from examples.choreography.by_events.shipment.messages import ShipmentRefused
from examples.choreography.order import Order

__all__ = ["Payment"]


class Payment(Accounts):
    """Takes money, and gives it back when an order comes to nothing."""

    @OrderPlaced.listener
    def take_payment(self, event: OrderPlaced) -> None:
        paid = self.take(event.order)
        told = PaymentReceived if paid else PaymentDeclined
        self.publish(told(event.order_id, event.order))

    @GoodsUnavailable.listener
    def refund_sold_out(self, event: GoodsUnavailable) -> None:
        self._refund(event.order)

    @ShipmentRefused.listener
    def refund_not_shipped(self, event: ShipmentRefused) -> None:
        self._refund(event.order)

    def _refund(self, order: Order) -> None:
        self.give_back(order)
        self.publish(PaymentReturned(order.order_id, order))
