"""The bounded context of Inventory."""

from __future__ import annotations

from examples.choreography.business.shelves import Shelves
from examples.choreography.by_saga.inventory.messages import GoodsUnavailable, ReleaseGoods, ReserveGoods
from saga import Rejected

__all__ = ["Inventory"]


class Inventory(Shelves):
    """Keeps goods for orders, and lets others have them after all."""

    @ReserveGoods.handler
    def reserve_goods(self, command: ReserveGoods) -> Rejected | None:
        if self.reserve(command.order):
            return None
        self.publish(GoodsUnavailable(command.order.order_id))
        return Rejected(f"{command.order.product} is sold out", code="sold-out")

    @ReleaseGoods.handler
    def release_goods(self, command: ReleaseGoods) -> None:
        self.release(command.order)
