"""Every definition error of tasks, calls, items, races, loops, reminders and compensations in the flow, alone.

See `test_definition_errors`, which has those of the other elements.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from saga import (
    Command,
    Context,
    DefinitionError,
    Event,
    Key,
    Saga,
    again,
    answer,
    call,
    choice,
    compensate,
    condition,
    each,
    end,
    items,
    parallel,
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

from .refusals import Refusal, Refusals

if TYPE_CHECKING:
    from somewhere import OnlyForTypeCheckers

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Placed(Event):
    id: Key[str]


@dataclass(frozen=True, slots=True)
class TwoKeys(Event):
    id: Key[str]
    other: Key[str]


class Unstorable:
    """Not a dataclass."""


@dataclass(frozen=True, slots=True)
class Guest:
    name: str


@dataclass(frozen=True, slots=True)
class Seat:
    number: int


@dataclass(frozen=True, slots=True)
class Paid:
    id: str


@dataclass(frozen=True, slots=True)
class Pay(Command[Paid]):
    id: str


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    id: str


class Shop(Context): ...


class Base(Saga[Placed]):
    """A saga without a flow."""


class Other(Saga[Placed]):
    @step()
    def pay(self) -> Pay: ...

    @pay.compensation
    def refund(self) -> Refund: ...

    @items
    def guests(self) -> list[Guest]: ...

    @step()
    def invite(self, guest: Guest) -> Pay: ...

    @wait(Placed)
    def placed(self) -> str: ...

    @condition
    def is_odd(self) -> bool: ...

    @answer
    def tell(self) -> Paid: ...

    flow = (pay, each(guests, invite), placed, tell)


class NoWayBack(Saga[Placed]):
    """A saga with a pivot."""

    @step(pivot=True)
    def pay(self) -> Pay: ...

    flow = pay


wrong = Refusals()


# --- tasks ----------------------------------------------------------------------------------------


@wrong("decide", "asks for 'Paid', which is no type", "answer=TheDecision")
def task_whose_answer_is_a_string() -> None:
    class Wrong(Saga[Placed]):
        @task(answer="Paid")
        def decide(self) -> None: ...

        flow = decide


@wrong("decide", "asks for Paid(id='1'), which is no type", "answer=TheDecision")
def task_whose_answer_is_a_value() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=Paid("1"))
        def decide(self) -> None: ...

        flow = decide


@wrong("Unstorable", "is not a type that can be stored", "a dataclass")
def task_whose_answer_cannot_be_stored() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=Unstorable)
        def decide(self) -> None: ...

        flow = decide


@wrong("Unstorable", "is not a type that can be stored", "a dataclass")
def task_that_shows_what_cannot_be_stored() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=bool)
        def decide(self) -> Unstorable: ...

        flow = decide


@wrong("decide", "has no return annotation", "what the person is shown, or None")
def task_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=bool)
        def decide(self): ...

        flow = decide


@wrong("decide", "within is 3, which is no timedelta", "timedelta(seconds=...)")
def task_within_a_number() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=bool, within=3)
        def decide(self) -> None: ...

        flow = decide


@wrong("decide", "has otherwise=..., but no time after which it would happen", "within=")
def task_with_otherwise_and_without_within() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=bool, otherwise=())
        def decide(self) -> None: ...

        flow = decide


@wrong("decide", "may be late behind the pivot pay, and nothing catches it", "otherwise=...")
def task_that_may_be_late_behind_a_pivot() -> None:
    class Wrong(Saga[Placed]):
        @step(pivot=True)
        def pay(self) -> Pay: ...

        @task(answer=bool, within=DAY)
        def decide(self) -> None: ...

        flow = (pay, decide)


# --- reminders ------------------------------------------------------------------------------------


@wrong("decide", "every is datetime.timedelta(days=1), which is no pair", "every=(timedelta(...), block)")
def reminder_without_a_block() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=bool, every=DAY)
        def decide(self) -> None: ...

        flow = decide


@wrong("placed", "the interval of every is 0:00:00, which is not positive", "a positive timedelta")
def reminder_without_a_pause() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed, every=(timedelta(), refuse("no", code="no")))
        def placed(self) -> str: ...

        flow = placed


@wrong("placed", "has every=..., and nothing that happens then", "write a block")
def reminder_of_nothing() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed, every=(DAY, ((), ())))
        def placed(self) -> str: ...

        flow = placed


@wrong("scope-1", "the third value of every is 0", "a whole number from 1")
def reminder_that_never_comes() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, every=(DAY, refuse("no", code="no"), 0))


@wrong("placed", "the third value of every is True", "a whole number from 1")
def reminder_at_most_true() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed, every=(DAY, refuse("no", code="no"), True))
        def placed(self) -> str: ...

        flow = placed


@wrong("again-1", "stands in what happens beside placed", "in a catch block of the scope")
def again_in_a_reminder() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @wait(Placed, every=(DAY, again(at_most=1)))
        def placed(self) -> str: ...

        flow = scope(pay, catch={"no": placed})


@wrong("again-1", "stands in what happens beside scope-2", "in a catch block of the scope")
def again_in_the_reminder_of_a_scope() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def pay_more(self) -> Pay: ...

        flow = scope(pay, catch={"no": scope(pay_more, every=(DAY, again(at_most=1)))})


@wrong(
    "terminate-1", "stands in what happens beside placed, and would end more", "write refuse(...), or a race"
)
def end_in_a_reminder() -> None:
    class Wrong(Saga[Placed]):
        @condition
        def is_odd(self) -> bool: ...

        @wait(Placed, every=(DAY, choice((is_odd, end()))))
        def placed(self) -> str: ...

        flow = placed


@wrong("remind", "is a pivot in what happens beside something else", "move it into the flow")
def pivot_in_a_reminder() -> None:
    class Wrong(Saga[Placed]):
        @step(pivot=True)
        def remind(self) -> Pay: ...

        @wait(Placed, every=(DAY, remind))
        def placed(self) -> str: ...

        flow = placed


@wrong("remind", "stands in the flow twice", "write a second method")
def leaf_in_the_flow_and_in_a_reminder() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def remind(self) -> Pay: ...

        @wait(Placed, every=(DAY, remind))
        def placed(self) -> str: ...

        flow = (remind, placed)


@wrong("refund", "never goes on behind refuse-1", "move it")
def leaf_behind_a_refuse_in_a_reminder() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def refund(self) -> Refund: ...

        @wait(Placed, every=(DAY, (refuse("no", code="no"), refund)))
        def placed(self) -> str: ...

        flow = placed


@wrong("remind", "is a pivot in what happens beside something else", "move it into the flow")
def pivot_in_the_reminder_of_a_task() -> None:
    class Wrong(Saga[Placed]):
        @step(pivot=True)
        def remind(self) -> Pay: ...

        @task(answer=bool, every=(DAY, remind))
        def decide(self) -> None: ...

        flow = decide


@wrong(
    "refuse-1",
    "refuses with code 'no' beside placed, which the pivot pay does not wait for",
    "scope(...) around",
)
def reminder_that_may_refuse_when_the_pivot_is_passed() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def remind(self) -> Refund: ...

        @wait(Placed, every=(DAY, (remind, refuse("no", code="no"))))
        def placed(self) -> str: ...

        @step(pivot=True)
        def pay(self) -> Pay: ...

        flow = (placed, pay)


# --- whenever -------------------------------------------------------------------------------------


@wrong("scope-1", "whenever 1 is no pair", "whenever=(wait, block)")
def whenever_without_a_block() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @wait(Placed)
        def placed(self) -> str: ...

        flow = scope(pay, whenever=placed)


@wrong("scope-1", "whenever 1 is no pair", "whenever=(wait, block)")
def whenever_of_a_number() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, whenever=5)


@wrong("scope-1", "whenever 1 is no pair", "a sequence in it is a tuple of its own")
def whenever_with_a_sequence_that_is_no_tuple() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        @step()
        def refund_more(self) -> Refund: ...

        @wait(Placed)
        def placed(self) -> str: ...

        flow = scope(pay, whenever=(placed, refund, refund_more))


@wrong("scope-1", "whenever 1 begins with decide, which is no wait", "whenever=(wait, block)")
def whenever_a_person_decides() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @task(answer=bool)
        def decide(self) -> None: ...

        flow = scope(pay, whenever=(decide, ()))


@wrong("placed", "has within=..., but how long it waits is up to scope-1", "as long as the scope")
def whenever_within_a_time() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @wait(Placed, within=DAY)
        def placed(self) -> str: ...

        flow = scope(pay, whenever=(placed, ()))


@wrong(
    "terminate-1", "stands in what happens beside scope-1, and would end more", "write refuse(...), or a race"
)
def end_in_a_whenever() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @wait(Placed)
        def placed(self) -> str: ...

        flow = scope(pay, whenever=(placed, end()))


@wrong("refund", "is a pivot in what happens beside something else", "move it into the flow")
def pivot_in_a_whenever() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step(pivot=True)
        def refund(self) -> Refund: ...

        @wait(Placed)
        def placed(self) -> str: ...

        flow = scope(pay, whenever=(placed, refund))


# --- race -----------------------------------------------------------------------------------------


@wrong("race-1", "has no ways on", "two or more")
def race_of_nobody() -> None:
    class Wrong(Saga[Placed]):
        flow = race()


@wrong("race-1", "has 1 way on", "after=(duration, block)")
def race_of_one() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        flow = race((placed, ()))


@wrong("race-1", "way 2 begins with pay, which is no wait or task or sleep", "(wait, block)")
def race_with_a_step() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @step()
        def pay(self) -> Pay: ...

        flow = race((placed, ()), (pay, ()))


@wrong("race-1", "way 2 begins with is_odd, which is no wait or task or sleep", "(wait, block)")
def race_with_a_condition() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = race((placed, ()), (is_odd, ()))


@wrong("race-1", "way 2 begins with (<wait Wrong.placed_again>,), which is no wait", "(wait, block)")
def race_that_begins_with_a_sequence() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @wait(Placed)
        def placed_again(self) -> str: ...

        flow = race((placed, ()), ((placed_again,), ()))


@wrong("race-1", "way 1 is no pair", "a sequence in it is a tuple of its own")
def race_with_a_way_that_is_no_pair() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @sleep
        def nap(self) -> timedelta: ...

        flow = race(placed, (nap, ()))


@wrong("placed", "has within=..., but how long it waits is up to race-1", "after=(duration, block)")
def race_with_a_wait_that_gives_up() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed, within=DAY)
        def placed(self) -> str: ...

        @sleep
        def nap(self) -> timedelta: ...

        flow = race((placed, ()), (nap, ()))


@wrong("decide", "has every=..., but how long it waits is up to race-1", "take it out")
def race_with_a_task_that_reminds() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def remind(self) -> Pay: ...

        @task(answer=bool, every=(DAY, remind))
        def decide(self) -> None: ...

        @sleep
        def nap(self) -> timedelta: ...

        flow = race((decide, ()), (nap, ()))


@wrong("race-1", "after is datetime.timedelta(days=1), which is no pair", "after=(timedelta(...), block)")
def race_after_a_time_without_a_block() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @sleep
        def nap(self) -> timedelta: ...

        flow = race((placed, ()), (nap, ()), after=DAY)


@wrong("race-1", "the duration of after is -1 day, 0:00:00, which is not positive", "a positive timedelta")
def race_after_a_negative_time() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        flow = race((placed, ()), after=(-DAY, ()))


@wrong("pay", "never goes on behind race-1", "move it before race-1")
def leaf_behind_a_race_of_which_every_way_ends() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @step()
        def pay(self) -> Pay: ...

        flow = (race((placed, end()), after=(DAY, refuse("no", code="no"))), pay)


@wrong("placed", "stands in the flow twice", "write a second method")
def race_of_a_wait_with_itself() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        flow = race((placed, ()), (placed, ()))


@wrong("placed", "belongs to Other, not to Wrong", "declare a method of Wrong")
def race_with_a_wait_of_another_saga() -> None:
    class Wrong(Saga[Placed]):
        flow = race((Other.placed, ()), after=(DAY, ()))


@wrong("confirm", "is a second pivot, behind the pivot pay", "only one step")
def pivot_behind_a_race_with_a_pivot() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @step(pivot=True)
        def pay(self) -> Pay: ...

        @step(pivot=True)
        def confirm(self) -> Pay: ...

        flow = (race((placed, pay), after=(DAY, end())), confirm)


@wrong("race-1", "which is no pair", "after=(timedelta(...), block)")
def race_after_a_time_with_a_sequence_that_is_no_tuple() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> str: ...

        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = race((placed, ()), after=(DAY, pay, refund))


# --- repeat ---------------------------------------------------------------------------------------


@wrong("repeat-1", "its until is pay, which is not a condition", "a method with @condition")
def repeat_until_a_step() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = repeat(pay, until=pay, at_most=3)


@wrong("repeat-1", "its until is None, which is not a condition", "a method with @condition")
def repeat_without_a_condition() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = repeat(pay, until=None, at_most=3)


@wrong("is_odd", "belongs to Other, not to Wrong", "declare a method of Wrong")
def repeat_until_a_condition_of_another_saga() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = repeat(pay, until=Other.is_odd, at_most=3)


@pytest.mark.parametrize("at_most", [0, -1, True, "3", 2.0, None, 10**30])
def test_a_repeat_goes_round_a_whole_number_of_times(at_most: Any) -> None:
    def make() -> None:
        class Wrong(Saga[Placed]):
            @step()
            def pay(self) -> Pay: ...

            @condition
            def is_odd(self) -> bool: ...

            flow = repeat(pay, until=is_odd, at_most=at_most)

    Refusal(make, "repeat-1", f"at_most is {at_most!r}", "a whole number from 1").check()


@wrong("repeat-1", "has nothing in it", "write what is to be done")
def repeat_of_nothing() -> None:
    class Wrong(Saga[Placed]):
        @condition
        def is_odd(self) -> bool: ...

        flow = repeat((), until=is_odd, at_most=3)


@wrong("again-1", "stands in repeat-1, an inner scope", "in a catch block of the scope")
def again_in_a_repeat() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = scope(pay, catch={"no": repeat(again(at_most=1), until=is_odd, at_most=3)})


@wrong("pay", "is a pivot and is reached again from itself", "move it out of the loop")
def pivot_in_a_repeat() -> None:
    class Wrong(Saga[Placed]):
        @step(pivot=True)
        def pay(self) -> Pay: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = repeat(pay, until=is_odd, at_most=3)


@wrong("refund", "never goes on behind repeat-1", "move it")
def leaf_behind_a_repeat_that_always_refuses() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = (repeat(pay, refuse("no", code="no"), until=is_odd, at_most=3), refund)


# --- each -----------------------------------------------------------------------------------------


@wrong("each-1", "begins with pay, which lists no items", "a method with @items")
def each_of_a_step() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self, paid: Paid) -> Refund: ...

        flow = each(pay, refund)


@wrong("each-1", "begins with ['a', 'b'], which lists no items", "a method with @items")
def each_of_a_list() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def refund(self, paid: Paid) -> Refund: ...

        flow = each(["a", "b"], refund)


@wrong("each-1", "begins with is_odd, which lists no items", "a method with @items")
def each_of_a_condition() -> None:
    class Wrong(Saga[Placed]):
        @condition
        def is_odd(self) -> bool: ...

        @step()
        def refund(self, paid: Paid) -> Refund: ...

        flow = each(is_odd, refund)


@wrong("guests", "belongs to Other, not to Wrong", "declare a method of Wrong")
def each_of_items_of_another_saga() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(Other.guests, pay)


@wrong("each-1", "has nothing in it", "write what is to be done")
def each_of_nothing() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        flow = each(guests, ())


@wrong("guests", "stands in the flow twice", "write a second method")
def items_of_two_eaches() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @step()
        def pay_more(self, guest: Guest) -> Pay: ...

        flow = (each(guests, pay), each(guests, pay_more))


@wrong("guests", "lists items, and is no part of a sequence", "each(guests, block)")
def items_in_a_sequence() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        flow = guests


@pytest.mark.parametrize("concurrency", [0, -1, True, "2", 1.5, None])
def test_an_each_goes_through_a_whole_number_of_items_at_once(concurrency: Any) -> None:
    def make() -> None:
        class Wrong(Saga[Placed]):
            @items
            def guests(self) -> list[Guest]: ...

            @step()
            def pay(self, guest: Guest) -> Pay: ...

            flow = each(guests, pay, concurrency=concurrency)

    Refusal(make, "each-1", f"concurrency is {concurrency!r}", "a whole number from 1").check()


@wrong("guests", "returns Guest, which is no list of items", "-> list[TheItem]")
def items_that_are_one() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> Guest: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("guests", "Guest], which is no list of items", "-> tuple[TheItem, ...]")
def items_of_a_fixed_number() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> tuple[Guest, Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("guests", "returns list, which is no list of items", "-> list[TheItem]")
def items_of_no_type() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("guests", "has no return annotation", "-> list[TheItem]")
def items_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self): ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("pay", "stands in each-1, and does not take the item", "def pay(self, item: Guest)")
def step_in_an_each_without_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self) -> Pay: ...

        flow = each(guests, pay)


@wrong("decide", "stands in each-1, and does not take the item", "def decide(self, item: Guest)")
def task_in_a_choice_in_an_each_without_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @condition
        def is_odd(self, guest: Guest) -> bool: ...

        @task(answer=bool)
        def decide(self) -> None: ...

        flow = each(guests, choice((is_odd, scope(decide))))


@wrong("seats", "stands in each-1, and does not take the item", "def seats(self, item: Guest)")
def items_in_an_each_without_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @items
        def seats(self) -> list[Seat]: ...

        @step()
        def pay(self, seat: Seat) -> Pay: ...

        flow = each(guests, each(seats, pay))


@wrong("seats", "takes Seat, but the items of each-1 are Guest", "let it take Guest")
def items_in_an_each_that_take_another_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @items
        def seats(self, guest: Seat) -> list[Seat]: ...

        @step()
        def pay(self, seat: Seat) -> Pay: ...

        flow = each(guests, each(seats, pay))


@wrong("pay", "takes Guest, but the items of each-2 are Seat", "let it take Seat")
def step_that_takes_the_outer_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @items
        def seats(self, guest: Guest) -> list[Seat]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, each(seats, pay))


@wrong("pay", "takes Seat, but the items of each-1 are Guest", "let it take Guest")
def step_that_takes_another_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> tuple[Guest, ...]: ...

        @step()
        def pay(self, seat: Seat) -> Pay: ...

        flow = each(guests, pay)


@wrong("is_odd", "takes Seat, but the items of each-1 are Guest", "let it take Guest")
def condition_that_takes_another_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @condition
        def is_odd(self, seat: Seat) -> bool: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, repeat(pay, until=is_odd, at_most=2))


@wrong("refund", "takes Seat, but the items of each-1 are Guest", "let it take Guest")
def compensation_that_takes_another_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @pay.compensation
        def refund(self, seat: Seat, paid: Paid | None) -> Refund: ...

        flow = each(guests, pay)


@wrong("refund", "does not take the item, as its step does", "def refund(self, item)")
def compensation_in_an_each_without_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = each(guests, pay)


@wrong("refund", "takes more than the item and the answer", "the item, and at most the answer")
def compensation_in_an_each_that_takes_too_much() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @pay.compensation
        def refund(self, guest: Guest, paid: Paid | None, why: str) -> Refund: ...

        flow = each(guests, pay)


@wrong("refund", "takes paid: Seat, but what pay leads to is Paid | None", "annotate it paid: Paid | None")
def compensation_that_takes_another_answer() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @pay.compensation
        def refund(self, guest: Guest, paid: Seat) -> Refund: ...

        flow = each(guests, pay)


@wrong("refund", "takes paid: Paid, but what pay leads to is Paid | None", "annotate it paid: Paid | None")
def compensation_that_does_not_take_none() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self, paid: Paid) -> Refund: ...

        flow = pay


@wrong("refund", "stands in each-1, and does not take the item", "def refund(self, item: Guest)")
def compensation_of_a_scope_in_an_each_without_item() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = each(guests, scope(pay, compensation=refund))


@wrong("pay", "does not say what guest is", "annotate guest with the type of the items")
def item_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("pay", "the annotation of guest cannot be resolved (NameError", "at module level")
def item_of_a_type_that_is_not_there() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: OnlyForTypeCheckers) -> Pay: ...

        flow = each(guests, pay)


@wrong("placed", "takes an item, but stands in no each", "nothing but self")
def wait_for_an_item_outside_of_an_each() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self, guest: Guest) -> str: ...

        flow = placed


@wrong("is_odd", "takes an item, but stands in no each", "nothing but self")
def condition_of_an_item_outside_of_an_each() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @condition
        def is_odd(self, guest: Guest) -> bool: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = (each(guests, choice((is_odd, pay))), choice((is_odd, refund)))


@wrong("guests", "takes an item, but stands in no each", "nothing but self")
def items_of_an_item_outside_of_an_each() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self, guest: Guest) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("tell", "is the answer of the saga, and stands in each-1", "move it behind the each")
def answer_in_an_each() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, guest: Guest) -> Pay: ...

        @answer
        def tell(self) -> Paid: ...

        flow = each(guests, pay, tell)


@wrong("pay", "is a pivot in each-1, whose other items may fail after it", "move it before or behind each-1")
def pivot_in_an_each() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step(pivot=True)
        def pay(self, guest: Guest) -> Pay: ...

        flow = each(guests, pay)


@wrong("again-1", "stands in each-1, an inner scope", "in a catch block of the scope")
def again_in_an_each() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @items
        def guests(self) -> list[Guest]: ...

        flow = scope(pay, catch={"no": each(guests, again(at_most=1))})


@wrong("pay", "takes arguments beside self (*guests: 'Guest')", "the item in an each")
def step_that_takes_any_number_of_items() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @step()
        def pay(self, *guests: Guest) -> Pay: ...

        flow = each(guests, pay)


# --- calls ----------------------------------------------------------------------------------------


@wrong("pay", "calls Guest, which is no saga with a flow", "@call(TheSaga)")
def call_of_a_class_that_is_no_saga() -> None:
    class Wrong(Saga[Placed]):
        @call(Guest)
        def pay(self) -> Placed: ...

        flow = pay


@wrong("pay", "calls Base, which is no saga with a flow", "@call(TheSaga)")
def call_of_a_saga_without_a_flow() -> None:
    class Wrong(Saga[Placed]):
        @call(Base)
        def pay(self) -> Placed: ...

        flow = pay


@wrong("pay", "calls Wrong, which is no saga with a flow", "@call(TheSaga)")
def call_of_itself_by_name() -> None:
    class Wrong(Saga[Placed]):
        @call("Wrong")
        def pay(self) -> Placed: ...

        flow = pay


@wrong("pay", "calls None, which is no saga with a flow", "@call(TheSaga)")
def call_without_parentheses() -> None:
    class Wrong(Saga[Placed]):
        @call
        def pay(self) -> Placed: ...

        flow = pay


@wrong("placed", "waits for None, which is not an Event", "@wait(TheEvent)")
def wait_without_parentheses() -> None:
    class Wrong(Saga[Placed]):
        @wait
        def placed(self) -> str: ...

        flow = placed


@wrong("pay", "returns Guest, but Other is started with Placed", "annotate it -> Placed")
def call_with_another_input() -> None:
    class Wrong(Saga[Placed]):
        @call(Other)
        def pay(self) -> Guest: ...

        flow = pay


@wrong("pay", "has no return annotation", "the input of Other")
def call_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @call(Other)
        def pay(self): ...

        flow = pay


@wrong("pay", "expects Guest, but Other answers Paid", "answer=Paid")
def call_that_expects_another_answer() -> None:
    class Wrong(Saga[Placed]):
        @call(Other, answer=Guest)
        def pay(self) -> Placed: ...

        flow = pay


@wrong("pay", "expects Guest, but NoWayBack answers None", "leave it out")
def call_that_expects_an_answer_where_there_is_none() -> None:
    class Wrong(Saga[Placed]):
        @call(NoWayBack, answer=Guest)
        def pay(self) -> Placed: ...

        flow = pay


@wrong("pay", "timeout is 0:00:00, which is not positive", "a positive timedelta")
def call_without_time() -> None:
    class Wrong(Saga[Placed]):
        @call(Other, timeout=timedelta())
        def pay(self) -> Placed: ...

        flow = pay


@wrong("undo", "Guest | None, but what pay leads to is Paid | None", "annotate it paid: Paid | None")
def compensation_of_a_call_that_takes_another_answer() -> None:
    class Wrong(Saga[Placed]):
        @call(Other)
        def pay(self) -> Placed: ...

        @pay.compensation
        def undo(self, paid: Guest | None) -> Refund: ...

        flow = pay


@wrong(
    "pay", "is a pivot (NoWayBack, which it calls, has one) in scope-1, which has a catch", "out of the scope"
)
def call_of_a_saga_with_a_pivot_in_a_scope() -> None:
    class Wrong(Saga[Placed]):
        @call(NoWayBack)
        def pay(self) -> Placed: ...

        flow = scope(pay, catch={"no": ()})


@wrong("pay", "is a pivot (NoWayBack, which it calls, has one) in a parallel", "before or behind")
def call_of_a_saga_with_a_pivot_in_a_parallel() -> None:
    class Wrong(Saga[Placed]):
        @call(NoWayBack)
        def pay(self) -> Placed: ...

        flow = parallel(pay, ())


@wrong("pay", "is a pivot (NoWayBack, which it calls, has one) in each-1", "before or behind each-1")
def call_of_a_saga_with_a_pivot_in_an_each() -> None:
    class Wrong(Saga[Placed]):
        @items
        def guests(self) -> list[Guest]: ...

        @call(NoWayBack)
        def pay(self, guest: Guest) -> Placed: ...

        flow = each(guests, pay)


@wrong(
    "more", "is a second pivot (NoWayBack, which it calls, has one), behind the pivot pay", "only one step"
)
def call_of_a_saga_with_a_pivot_behind_a_pivot() -> None:
    class Wrong(Saga[Placed]):
        @step(pivot=True)
        def pay(self) -> Pay: ...

        @call(NoWayBack)
        def more(self) -> Placed: ...

        flow = (pay, more)


# --- publish --------------------------------------------------------------------------------------


@wrong("tell", "returns Pay, which is not an Event", "the event it publishes")
def publish_of_a_command() -> None:
    class Wrong(Saga[Placed]):
        @publish
        def tell(self) -> Pay: ...

        flow = tell


@wrong("tell", "has no return annotation", "the event it publishes")
def publish_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @publish
        def tell(self): ...

        flow = tell


@wrong("tell", "publishes TwoKeys: TwoKeys.other is a second key", "mark one field only")
def publish_of_an_event_with_two_keys() -> None:
    class Wrong(Saga[Placed]):
        @publish
        def tell(self) -> TwoKeys: ...

        flow = tell


# --- compensate -----------------------------------------------------------------------------------


@wrong("compensate-1", "names pay, which does not stand before it in the same scope", "done before")
def compensate_of_a_later_leaf() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = (compensate(pay), pay)


@wrong("compensate-1", "names pay, which does not stand before it in the same scope", "done before")
def compensate_of_a_leaf_outside_of_the_scope() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = (pay, scope(compensate(pay)))


@wrong("compensate-1", "names pay, which does not stand before it in the same scope", "done before")
def compensate_of_the_other_branch() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = parallel(pay, compensate(pay))


@wrong("compensate-1", "names pay, which does not stand before it in the same scope", "done before")
def compensate_in_a_catch_of_what_is_undone_already() -> None:
    """What was done in the scope is undone before its catch block begins."""

    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = scope(pay, catch={"no": compensate(pay)})


@wrong("compensate-1", "names pay, which does not stand before it", "done before")
def compensate_of_a_leaf_of_another_saga() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = (pay, compensate(Other.pay))


@wrong("compensate-1", "names 'pay', which does not stand before it", "done before")
def compensate_of_a_string() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = (pay, compensate("pay"))


@wrong("compensate-1", "names refund, which does not stand before it", "done before")
def compensate_of_a_compensation() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = (pay, compensate(refund))


@wrong("compensate-1", "names pay, in which nothing has a compensation", "name a step with a compensation")
def compensate_of_a_step_that_cannot_be_undone() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = (pay, compensate(pay))


@wrong("compensate-1", "names scope-1, in which nothing has a compensation", "take compensate-1 out")
def compensate_of_a_scope_that_cannot_be_undone() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        part = scope(pay)
        flow = (part, compensate(part))


@wrong(
    "compensate-1",
    "undoes what was done so far in its scope, where nothing has a compensation",
    "take it out",
)
def compensate_where_nothing_can_be_undone() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        @sleep
        def nap(self) -> timedelta: ...

        flow = (pay, scope(nap, compensate()))


@wrong("compensate-1", "names parallel-1, which is a way of arranging things", "put scope(...) around it")
def compensate_of_a_parallel() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        both = parallel(pay, ())
        flow = (both, compensate(both))


@wrong("compensate-1", "names a sequence, which is a way of arranging things", "put scope(...) around it")
def compensate_of_a_sequence() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        part = (pay,)
        flow = (part, compensate(part))


@wrong("compensate-1", "names pay, which is undone with scope-1 as a whole", "name scope-1")
def compensate_of_a_part_of_a_unit() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        @step()
        def undo_all(self) -> Refund: ...

        flow = (scope(pay, compensation=undo_all), compensate(pay))


# --- the deadline ---------------------------------------------------------------------------------


@pytest.mark.parametrize("deadline", [-DAY, timedelta(), 5, "tomorrow", timedelta.max])
def test_a_deadline_is_a_positive_duration(deadline: Any) -> None:
    def make() -> None:
        class Wrong(Saga[Placed], deadline=deadline):
            @step()
            def pay(self) -> Pay: ...

            flow = pay

    Refusal(make, "deadline", f"is {deadline!r}", "a positive timedelta").check()


@wrong("deadline", "is passed when pay is done, a pivot", "scope(..., timeout=...)")
def deadline_and_pivot() -> None:
    class Wrong(Saga[Placed], deadline=DAY):
        @step(pivot=True)
        def pay(self) -> Pay: ...

        flow = pay


@wrong("deadline", "is passed when pay is done, a pivot", "scope(..., timeout=...)")
def deadline_and_call_of_a_saga_with_a_pivot() -> None:
    class Wrong(Saga[Placed], deadline=DAY):
        @call(NoWayBack)
        def pay(self) -> Placed: ...

        flow = pay


# --- names ----------------------------------------------------------------------------------------


@wrong("item", "is what an item of an each is called", "item_it")
def leaf_called_item() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def item(self) -> Pay: ...

        flow = item


@wrong("pay.1", "is no name that Python allows", "letters, digits and '_'")
def leaf_whose_name_is_none() -> None:
    def pay(self: Any) -> Pay: ...

    leaf = step()(pay)
    types.new_class("Wrong", (Saga[Placed],), {}, lambda body: body.update({"pay.1": leaf, "flow": leaf}))


@wrong("decide", "is not the attribute decide of Wrong: another one took its name", "a name of its own")
def task_and_wait_of_one_name() -> None:
    class Wrong(Saga[Placed]):
        @task(answer=bool)
        def decide(self) -> None: ...

        first = scope(decide)

        @wait(Placed)
        def decide(self) -> str: ...

        flow = first


# --- size -----------------------------------------------------------------------------------------


def nested(depth: int, around: Callable[[object], object]) -> object:
    """Make a saga of a step in so many blocks."""

    def pay(self: Any) -> Pay: ...

    leaf = block = step()(pay)
    for _ in range(depth):
        block = around(block)
    return types.new_class("Deep", (Saga[Placed],), {}, lambda body: body.update(pay=leaf, flow=block))


@wrong("flow", "nests more than 100 deep", "@call it")
def scopes_in_scopes() -> None:
    nested(200, scope)


@wrong("flow", "nests more than 100 deep", "@call it")
def sequences_in_sequences() -> None:
    nested(100_000, lambda block: (block,))


@wrong("flow", "nests more than 100 deep", "@call it")
def list_in_itself() -> None:
    class Wrong(Saga[Placed]):
        flow: Any = []
        flow += [flow, flow]


@wrong("flow", "has more than 10000 parts", "repeat(...) or each(...)")
def doubled_fifty_times() -> None:
    nested(50, lambda block: (block, block))


def test_blocks_may_nest_as_deep_as_a_person_can_read() -> None:
    for around in (scope, lambda block: (block,), lambda block: parallel(block, ())):
        nested(45, around)


def test_items_that_cannot_be_stored_are_refused() -> None:
    with pytest.raises(DefinitionError, match="Unstorable is not a type that can be stored; use a dataclass"):

        class Wrong(Saga[Placed]):
            @items
            def guests(self) -> list[Unstorable]: ...

            @step()
            def pay(self, guest: Unstorable) -> Pay: ...

            flow = each(guests, pay)


def test_a_reminder_in_a_scope_that_is_done_before_the_pivot_may_refuse() -> None:
    class Right(Saga[Placed]):
        @wait(Placed, every=(DAY, refuse("no", code="no")))
        def placed(self) -> str: ...

        @step(pivot=True)
        def pay(self) -> Pay: ...

        flow = (scope(placed), pay)


# --- together -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", wrong.cases)
def test_definition_error(case: Refusal) -> None:
    case.check()


def test_all_problems_of_blocks_are_reported_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Saga[Placed], deadline=-DAY):
            @items
            def guests(self) -> Guest: ...

            @call(Guest)
            def pay(self, guest: Guest) -> Placed: ...

            @task(answer="bool", every=DAY)
            def decide(self) -> None: ...

            @condition
            def is_odd(self) -> bool: ...

            flow = (
                each(guests, pay, concurrency=0),
                repeat(until=is_odd, at_most=0),
                race((decide, compensate(pay))),
            )

    assert [problem.element for problem in caught.value.problems] == [
        "deadline",
        "guests",
        "pay",
        "decide",
        "each-1",
        "repeat-1",
        "decide",
        "repeat-1",
        "race-1",
        "decide",
        "compensate-1",
    ]
