"""The process. Everything that is known about the order of things stands in `flow`, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from examples.web_shop.payment.messages import AskForCard, CardCharged, CardUpdated, ChargeCard, RefundCharge
from examples.web_shop.warehouse.messages import Line, ReleaseGoods, ReserveGoods, ShipGoods
from saga import Retry, Saga, again, answer, refuse, scope, step, wait

__all__ = ["FulfilOrder", "OrderWanted", "Receipt"]

PATIENT = Retry(attempts=10, first=timedelta(milliseconds=200), max=timedelta(minutes=10))
"""The bank may be out of reach for half an hour."""


@dataclass(frozen=True, slots=True)
class OrderWanted:
    """What the customer has asked for, and nothing else: asked for again, it must be equal.

    So no price stands here, and no time. The id of the saga is the id of the order.
    """

    customer_id: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The order is on its way."""

    total: Decimal
    parcel_id: str


class FulfilOrder(Saga[OrderWanted], version=1):
    """Reserve the goods, be paid, send them. A card that has expired is waited for, for two weeks."""

    @step()
    def reserve_goods(self) -> ReserveGoods:
        return ReserveGoods(self.id, self.input.lines)

    @reserve_goods.compensation
    def release_goods(self) -> ReleaseGoods:
        return ReleaseGoods(self.id)

    @step(retry=PATIENT)
    def charge_card(self) -> ChargeCard:
        return ChargeCard(self.id, self.input.customer_id, self.reserve_goods.total)

    @charge_card.compensation
    def refund_charge(self, charged: CardCharged | None) -> RefundCharge:
        """`None`: nobody knows whether it came to a charge. The bank finds it by the order."""
        return RefundCharge(self.id, charged.charge_id if charged else None)

    @step()
    def ask_for_card(self) -> AskForCard:
        return AskForCard(self.id, self.input.customer_id)

    @wait(
        CardUpdated,
        within=timedelta(days=14),
        otherwise=refuse("no new card came in 14 days", code="no-card"),
    )
    def card_updated(self) -> str:
        """One new card lets all orders of its customer go on. It also counts when it came before the wait."""
        return self.input.customer_id

    @step(pivot=True)
    def ship_goods(self) -> ShipGoods:
        """From here there is no way back: the parcel is with the carrier."""
        return ShipGoods(self.id)

    @answer
    def receipt(self) -> Receipt:
        return Receipt(self.reserve_goods.total, self.ship_goods.parcel_id)

    flow = (
        reserve_goods,
        scope(
            charge_card,
            catch={"no-valid-card": (ask_for_card, card_updated, again(at_most=10))},
        ),
        ship_goods,
        receipt,
    )
