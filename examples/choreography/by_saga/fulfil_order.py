"""The process. Everything that is known about the order of things stands in `flow`, and nowhere else."""

from __future__ import annotations

from examples.choreography.by_saga.checkout.messages import OrderPlaced
from examples.choreography.by_saga.inventory.messages import ReleaseGoods, ReserveGoods
from examples.choreography.by_saga.payment.messages import RefundPayment, TakePayment
from examples.choreography.by_saga.shipment.messages import ShipGoods
from saga import Saga, step

__all__ = ["FulfilOrder"]


class FulfilOrder(Saga[OrderPlaced], version=1, started_by_event=True):
    """Take the money, reserve the goods, ship them."""

    @step()
    def take_payment(self) -> TakePayment:
        return TakePayment(self.input.order)

    @take_payment.compensation
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(self.input.order)

    @step()
    def reserve_goods(self) -> ReserveGoods:
        return ReserveGoods(self.input.order)

    @reserve_goods.compensation
    def release_goods(self) -> ReleaseGoods:
        return ReleaseGoods(self.input.order)

    @step()
    def ship_goods(self) -> ShipGoods:
        return ShipGoods(self.input.order)

    flow = (
        take_payment,
        reserve_goods,
        ship_goods,
    )
