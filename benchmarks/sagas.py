"""The saga that is measured: three steps, two of them with a compensation; by gateways, and by contexts with state."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import Command, Context, Gateway, Rejected, Saga, step

NOWHERE = "-nowhere"
"""The end of the id of an order that cannot be shipped."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered."""

    order_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class GoodsReserved:
    """The goods are set aside."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReserveGoods(Command[GoodsReserved]):
    """Set goods aside."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ReleaseGoods(Command[None]):
    """Put them back."""

    order_id: str


@dataclass(frozen=True, slots=True)
class PaymentTaken:
    """The money is here."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class TakePayment(Command[PaymentTaken]):
    """Take the money."""

    order_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RefundPayment(Command[None]):
    """Give it back."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ShipGoods(Command[None]):
    """Send the goods."""

    order_id: str
    payment_id: str


def refuse_nowhere(command: ShipGoods) -> None:
    if command.order_id.endswith(NOWHERE):
        raise Rejected("nobody ships there", code="nowhere")


# --- gateways: no state, at least once --------------------------------------------------------------


class Warehouse(Gateway):
    """Reserves, without state."""

    @ReserveGoods.handler
    def reserve(self, command: ReserveGoods) -> GoodsReserved:
        return GoodsReserved(f"r-{command.order_id}")

    @ReleaseGoods.handler
    def release(self, command: ReleaseGoods) -> None: ...


class Bank(Gateway):
    """Takes money, without state."""

    @TakePayment.handler
    def take(self, command: TakePayment) -> PaymentTaken:
        return PaymentTaken(f"p-{command.order_id}")

    @RefundPayment.handler
    def refund(self, command: RefundPayment) -> None: ...


class Carrier(Gateway):
    """Ships, without state."""

    @ShipGoods.handler
    def ship(self, command: ShipGoods) -> None:
        refuse_nowhere(command)


# --- contexts: each a row in a table of its own, exactly once ----------------------------------------

RESERVE = "INSERT INTO reservations VALUES (?, ?)"
RELEASE = "UPDATE reservations SET what = ? WHERE order_id = ?"
TAKE = "INSERT INTO payments VALUES (?, ?)"
REFUND = "UPDATE payments SET what = ? WHERE order_id = ?"
SHIP = "INSERT INTO shipments VALUES (?, ?)"


def _one_table(name: str) -> Migrations:
    migrations = Migrations(name)

    @migrations()
    def create(db: Database) -> None:
        db.table(name).create({"order_id": str, "what": str}, pk="order_id")

    return migrations


class Inventory(Context):
    """Reserves; keeps the reservations."""

    migrations = _one_table("reservations")

    @ReserveGoods.handler
    def reserve(self, command: ReserveGoods) -> GoodsReserved:
        self.db.execute(RESERVE, (command.order_id, "reserved"))
        return GoodsReserved(f"r-{command.order_id}")

    @ReleaseGoods.handler
    def release(self, command: ReleaseGoods) -> None:
        self.db.execute(RELEASE, ("released", command.order_id))


class Payment(Context):
    """Takes money; keeps the payments."""

    migrations = _one_table("payments")

    @TakePayment.handler
    def take(self, command: TakePayment) -> PaymentTaken:
        self.db.execute(TAKE, (command.order_id, str(command.amount)))
        return PaymentTaken(f"p-{command.order_id}")

    @RefundPayment.handler
    def refund(self, command: RefundPayment) -> None:
        self.db.execute(REFUND, ("refunded", command.order_id))


class Shipment(Context):
    """Ships; keeps the shipments."""

    migrations = _one_table("shipments")

    @ShipGoods.handler
    def ship(self, command: ShipGoods) -> None:
        refuse_nowhere(command)
        self.db.execute(SHIP, (command.order_id, command.payment_id))


class FulfilOrder(Saga[Order]):
    """Reserve, be paid, ship."""

    @step()
    def reserve_goods(self) -> ReserveGoods:
        return ReserveGoods(self.input.order_id)

    @reserve_goods.compensation
    def release_goods(self, reserved: GoodsReserved | None) -> ReleaseGoods:
        return ReleaseGoods(self.input.order_id)

    @step()
    def take_payment(self) -> TakePayment:
        return TakePayment(self.input.order_id, self.input.amount)

    @take_payment.compensation
    def refund_payment(self, taken: PaymentTaken | None) -> RefundPayment:
        return RefundPayment(self.input.order_id)

    @step()
    def ship_goods(self) -> ShipGoods:
        return ShipGoods(self.input.order_id, self.take_payment.payment_id)

    flow = (
        reserve_goods,
        take_payment,
        ship_goods,
    )


AMOUNT = Decimal("12.50")


def order(number: int, *, a_tenth_nowhere: bool = False) -> Order:
    """Return an order; with `a_tenth_nowhere` the last of ten cannot be shipped."""
    end = NOWHERE if a_tenth_nowhere and number % 10 == 9 else ""
    return Order(f"order-{number}{end}", AMOUNT)


GATEWAYS = [Warehouse, Bank, Carrier]
CONTEXTS = [Inventory, Payment, Shipment]
