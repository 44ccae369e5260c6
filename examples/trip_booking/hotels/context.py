"""The bounded context of Hotels."""

from __future__ import annotations

from examples.trip_booking.hotels.messages import BookRoom, CancelRoom, RoomBooking
from examples.trip_booking.hotels.tables import migrations
from saga import Context, Rejected

__all__ = ["Hotels"]


class Hotels(Context):
    """Has rooms in some cities, and books them."""

    migrations = migrations

    @BookRoom.handler
    def book(self, command: BookRoom) -> RoomBooking:
        taken = self.db.execute(
            "UPDATE rooms SET free = free - 1 WHERE city = ? AND free > 0", [command.city]
        )
        if not taken.rowcount:
            raise Rejected(f"the hotels in {command.city} are full", code="no-room")
        bookings = self.db.table("bookings")
        bookings.insert({"trip_id": command.trip_id, "city": command.city, "state": "booked"})
        return RoomBooking(f"room-{bookings.last_pk}")

    @CancelRoom.handler
    def cancel(self, command: CancelRoom) -> None:
        no = int(command.booking_id.removeprefix("room-"))
        self.db.execute("UPDATE bookings SET state = 'cancelled' WHERE no = ?", [no])
        self.db.execute(
            "UPDATE rooms SET free = free + 1 WHERE city = (SELECT city FROM bookings WHERE no = ?)", [no]
        )
