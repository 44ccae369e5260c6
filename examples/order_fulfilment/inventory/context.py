"""The bounded context of Inventory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from examples.order_fulfilment.inventory.messages import (
    GoodsFetched,
    GoodsReserved,
    GoodsUnavailable,
    Item,
    ReceiveGoods,
    ReleaseGoods,
    ReportFetched,
    ReserveGoods,
    StockChanged,
    StockLevel,
)
from examples.order_fulfilment.inventory.tables import migrations
from examples.order_fulfilment.payment.messages import PaymentReceived
from examples.order_fulfilment.shipment.messages import GoodsShipped
from saga import Context, Rejected

__all__ = ["Inventory"]


class Reservation(NamedTuple):
    """A row of the table of reservations."""

    reservation_id: str
    order_id: str
    placed_at: str
    items: str
    state: str


class Inventory(Context):
    """Keeps goods for orders, has them fetched, and lets them go.

    It announces what lies on its shelves whenever that changes. Reservations are its own business.
    """

    migrations = migrations

    # --- commands ---------------------------------------------------------------------------------

    @ReceiveGoods.handler
    def receive(self, command: ReceiveGoods) -> None:
        self.db.execute(
            f"INSERT INTO stock (product_id, on_hand) {_ITEMS} WHERE true"
            " ON CONFLICT DO UPDATE SET on_hand = on_hand + excluded.on_hand",
            [_as_json(command.items)],
        )
        self._announce(_as_json(command.items))

    @ReserveGoods.handler
    def reserve(self, command: ReserveGoods) -> GoodsReserved | Rejected:
        items = _as_json(command.items)
        missing = self._missing(items)
        if missing:  # the refusal is returned, not raised: so the event leaves, too
            self.publish(GoodsUnavailable(command.order_id, missing))
            return Rejected(f"sold out: {', '.join(missing)}", code="sold-out")
        reservation_id = f"reservation-{command.order_id}"
        self._count("reserved = reserved + items.quantity", items)
        self.db.table("reservations").insert(
            {
                "reservation_id": reservation_id,
                "order_id": command.order_id,
                "placed_at": command.placed_at.isoformat(),
                "items": items,
                "state": "reserved",
            }
        )
        return GoodsReserved(reservation_id)

    @ReleaseGoods.handler
    def release(self, command: ReleaseGoods) -> None:
        reservation = self._reservation("reservation_id", command.reservation_id)
        self._count("reserved = reserved - items.quantity", reservation.items)
        self._become("released", reservation)

    @ReportFetched.handler
    def report_fetched(self, command: ReportFetched) -> None:
        reservation = self._reservation("order_id", command.order_id)
        if reservation.state != "to fetch":
            raise Rejected(f"order {command.order_id} is not to be fetched any more", code="called-off")
        self._become("fetched", reservation)
        self.publish(GoodsFetched(command.order_id, f"pick-{command.order_id}"))

    # --- events -----------------------------------------------------------------------------------

    @PaymentReceived.listener
    def put_on_pick_list(self, event: PaymentReceived) -> None:
        """What is paid is fetched. The event may be late: the goods may have been released meanwhile."""
        reservation = self._reservation("order_id", event.order_id)
        if reservation.state == "reserved":
            self._become("to fetch", reservation)

    @GoodsShipped.listener
    def let_go(self, event: GoodsShipped) -> None:
        reservation = self._reservation("order_id", event.order_id)
        self._count(
            "on_hand = on_hand - items.quantity, reserved = reserved - items.quantity", reservation.items
        )
        self._become("gone", reservation)
        self._announce(reservation.items)

    # --- detail -----------------------------------------------------------------------------------

    def _missing(self, items: str) -> tuple[str, ...]:
        """Return the products of which there are not enough."""
        rows = self.db.query(
            f"SELECT items.product_id FROM ({_ITEMS}) AS items LEFT JOIN stock USING (product_id)"
            " WHERE coalesce(on_hand - reserved, 0) < items.quantity",
            [items],
        )
        return tuple(row["product_id"] for row in rows)

    def _count(self, change: str, items: str) -> None:
        """Change the numbers of the products in `items`."""
        self.db.execute(
            f"UPDATE stock SET {change} FROM ({_ITEMS}) AS items WHERE stock.product_id = items.product_id",
            [items],
        )

    def _announce(self, items: str) -> None:
        """Tell how much there is of the products in `items`."""
        rows = self.db.query(
            f"SELECT product_id, on_hand FROM ({_ITEMS}) JOIN stock USING (product_id)", [items]
        )
        self.publish(StockChanged(tuple(StockLevel(**row) for row in rows)))

    def _reservation(self, column: str, value: str) -> Reservation:
        """Return a reservation. LookupError when there is none."""
        for row in self.db.query(f"SELECT * FROM reservations WHERE {column} = ?", [value]):
            return Reservation(**row)
        raise LookupError(f"no reservation with {column} {value}")

    def _become(self, state: str, reservation: Reservation) -> None:
        self.db.execute(
            "UPDATE reservations SET state = ? WHERE reservation_id = ?", [state, reservation.reservation_id]
        )


_ITEMS = "SELECT key AS product_id, value AS quantity FROM json_each(?)"
"""Turns items, as they are stored, into rows."""


def _as_json(items: Iterable[Item]) -> str:
    """Return items as they are stored: a JSON object, product → quantity."""
    quantities: Counter[str] = Counter()
    for item in items:
        quantities[item.product_id] += item.quantity
    return json.dumps(quantities)
