"""The process. Everything that is known about the order of things stands in `flow`, and nowhere else."""

from __future__ import annotations

from datetime import timedelta

from examples.order_fulfilment.checkout.messages import OrderPlaced
from examples.order_fulfilment.inventory.messages import GoodsFetched, Item, ReleaseGoods, ReserveGoods
from examples.order_fulfilment.payment.messages import RefundPayment, TakePayment
from examples.order_fulfilment.shipment.messages import ShipGoods
from saga import Saga, step, wait

__all__ = ["FulfilOrder"]


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

    @step(timeout=timedelta(days=15))
    def take_payment(self) -> TakePayment:
        """How, and why it sometimes takes two weeks, Payment knows."""
        return TakePayment(self.input.order_id, self.input.customer_id, self.input.total)

    @take_payment.compensation
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(self.take_payment.payment_id)

    @wait(GoodsFetched, within=timedelta(hours=12))
    def goods_fetched(self) -> str:
        """The warehouse begins when the payment was received; nobody has to send for it."""
        return self.input.order_id

    @step()
    def ship_goods(self) -> ShipGoods:
        return ShipGoods(self.input.order_id, self.goods_fetched.pick_id)

    flow = (reserve_goods, take_payment, goods_fetched, ship_goods)
