"""Right uses, checked by mypy and pyright: the sale of an order, and the inventory that takes part in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from saga import Command, Context, Event, Key, Saga, step, wait


@dataclass(frozen=True, slots=True)
class OrderPlaced(Event):
    order_id: Key[str]
    items: tuple[str, ...]
    total: Decimal


@dataclass(frozen=True, slots=True)
class GoodsFetched(Event):
    order_id: Key[str]
    pick_id: str


@dataclass(frozen=True, slots=True)
class PaymentReceived(Event):
    order_id: Key[str]


@dataclass(frozen=True, slots=True)
class GoodsReserved:
    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReserveGoods(Command[GoodsReserved]):
    order_id: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReleaseGoods(Command[None]):
    reservation_id: str


@dataclass(frozen=True, slots=True)
class PaymentTaken:
    payment_id: str


@dataclass(frozen=True, slots=True)
class TakePayment(Command[PaymentTaken]):
    order_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    payment_id: str


@dataclass(frozen=True, slots=True)
class ShipGoods(Command[None]):
    order_id: str
    pick_id: str


class Inventory(Context):
    @ReserveGoods.handler
    def reserve(self, command: ReserveGoods) -> GoodsReserved:
        return GoodsReserved("r-" + command.order_id)


class Notification(Context):
    @PaymentReceived.listener
    def thank(self, event: PaymentReceived) -> None: ...


class FulfilOrder(Saga[OrderPlaced], version=1):
    """Sell what was ordered: reserve it, be paid, fetch, ship."""

    @step()
    def reserve_goods(self) -> ReserveGoods:
        return ReserveGoods(self.input.order_id, self.input.items)

    @reserve_goods.compensation
    def release_goods(self) -> ReleaseGoods:
        return ReleaseGoods(self.reserve_goods.reservation_id)

    @step(timeout=timedelta(days=15))
    def take_payment(self) -> TakePayment:
        """Payment may ask the customer for another card first."""
        return TakePayment(self.input.order_id, self.input.total)

    @take_payment.compensation
    def refund_payment(self) -> RefundPayment:
        return RefundPayment(self.take_payment.payment_id)

    @wait(GoodsFetched, within=timedelta(hours=12))
    def goods_fetched(self) -> str:
        return self.input.order_id

    @step()
    def ship_goods(self) -> ShipGoods:
        return ShipGoods(self.input.order_id, self.goods_fetched.pick_id)

    flow = (
        reserve_goods,
        take_payment,
        goods_fetched,
        ship_goods,
    )
