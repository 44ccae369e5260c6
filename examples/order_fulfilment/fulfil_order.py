"""The process. Everything that is known about the order of things stands in `flow`, and nowhere else."""

from __future__ import annotations

from datetime import timedelta

from examples.order_fulfilment.checkout.messages import OrderPlaced
from examples.order_fulfilment.inventory.messages import GoodsFetched, Item, ReleaseGoods, ReserveGoods
from examples.order_fulfilment.payment.messages import (
    BookPayment,
    CancelPayment,
    CardCharged,
    ChargeCard,
    OpenPayment,
    RefundCharge,
)
from examples.order_fulfilment.shipment.messages import ShipGoods
from saga import Retry, Saga, step, wait

__all__ = ["FulfilOrder"]

PATIENT = Retry(attempts=12, first=timedelta(minutes=1), max=timedelta(hours=1))
"""The card processor may be out of reach for an afternoon."""


class FulfilOrder(Saga[OrderPlaced], version=1, started_by_event=True):
    """Sell what was ordered: reserve it, be paid, have it fetched, ship it."""

    @step()
    def reserve_goods(self) -> ReserveGoods:
        """Checkout's copy of the stock may have been late: only now it is certain that there are goods."""
        order = self.input
        items = tuple(Item(line.product_id, line.quantity) for line in order.lines)
        return ReserveGoods(order.order_id, order.placed_at, items)

    @reserve_goods.compensation
    def release_goods(self) -> ReleaseGoods:
        return ReleaseGoods(self.reserve_goods.reservation_id)

    @step()
    def open_payment(self) -> OpenPayment:
        return OpenPayment(self.input.order_id, self.input.customer_id, self.input.total)

    @open_payment.compensation
    def cancel_payment(self) -> CancelPayment:
        """Runs after the refund, so that the book says what has happened, not what is going to happen."""
        return CancelPayment(self.open_payment.payment_id)

    @step(retry=PATIENT)
    def charge_card(self) -> ChargeCard:
        return ChargeCard(self.open_payment.payment_id, self.input.total)

    @charge_card.compensation
    def refund_charge(self, charged: CardCharged | None) -> RefundCharge:
        """Also when the outcome of the charge is unknown."""
        return RefundCharge(self.open_payment.payment_id, charged.charge_id if charged else None)

    @step()
    def book_payment(self) -> BookPayment:
        return BookPayment(self.open_payment.payment_id, self.charge_card.charge_id)

    @wait(GoodsFetched, within=timedelta(hours=12))
    def goods_fetched(self) -> str:
        """The warehouse begins when the payment was received; nobody has to send for it."""
        return self.input.order_id

    @step()
    def ship_goods(self) -> ShipGoods:
        return ShipGoods(self.input.order_id, self.goods_fetched.pick_id)

    flow = (
        reserve_goods,
        (open_payment, charge_card, book_payment),
        goods_fetched,
        ship_goods,
    )
