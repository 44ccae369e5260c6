"""Right uses, checked by mypy and pyright: a saga that answers a command, and a gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from saga import (
    Command,
    Context,
    Event,
    Gateway,
    Key,
    Rejected,
    Saga,
    again,
    answer,
    refuse,
    scope,
    step,
    wait,
)
from shop import PaymentTaken, TakePayment


@dataclass(frozen=True, slots=True)
class CardCharged:
    charge_id: str


@dataclass(frozen=True, slots=True)
class ChargeCard(Command[CardCharged]):
    order_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class VoidCharge(Command[None]):
    order_id: str
    charge_id: str | None


@dataclass(frozen=True, slots=True)
class AskForCard(Command[None]):
    order_id: str


@dataclass(frozen=True, slots=True)
class RemindCustomer(Command[None]):
    order_id: str


@dataclass(frozen=True, slots=True)
class CardUpdated(Event):
    order_id: Key[str]


class Payment(Context): ...


class CardProcessor(Gateway, context=Payment):
    @ChargeCard.handler
    def charge(self, command: ChargeCard) -> CardCharged:
        raise Rejected("expired", code="card-expired")

    @VoidCharge.handler
    async def void(self, command: VoidCharge) -> None:
        print(self.key)


class CollectPayment(Saga[TakePayment], context=Payment):
    """Charge the card; when it has expired ask for another one, for two weeks."""

    @step(timeout=timedelta(minutes=5))
    def charge_card(self) -> ChargeCard:
        return ChargeCard(self.input.order_id, self.input.amount)

    @charge_card.compensation
    def void_charge(self, charged: CardCharged | None) -> VoidCharge:  # None: outcome unknown
        return VoidCharge(self.input.order_id, charged.charge_id if charged else None)

    @step()
    def ask_for_card(self) -> AskForCard:
        return AskForCard(self.input.order_id)

    @step()
    def remind_customer(self) -> RemindCustomer:
        return RemindCustomer(self.input.order_id)

    @wait(
        CardUpdated,
        within=timedelta(days=14),
        every=(timedelta(days=3), remind_customer),
        otherwise=refuse("no valid card", code="no-card"),
    )
    def card_updated(self) -> str:
        return self.input.order_id

    @answer
    def payment_taken(self) -> PaymentTaken:
        return PaymentTaken(self.charge_card.charge_id)

    flow = (
        scope(
            charge_card,
            catch={"card-expired": (ask_for_card, card_updated, again(at_most=10))},
        ),
        payment_taken,
    )
