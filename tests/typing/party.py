"""Right uses, checked by mypy and pyright: a party, with every element that waits, loops, calls or asks people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_type

from payment import CollectPayment
from saga import (
    Command,
    Event,
    Key,
    PerItem,
    Saga,
    answer,
    call,
    choice,
    compensate,
    condition,
    each,
    end,
    items,
    publish,
    race,
    refuse,
    repeat,
    scope,
    sleep,
    step,
    task,
    wait,
)
from shop import PaymentTaken, TakePayment

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Guest:
    name: str
    brings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartyPlanned:
    party_id: str
    guests: tuple[Guest, ...]
    begins_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What the host is shown."""

    guests: int


@dataclass(frozen=True, slots=True)
class Approval:
    """What the host decides."""

    budget: Decimal


@dataclass(frozen=True, slots=True)
class Invited:
    letter: str


@dataclass(frozen=True, slots=True)
class Invite(Command[Invited]):
    party_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Uninvite(Command[None]):
    letter: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    line: int


@dataclass(frozen=True, slots=True)
class ListDish(Command[Listed]):
    guest: str
    dish: str


@dataclass(frozen=True, slots=True)
class Remind(Command[None]):
    party_id: str


@dataclass(frozen=True, slots=True)
class Replied(Event):
    letter: Key[str]
    comes: bool


@dataclass(frozen=True, slots=True)
class Called(Event):
    party_id: Key[str]


@dataclass(frozen=True, slots=True)
class PartyIsOn(Event):
    party_id: Key[str]


class GiveParty(Saga[PartyPlanned], deadline=timedelta(days=60)):
    # --- people

    @step()
    def remind_host(self) -> Remind:
        return Remind(self.input.party_id)

    @task(
        answer=Approval,
        within=WEEK,
        otherwise=refuse("not approved", code="no"),
        every=(WEEK, remind_host, 2),
    )
    def approve(self) -> Plan:
        return Plan(len(self.input.guests))

    @task()
    def clean_up(self) -> None:
        """Nothing is shown, and it is only to be done."""

    # --- for each

    @items
    def guests(self) -> tuple[Guest, ...]:
        return self.input.guests

    @step(timeout=WEEK)
    def invite(self, guest: Guest) -> Invite:
        return Invite(self.input.party_id, guest.name)

    @invite.compensation
    def uninvite(self, guest: Guest, invited: Invited | None) -> Uninvite:
        return Uninvite(invited.letter if invited else guest.name)

    @wait(Replied, within=WEEK, otherwise=end())
    def replied(self, guest: Guest) -> str:
        return self.invite.here.letter

    @condition
    def comes(self, guest: Guest) -> bool:
        return self.replied.here.comes and bool(guest.brings)

    @items
    def dishes(self, guest: Guest) -> list[str]:
        return list(guest.brings) if self.comes(guest) else []

    @step()
    def list_dish(self, dish: str) -> ListDish:
        return ListDish(self.invite.here.letter, dish)

    @list_dish.compensation
    def unlist_dish(self, dish: str) -> Uninvite:
        return Uninvite(str(self.list_dish.here.line))

    @call(CollectPayment, answer=PaymentTaken)
    def collect(self, guest: Guest) -> TakePayment:
        return TakePayment(guest.name, self.approve.budget)

    @collect.compensation
    def give_back(self, guest: Guest, taken: PaymentTaken | None) -> Uninvite:
        return Uninvite(taken.payment_id if taken else None)

    @task(answer=bool)
    def seat(self, guest: Guest) -> Guest:
        return guest

    @sleep
    def pause(self, guest: Guest) -> timedelta:
        return timedelta(minutes=len(guest.name))

    @publish
    def announce_guest(self, guest: Guest) -> PartyIsOn:
        return PartyIsOn(guest.name)

    # --- once

    @call(CollectPayment, answer=PaymentTaken, timeout=WEEK)
    def pay_hall(self) -> TakePayment:
        return TakePayment(self.input.party_id, self.approve.budget)

    @call(CollectPayment)
    def pay_band(self) -> TakePayment:
        return TakePayment(self.input.party_id, self.approve.budget)

    @wait(Called)
    def neighbour_called(self) -> str:
        return self.input.party_id

    @wait(Called)
    def police_called(self) -> str:
        return self.input.party_id

    @sleep
    def until_morning(self) -> datetime:
        return self.input.begins_at + timedelta(hours=12)

    @step()
    def turn_down(self) -> Remind:
        return Remind(self.input.party_id)

    @step()
    def apologise(self) -> Remind:
        return Remind(self.neighbour_called.party_id)

    @condition
    def is_quiet(self) -> bool:
        return not self.is_late

    @condition
    def is_late(self) -> bool:
        return self.input.begins_at.hour > 20

    @publish
    def announce(self) -> PartyIsOn:
        return PartyIsOn(self.input.party_id)

    @answer
    def letters(self) -> list[str]:
        self.check_types()
        first = self.invite.of(0).letter if self.invite.has(0) else ""
        return [first, *(invited.letter for invited in self.invite)]

    hall = scope(pay_hall, pay_band)

    flow = (
        approve,
        each(
            guests,
            invite,
            replied,
            choice((comes, each(dishes, list_dish))),
            collect,
            seat,
            (pause, announce_guest),
            concurrency=10,
        ),
        hall,
        choice((is_late, compensate(hall))),
        scope(
            announce,
            repeat(turn_down, until=is_quiet, at_most=3),
            race(
                (police_called, refuse("too loud", code="loud")),
                (until_morning, ()),
                (clean_up, ()),
                after=(WEEK, end()),
            ),
            catch={"loud": compensate(invite)},
            whenever=(neighbour_called, apologise),
        ),
        letters,
    )

    def check_types(self) -> None:
        """What an editor shows when the mouse is over a leaf."""
        assert_type(self.approve, Approval)
        assert_type(self.clean_up, None)
        assert_type(self.guests, tuple[Guest, ...])
        assert_type(self.invite, PerItem[Invited])
        assert_type(self.invite.here, Invited)
        assert_type(list(self.invite), list[Invited])
        assert_type(self.replied, PerItem[Replied])
        assert_type(self.dishes, PerItem[list[str]])
        assert_type(self.list_dish.of(0, 1), Listed)
        assert_type(self.collect.here, PaymentTaken)
        assert_type(self.seat.here, bool)
        assert_type(self.pay_hall, PaymentTaken)
        assert_type(self.neighbour_called, Called)
        assert_type(self.is_quiet, bool)
        assert_type(self.announce, None)
        assert_type(self.until_morning, None)


class RemindTwice(Saga[PartyPlanned]):
    """Two ways to write what happens beside a scope."""

    @step()
    def remind(self) -> Remind:
        return Remind(self.input.party_id)

    @step()
    def remind_again(self) -> Remind:
        return Remind(self.input.party_id)

    @wait(Called)
    def called(self) -> str:
        return self.input.party_id

    @wait(PartyIsOn)
    def is_on(self) -> str:
        return self.input.party_id

    @sleep
    def nap(self) -> timedelta:
        return WEEK

    flow = scope(nap, every=(WEEK, (remind, remind_again)), whenever=((called, ()), (is_on, ())))
