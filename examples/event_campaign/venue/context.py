"""The bounded context of Venue."""

from __future__ import annotations

from examples.event_campaign.venue.messages import BookHall, CancelHall, HallBooked
from examples.event_campaign.venue.tables import migrations
from examples.money import amount, cents
from saga import Context, Rejected

__all__ = ["Venue"]


class Venue(Context):
    """Books halls, one campaign a day in each."""

    migrations = migrations

    @BookHall.handler
    def book(self, command: BookHall) -> HallBooked:
        day = command.day.date().isoformat()
        free = self.db.execute(
            "SELECT hall, seats, fee_cents FROM halls"
            " WHERE seats >= ? AND fee_cents <= ?"
            " AND hall NOT IN (SELECT hall FROM bookings WHERE day = ? AND state = 'booked')"
            " ORDER BY seats LIMIT 1",
            [command.seats, cents(command.budget), day],
        ).fetchone()
        if free is None:
            raise Rejected(f"no hall for {command.seats} within the budget is free on {day}", code="no-hall")
        hall, seats, fee_cents = free
        booking = (command.campaign_id, hall, day, "booked", fee_cents)
        self.db.execute("INSERT INTO bookings VALUES (?, ?, ?, ?, ?)", booking)
        return HallBooked(hall, seats, amount(fee_cents))

    @CancelHall.handler
    def cancel(self, command: CancelHall) -> None:
        self.db.execute(
            "UPDATE bookings SET state = 'cancelled', owed_cents = owed_cents / 10 WHERE campaign_id = ?",
            [command.campaign_id],
        )
