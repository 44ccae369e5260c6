"""The bounded context of Warehouse."""

from __future__ import annotations

from examples.money import amount
from examples.web_shop.warehouse.messages import (
    GoodsReserved,
    Line,
    ParcelSent,
    ReleaseGoods,
    ReserveGoods,
    ShipGoods,
)
from examples.web_shop.warehouse.tables import migrations
from saga import Context, Rejected

__all__ = ["Warehouse"]


class Warehouse(Context):
    """Keeps goods for orders, lets them go, and sends them."""

    migrations = migrations

    @ReserveGoods.handler
    def reserve(self, command: ReserveGoods) -> GoodsReserved:
        total_cents = sum(self._reserve(command.order_id, line) for line in command.lines)
        return GoodsReserved(amount(total_cents))

    @ReleaseGoods.handler
    def release(self, command: ReleaseGoods) -> None:
        self._count("reserved = reserved - r.quantity", command.order_id)
        self.db.execute("DELETE FROM reservations WHERE order_id = ?", [command.order_id])

    @ShipGoods.handler
    def ship(self, command: ShipGoods) -> ParcelSent:
        self._count("on_hand = on_hand - r.quantity, reserved = reserved - r.quantity", command.order_id)
        parcels = self.db.table("parcels")
        parcels.insert({"order_id": command.order_id})
        return ParcelSent(f"parcel-{parcels.last_pk}")

    def _reserve(self, order_id: str, line: Line) -> int:
        """Keep the goods of a line; return what they cost, in cents. Raising takes all lines back."""
        for goods in self.db.query("SELECT * FROM goods WHERE product = ?", [line.product]):
            if goods["on_hand"] - goods["reserved"] < line.quantity:
                raise Rejected(f"{line.product} is sold out", code="sold-out")
            self.db.execute(
                "UPDATE goods SET reserved = reserved + ? WHERE product = ?", [line.quantity, line.product]
            )
            self.db.table("reservations").insert(
                {"order_id": order_id, "product": line.product, "quantity": line.quantity}
            )
            price_cents: int = goods["price_cents"]
            return price_cents * line.quantity
        raise Rejected(f"there is no product {line.product!r}", code="unknown-product")

    def _count(self, change: str, order_id: str) -> None:
        """Change the numbers of the goods that are reserved for an order."""
        self.db.execute(
            f"UPDATE goods SET {change} FROM"
            " (SELECT product, sum(quantity) AS quantity FROM reservations WHERE order_id = ? GROUP BY 1) AS r"
            " WHERE goods.product = r.product",
            [order_id],
        )
