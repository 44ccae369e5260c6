"""The bounded context of Cars."""

from __future__ import annotations

from examples.trip_booking.cars.messages import BookCar, CancelCar, CarBooking
from examples.trip_booking.cars.tables import migrations
from saga import Context, Rejected

__all__ = ["Cars"]


class Cars(Context):
    """Has cars in some cities, and books them.

    Nothing here is on guard against a command that comes twice: the inbox is, in the same transaction.
    """

    migrations = migrations

    @BookCar.handler
    def book(self, command: BookCar) -> CarBooking:
        taken = self.db.execute(
            "UPDATE fleet SET free = free - 1 WHERE city = ? AND free > 0", [command.city]
        )
        if not taken.rowcount:
            raise Rejected(f"no car is free in {command.city}", code="no-car")
        bookings = self.db.table("bookings")
        bookings.insert({"trip_id": command.trip_id, "city": command.city, "state": "booked"})
        return CarBooking(f"car-{bookings.last_pk}")

    @CancelCar.handler
    def cancel(self, command: CancelCar) -> None:
        no = int(command.booking_id.removeprefix("car-"))
        self.db.execute("UPDATE bookings SET state = 'cancelled' WHERE no = ?", [no])
        self.db.execute(
            "UPDATE fleet SET free = free + 1 WHERE city = (SELECT city FROM bookings WHERE no = ?)", [no]
        )
