"""How everybody gets the money back: Registration's answer to `RefundEverybody`."""

from __future__ import annotations

from datetime import timedelta

from examples.event_campaign.registration.context import Registration
from examples.event_campaign.registration.messages import (
    NoteRefund,
    PaidSeat,
    PayBack,
    RefundEverybody,
    StopRegistration,
)
from saga import Retry, Saga, each, items, scope, step, task

__all__ = ["RefundRegistrations"]

STUBBORN = Retry(attempts=1000, first=timedelta(seconds=1), max=timedelta(hours=6))
"""It is other people's money, and nobody waits before a screen: the provider may be away for weeks."""


class RefundRegistrations(Saga[RefundEverybody], context=Registration, version=1):
    """Stop the sale, and pay everybody back. Whose account is gone is paid by a person, by hand."""

    @step()
    def stop(self) -> StopRegistration:
        """The list is final: the context decides whose payment was before the end, and whose after it."""
        return StopRegistration(self.input.campaign_id)

    @items
    def paid(self) -> tuple[PaidSeat, ...]:
        return self.stop.paid

    @step(retry=STUBBORN)
    def pay_back(self, seat: PaidSeat) -> PayBack:
        return PayBack(seat.registration_id)

    @task()
    def transfer_by_hand(self, seat: PaidSeat) -> PaidSeat:
        return seat

    @step()
    def note_refund(self, seat: PaidSeat) -> NoteRefund:
        return NoteRefund(seat.registration_id)

    flow = (
        stop,
        each(
            paid,
            scope(pay_back, catch={"account-closed": transfer_by_hand}),
            note_refund,
            concurrency=8,
        ),
    )
