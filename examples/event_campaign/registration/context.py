"""The bounded context of Registration."""

from __future__ import annotations

from typing import Any

from examples.event_campaign.registration.messages import (
    Closed,
    CloseRegistration,
    ConfirmSeat,
    HoldSeat,
    NoteRefund,
    OpenRegistration,
    PaidSeat,
    ReleaseSeat,
    SeatHeld,
    SoldOut,
    Stopped,
    StopRegistration,
)
from examples.event_campaign.registration.tables import migrations
from examples.money import amount, cents
from saga import Context, Rejected

__all__ = ["Registration"]


class Registration(Context):
    """Sells seats. It alone knows what is sold: a sale and its end are decided here, one after the other."""

    migrations = migrations

    @OpenRegistration.handler
    def open(self, command: OpenRegistration) -> None:
        prices = command.prices
        sale = (cents(prices.regular), cents(prices.early), prices.early_seats, "open")
        self.db.execute(
            "INSERT INTO sales VALUES (?, ?, ?, ?, ?, ?)", [command.campaign_id, command.seats, *sale]
        )

    @HoldSeat.handler
    def hold(self, command: HoldSeat) -> SeatHeld:
        sale = self._sale(command.campaign_id)
        if sale is None or sale["state"] != "open":
            raise Rejected("no seats are on sale", code="closed")
        taken = self._count(command.campaign_id, "held") + self._count(command.campaign_id, "paid")
        if taken >= sale["seats"]:
            raise Rejected("all seats are sold", code="sold-out")
        price_cents: int = sale["early_cents"] if taken < sale["early_seats"] else sale["regular_cents"]
        self.db.execute(
            "INSERT INTO registrations (registration_id, campaign_id, name, price_cents, state)"
            " VALUES (?, ?, ?, ?, 'held')",
            [command.registration_id, command.campaign_id, command.name, price_cents],
        )
        return SeatHeld(amount(price_cents))

    @ReleaseSeat.handler
    def release(self, command: ReleaseSeat) -> None:
        self._set_state(command.registration_id, "released")

    @ConfirmSeat.handler
    def confirm(self, command: ConfirmSeat) -> None:
        """Who has paid just before the end of the sale, and comes here just after it, gets the money back."""
        (campaign_id,) = self.db.execute(
            "SELECT campaign_id FROM registrations WHERE registration_id = ?", [command.registration_id]
        ).fetchone()
        sale = self._sale(campaign_id)
        if sale is None or sale["state"] != "open":
            raise Rejected("the sale has ended meanwhile", code="closed")
        self._set_state(command.registration_id, "paid")
        if self._count(campaign_id, "paid") == sale["seats"]:
            self.publish(SoldOut(campaign_id))

    @CloseRegistration.handler
    def close(self, command: CloseRegistration) -> Closed:
        self._end(command.campaign_id, "closed")
        registered, income_cents = self.db.execute(
            "SELECT count(*), coalesce(sum(price_cents), 0) FROM registrations"
            " WHERE campaign_id = ? AND state = 'paid'",
            [command.campaign_id],
        ).fetchone()
        return Closed(registered, amount(income_cents))

    @StopRegistration.handler
    def stop(self, command: StopRegistration) -> Stopped:
        self._end(command.campaign_id, "stopped")
        paid = self.db.execute(
            "SELECT registration_id, name, price_cents FROM registrations"
            " WHERE campaign_id = ? AND state = 'paid' ORDER BY no",
            [command.campaign_id],
        )
        return Stopped(tuple(PaidSeat(id, name, amount(price)) for id, name, price in paid))

    @NoteRefund.handler
    def note_refund(self, command: NoteRefund) -> None:
        self.db.execute(
            "UPDATE registrations SET state = 'refunded', refunds = refunds + 1 WHERE registration_id = ?",
            [command.registration_id],
        )

    def _sale(self, campaign_id: str) -> dict[str, Any] | None:
        for row in self.db.query("SELECT * FROM sales WHERE campaign_id = ?", [campaign_id]):
            return row
        return None

    def _count(self, campaign_id: str, state: str) -> int:
        count = "SELECT count(*) FROM registrations WHERE campaign_id = ? AND state = ?"
        found: int = self.db.execute(count, [campaign_id, state]).fetchone()[0]
        return found

    def _end(self, campaign_id: str, state: str) -> None:
        self.db.execute("UPDATE sales SET state = ? WHERE campaign_id = ?", [state, campaign_id])

    def _set_state(self, registration_id: str, state: str) -> None:
        update = "UPDATE registrations SET state = ? WHERE registration_id = ?"
        self.db.execute(update, [state, registration_id])
