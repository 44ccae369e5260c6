"""How one seat is sold: Registration's answer to `Register`."""

from __future__ import annotations

from datetime import timedelta

from examples.event_campaign.registration.context import Registration
from examples.event_campaign.registration.messages import (
    Charge,
    Charged,
    ConfirmSeat,
    HoldSeat,
    PayBack,
    Register,
    ReleaseSeat,
    Ticket,
)
from saga import Retry, Saga, answer, step

__all__ = ["TakeRegistration"]

BRIEF = Retry(attempts=3, first=timedelta(milliseconds=200))
"""Somebody sits before a screen: better a clear no within seconds than a yes tomorrow."""


class TakeRegistration(Saga[Register], context=Registration, version=1):
    """Hold a seat, be paid, confirm. If the sale ends in between, the money goes back."""

    @step()
    def hold_seat(self) -> HoldSeat:
        return HoldSeat(self.id, self.input.campaign_id, self.input.name)

    @hold_seat.compensation
    def release_seat(self) -> ReleaseSeat:
        return ReleaseSeat(self.id)

    @step(retry=BRIEF)
    def charge(self) -> Charge:
        return Charge(self.id, self.input.account, self.hold_seat.price)

    @charge.compensation
    def pay_back(self, charged: Charged | None) -> PayBack:
        """`None`: nobody knows whether it came to a charge. The provider finds it by the registration."""
        return PayBack(self.id)

    @step()
    def confirm_seat(self) -> ConfirmSeat:
        return ConfirmSeat(self.id)

    @answer
    def ticket(self) -> Ticket:
        return Ticket(self.id, self.hold_seat.price)

    flow = (
        hold_seat,
        charge,
        confirm_seat,
        ticket,
    )
