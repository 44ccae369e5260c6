"""The bounded context of Checkout."""

from __future__ import annotations

import json

from examples.money import cents, total_of
from examples.order_fulfilment.checkout.messages import OrderAccepted, OrderPlaced, PlaceOrder
from examples.order_fulfilment.checkout.tables import migrations
from examples.order_fulfilment.inventory.messages import StockChanged
from saga import Context, Rejected

__all__ = ["Checkout"]


class Checkout(Context):
    """Takes orders.

    What is on the shelves it knows from Inventory's events. That copy may be late, and it shows nothing of
    what is reserved: so an order that was accepted here may still find its goods gone.
    """

    migrations = migrations

    @PlaceOrder.handler
    def place(self, command: PlaceOrder) -> OrderAccepted | Rejected:
        missing = self._not_on_the_shelf(command)
        total = total_of(line.price for line in command.lines)
        self.db.table("orders").insert(
            {
                "order_id": command.order_id,
                "customer_id": command.customer_id,
                "placed_at": command.placed_at.isoformat(),
                "total_cents": cents(total),
                "answer": "sold-out" if missing else "accepted",
            }
        )
        if missing:  # returned, not raised: the order stays in the table
            return Rejected(f"sold out: {', '.join(missing)}", code="sold-out")
        self.publish(
            OrderPlaced(command.order_id, command.customer_id, command.placed_at, command.lines, total)
        )
        return OrderAccepted(command.order_id, total)

    @StockChanged.listener
    def note_stock(self, event: StockChanged) -> None:
        self.db.execute(
            "INSERT INTO shelf SELECT key, value FROM json_each(?) WHERE true"
            " ON CONFLICT DO UPDATE SET on_hand = excluded.on_hand",
            [json.dumps({level.product_id: level.on_hand for level in event.levels})],
        )

    def _not_on_the_shelf(self, command: PlaceOrder) -> list[str]:
        wanted = {line.product_id: line.quantity for line in command.lines}
        rows = self.db.query(
            "SELECT product_id, on_hand FROM shelf WHERE product_id IN (SELECT value FROM json_each(?))",
            [json.dumps([*wanted])],
        )
        on_hand = {row["product_id"]: row["on_hand"] for row in rows}
        return [product for product, quantity in wanted.items() if on_hand.get(product, 0) < quantity]
