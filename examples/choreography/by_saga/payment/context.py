"""The bounded context of Payment."""

from __future__ import annotations

from examples.choreography.business.accounts import Accounts
from examples.choreography.by_saga.payment.messages import (
    PaymentDeclined,
    PaymentReturned,
    RefundPayment,
    TakePayment,
)
from saga import Rejected

__all__ = ["Payment"]


class Payment(Accounts):
    """Takes money, and gives it back."""

    @TakePayment.handler
    def take_payment(self, command: TakePayment) -> Rejected | None:
        if self.take(command.order):
            return None
        self.publish(PaymentDeclined(command.order.order_id))
        return Rejected("there is not enough money", code="declined")

    @RefundPayment.handler
    def refund_payment(self, command: RefundPayment) -> None:
        self.give_back(command.order)
        self.publish(PaymentReturned(command.order.order_id))
