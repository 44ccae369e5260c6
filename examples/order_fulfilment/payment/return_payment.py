"""How an order that was paid gets its money back. It answers the command that undoes `TakePayment`."""

from __future__ import annotations

from examples.order_fulfilment.payment.collect_payment import PATIENT
from examples.order_fulfilment.payment.context import Payment
from examples.order_fulfilment.payment.inner_messages import (
    ClosePayment,
    FindPayment,
    RefundCharge,
    RestoreCredit,
)
from examples.order_fulfilment.payment.messages import RefundPayment
from saga import Saga, choice, condition, step

__all__ = ["ReturnPayment"]


class ReturnPayment(Saga[RefundPayment], context=Payment, version=1):
    """To the card what the card was charged, as credit what was credit; then it is booked."""

    @step()
    def find_payment(self) -> FindPayment:
        return FindPayment(self.input.payment_id)

    @condition
    def card_was_charged(self) -> bool:
        return self.find_payment.charge_id is not None

    @step(retry=PATIENT, pivot=True)
    def refund_charge(self) -> RefundCharge:
        """The customer has a right to it: when the processor cannot be reached, Payment keeps trying, and in
        the end a person has to see to it. There is no way back."""
        return RefundCharge(self.input.payment_id, self.find_payment.charge_id)

    @step()
    def restore_credit(self) -> RestoreCredit:
        return RestoreCredit(self.input.payment_id)

    @step()
    def close_payment(self) -> ClosePayment:
        return ClosePayment(self.input.payment_id)

    flow = (
        find_payment,
        choice((card_was_charged, refund_charge)),
        restore_credit,
        close_payment,
    )
