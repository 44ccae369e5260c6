"""Wrong uses of what waits, loops, calls and is asked of people: see wrong.py."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from party import (
    Approval,
    Called,
    Guest,
    Invite,
    Invited,
    Listed,
    PartyIsOn,
    PartyPlanned,
    Plan,
    Uninvite,
)
from payment import CollectPayment
from saga import (
    PerItem,
    Saga,
    answer,
    call,
    compensate,
    condition,
    each,
    items,
    publish,
    race,
    repeat,
    scope,
    sleep,
    step,
    task,
    wait,
)
from shop import PaymentTaken, RefundPayment, TakePayment


class G(Saga[PartyPlanned], deadline=60):  # W39 no timedelta
    @items
    def guests(self) -> tuple[Guest, ...]:
        return self.input.guests

    @step()
    def invite(self, guest: Guest) -> Invite:
        return Invite(guest.nam, "")  # W40 a field the item does not have

    @invite.compensation  # W41 the answer of another step
    def w41(self, guest: Guest, listed: Listed | None) -> Uninvite:
        raise NotImplementedError

    @invite.compensation  # W42 without the item
    def w42(self) -> Uninvite:
        raise NotImplementedError

    @invite.compensation  # W43 another item
    def w43(self, guest: Plan, invited: Invited | None) -> Uninvite:
        raise NotImplementedError

    @invite.compensation  # W44 does not accept None
    def w44(self, guest: Guest, invited: Invited) -> Uninvite:
        raise NotImplementedError

    @invite.compensation  # W45 no command
    def w45(self, guest: Guest) -> Invited:
        raise NotImplementedError

    @items  # W46 no list
    def w46(self) -> Guest:
        raise NotImplementedError

    @items  # W47 a set has no order
    def w47(self) -> set[Guest]:
        raise NotImplementedError

    @step()  # W48 no command
    def w48(self, guest: Guest) -> Guest:
        raise NotImplementedError

    @step()  # W49 two items
    def w49(self, guest: Guest, dish: str) -> Invite:
        raise NotImplementedError

    @sleep  # W50 no time
    def w50(self, guest: Guest) -> int:
        return 3

    @condition  # W51 no bool
    def w51(self, guest: Guest) -> str:
        return ""

    @task(answer=Approval)
    def approve(self) -> Plan:
        return Plan(len(self.guests))

    @task(answer=bool)
    def seat(self, guest: Guest) -> Guest:
        return guest

    @task(Approval)  # W52 answer is named
    def w52(self) -> Plan:
        raise NotImplementedError

    @task(answer=Approval(Decimal(3)))  # W53 a value, no type
    def w53(self) -> Plan:
        raise NotImplementedError

    @task(answer=Approval, within=3)  # W54 no timedelta
    def w54(self) -> Plan:
        raise NotImplementedError

    @wait(Called, every=timedelta(days=1))  # W55 no pair
    def w55(self) -> str:
        raise NotImplementedError

    @wait(Called, every=(3, approve))  # W56 no timedelta
    def w56(self) -> str:
        raise NotImplementedError

    @wait(Called, every=(timedelta(days=1), "approve"))  # W57 a string is no block
    def w57(self) -> str:
        raise NotImplementedError

    @call(CollectPayment, answer=PaymentTaken)
    def pay(self) -> TakePayment:
        raise NotImplementedError

    @call(CollectPayment, answer=PaymentTaken)
    def collect(self, guest: Guest) -> TakePayment:
        raise NotImplementedError

    @call(CollectPayment)  # W58 another input
    def w58(self) -> Plan:
        raise NotImplementedError

    @call(CollectPayment)  # W59 another input, for an item
    def w59(self, guest: Guest) -> Guest:
        raise NotImplementedError

    @call(TakePayment)  # W60 no saga
    def w60(self) -> TakePayment:
        raise NotImplementedError

    @call(CollectPayment, timeout=5)  # W61 no timedelta
    def w61(self) -> TakePayment:
        raise NotImplementedError

    @pay.compensation  # W62 another answer
    def w62(self, taken: Invited | None) -> RefundPayment:
        raise NotImplementedError

    @collect.compensation  # W63 all answers, in place of the item's
    def w63(self, guest: Guest, taken: PerItem[PaymentTaken] | None) -> RefundPayment:
        raise NotImplementedError

    @publish
    def announce(self) -> PartyIsOn:
        return PartyIsOn(self.input.party_id)

    @publish  # W64 a command is no event
    def w64(self) -> TakePayment:
        raise NotImplementedError

    @publish
    def w65(self) -> PartyIsOn:
        return Called(self.input.party_id)  # W65 another event

    @wait(Called)
    def called(self) -> str:
        return ""

    @condition
    def is_on(self) -> bool:
        return True

    @condition
    def is_dear(self, guest: Guest) -> bool:
        return self.is_dear("guest")  # W66 no item

    @answer
    def w67(self) -> Invited:
        return self.invite  # W67 all values, in place of one

    def read(self) -> None:
        print(self.invite.letter)  # W68 all values have no field of one
        print(self.invite.here.lettr)  # W69 a field the answer does not have
        print(self.approve.here)  # W70 there is one decision only
        print(self.approve.price)  # W71 a field the decision does not have
        print(self.pay.here)  # W72 there is one answer only
        print(self.invite.of("first"))  # W73 an index is a number
        print(self.announce.party_id)  # W74 nothing comes back
        print(self.seat.here.name)  # W75 a field the decision does not have

    w76 = each(invite, collect)  # W76 a step lists no items
    w77 = each(("a", "b"), collect)  # W77 a tuple is no leaf
    w78 = each(guests, collect, concurrency="all")  # W78 no number
    w79 = each(guests, is_on)  # W79 a condition is no block
    w80 = race((pay, ()), (called, ()))  # W80 a step does not wait
    w81 = race(called, approve)  # W81 no pairs
    w82 = race((called, ()), after=timedelta(days=1))  # W82 no pair
    w83 = race((called, is_on))  # W83 a condition is no block
    w84 = repeat(pay, until=called, at_most=3)  # W84 a wait is no condition
    w85 = repeat(pay, until=is_on)  # W85 without a limit
    w86 = repeat(pay, at_most=3)  # W86 without a condition
    w87 = compensate("pay")  # W87 a string is no leaf
    w88 = compensate(pay, collect)  # W88 one at a time
    w89 = compensate(w62)  # W89 a compensation is no leaf
    w90 = scope(pay, every=timedelta(days=1))  # W90 no pair
    w91 = scope(pay, whenever=called)  # W91 no pair
    w92 = scope(pay, whenever=(approve, ()))  # W92 a task is no wait
