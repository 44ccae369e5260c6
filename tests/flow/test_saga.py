"""What an author's function sees: the fields of the saga, and the values of the leaves that were reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from saga import Command, NotReached, Saga, choice, condition, sleep, step
from saga.flow import forget_value, set_value


@dataclass(frozen=True, slots=True)
class Placed:
    id: str


@dataclass(frozen=True, slots=True)
class Paid:
    id: str


@dataclass(frozen=True, slots=True)
class Pay(Command[Paid]):
    id: str


class Sell(Saga[Placed]):
    @step()
    def pay(self) -> Pay:
        return Pay(self.input.id)

    @sleep
    def nap(self) -> timedelta:
        return timedelta(days=1)

    @condition
    def is_paid(self) -> bool:
        return self.pay.id == self.input.id

    flow = (pay, choice((is_paid, nap)))


def sale(**options: Any) -> Sell:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return Sell(id="order-1", input=Placed("1"), started_at=at, tags={"region": "north"}, **options)


def test_a_saga_has_its_fields() -> None:
    made = sale()
    assert (made.id, made.input, made.tags) == ("order-1", Placed("1"), {"region": "north"})
    assert made.started_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert repr(made) == "<Sell order-1>"


def test_a_leaf_that_was_not_reached_has_no_value() -> None:
    with pytest.raises(NotReached) as caught:
        _ = sale().pay
    assert (caught.value.saga, caught.value.element) == ("Sell", "pay")


def test_a_default_does_not_hide_that_a_leaf_was_not_reached() -> None:
    with pytest.raises(NotReached):
        getattr(sale(), "pay", None)


def test_a_value_that_was_set_is_read() -> None:
    made = sale()
    set_value(made, "pay", Paid("1"))
    assert made.pay == Paid("1")
    set_value(made, "pay", Paid("2"))
    assert made.pay == Paid("2")


def test_a_value_is_loaded_once_when_it_is_first_read() -> None:
    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(name)
        return Paid("1")

    made = sale(load=load)
    assert asked == []
    assert (made.pay, made.pay) == (Paid("1"), Paid("1"))
    assert asked == ["pay"]


def test_none_is_a_value() -> None:
    assert sale(load={"nap": None}.__getitem__).nap is None


def test_what_cannot_be_loaded_was_not_reached() -> None:
    made = sale(load={}.__getitem__)
    with pytest.raises(NotReached):
        _ = made.pay


def test_a_value_that_was_forgotten_is_loaded_again() -> None:
    """In a loop `self.<leaf>` is the value of the latest visit."""
    known = {"pay": Paid("1")}
    made = sale(load=known.__getitem__)
    assert made.pay == Paid("1")
    known["pay"] = Paid("2")
    forget_value(made, "pay")
    assert made.pay == Paid("2")
    forget_value(made, "nap")  # it was not known, and still is not


def test_a_condition_can_be_asked_by_other_methods() -> None:
    made = sale()
    set_value(made, "pay", Paid("1"))
    assert made.is_paid is True


def test_on_the_class_a_leaf_is_itself() -> None:
    assert Sell.pay.name == "pay"
    assert Sell.is_paid.owner is Sell
    assert repr(Sell.pay) == "<step Sell.pay>"


@pytest.mark.parametrize("name", ["input", "pay", "count"])
def test_a_saga_has_no_state_of_its_own(name: str) -> None:
    made = sale()
    with pytest.raises(AttributeError, match=f"Sell.{name} cannot be set: a saga has no state of its own"):
        setattr(made, name, 1)
    with pytest.raises(AttributeError, match="cannot be deleted"):
        delattr(made, name)
