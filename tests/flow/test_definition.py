"""What a definition holds: functions, types, names, and where annotations are looked for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, NewType, TypeVar

import msgspec
import pytest

import saga
from saga import (
    Command,
    Context,
    DefinitionError,
    Event,
    Key,
    Saga,
    answer,
    choice,
    condition,
    scope,
    sleep,
    step,
    wait,
)
from saga.codec import codec_for
from saga.flow import Definition, Function, definition_of

I = TypeVar("I")  # noqa: E741
OrderId = NewType("OrderId", str)


@dataclass(frozen=True, slots=True)
class Placed(Event):
    id: Key[OrderId]


@dataclass(frozen=True, slots=True)
class Paid:
    id: str


@dataclass(frozen=True, slots=True)
class Pay(Command[Paid]):
    id: str


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    __saga_type__ = "shop.Refund/2"
    id: str


class Shop(Context): ...


class Sell(Saga[Placed], version=3, started_by_event=True):
    """Sell it.

    As it should be.
    """

    @step()
    def pay(self) -> Pay:
        """Cards only."""
        return Pay(self.input.id)

    @pay.compensation
    def refund(self, paid: Paid | None) -> Refund:
        return Refund(self.input.id)

    @wait(Placed)
    def placed_again(self) -> str:
        return self.input.id

    @condition
    def is_large(self) -> bool:
        return len(self.input.id) > 3

    @sleep
    def nap(self) -> timedelta | datetime:
        return timedelta(days=1)

    @answer
    def tell(self) -> list[Paid]:
        return [self.pay]

    flow = (pay, choice((is_large, (placed_again, nap))), tell)


def test_a_definition_holds_what_the_class_line_says() -> None:
    definition = definition_of(Sell)
    assert isinstance(definition, Definition)
    assert definition.saga is Sell
    assert definition.input is Placed
    assert definition.answer == list[Paid]
    assert definition.context is None
    assert definition.started_by_event
    assert (definition.graph.name, definition.graph.version) == ("Sell", 3)


def test_functions_are_found_by_name() -> None:
    functions = definition_of(Sell).functions
    own = {name: vars(Sell)[name].function for name in functions}
    assert functions == {
        "pay": Function("pay", "step", own["pay"], Pay, Paid),
        "refund": Function("refund", "compensation", own["refund"], Refund, None, takes_answer=True),
        "placed_again": Function("placed_again", "wait", own["placed_again"], Placed),
        "is_large": Function("is_large", "condition", own["is_large"]),
        "nap": Function("nap", "sleep", own["nap"]),
        "tell": Function("tell", "answer", own["tell"], answer=list[Paid]),
    }


def test_the_graph_knows_all_types_by_their_stored_names() -> None:
    graph = definition_of(Sell).graph
    used = [list[Paid], Paid, Pay, Placed, Refund]
    assert graph.types == {codec_for(tp).name: codec_for(tp).fingerprint for tp in used}
    assert graph.input == "Placed/1"
    assert graph.answer == "list[Paid/1]"
    assert graph.nodes["pay"].undo_command == "shop.Refund/2"


def test_docstrings_are_notes_in_the_graph_and_not_in_its_digest() -> None:
    graph = definition_of(Sell).graph
    assert graph.doc == "Sell it.\n\nAs it should be."
    assert graph.nodes["pay"].doc == "Cards only."
    assert msgspec.structs.replace(graph, doc="").digest() == graph.digest()


def test_a_compensation_without_arguments_does_not_take_the_answer() -> None:
    class Plain(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self) -> Refund: ...

        flow = pay

    assert not definition_of(Plain).functions["refund"].takes_answer


def test_the_compensation_of_a_scope_is_a_step_among_the_functions() -> None:
    class Undone(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = scope(pay, compensation=refund)

    function = definition_of(Undone).functions["refund"]
    assert (function.kind, function.message) == ("step", Refund)


def test_a_saga_of_a_context_answers_the_command_that_is_its_input() -> None:
    class Collect(Saga[Pay], context=Shop, name="shop.Collect"):
        @step()
        def refund(self) -> Refund: ...

        @answer
        def tell(self) -> Paid: ...

        flow = (refund, tell)

    definition = definition_of(Collect)
    assert definition.context is Shop
    assert definition.answer is Paid
    assert definition.graph.name == "shop.Collect"


def test_a_command_without_an_answer_needs_none() -> None:
    class Collect(Saga[Refund], context=Shop):
        @step()
        def pay(self) -> Pay: ...

        flow = pay

    assert definition_of(Collect).answer is None


# --- bases ----------------------------------------------------------------------------------------


class ShopSaga(Saga[I], Generic[I]):
    """A base with a method that all sagas of the shop share."""

    def short_id(self) -> str:
        return self.id[:4]


def test_a_base_without_leaves_and_flow_has_no_definition() -> None:
    for base in (ShopSaga, Saga):
        with pytest.raises(DefinitionError, match="flow: is not there"):
            definition_of(base)


def test_the_input_is_found_through_generic_bases() -> None:
    class Sold(ShopSaga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = pay

    assert definition_of(Sold).input is Placed


# --- where names are looked for -------------------------------------------------------------------


def test_annotations_may_name_types_of_the_function_around_the_class() -> None:
    @dataclass(frozen=True, slots=True)
    class Local(Command[Paid]):
        id: str

    class Sold(Saga[Placed]):
        @step()
        def send(self) -> Local: ...

        flow = send

    assert definition_of(Sold).functions["send"].message is Local


def test_annotations_may_name_types_of_a_function_further_out() -> None:
    @dataclass(frozen=True, slots=True)
    class Outer(Command[Paid]):
        id: str

    def make() -> type[Saga[Any]]:
        class Sold(Saga[Placed]):
            @step()
            def send(self) -> Outer: ...

            flow = send

        return Sold

    assert definition_of(make()).functions["send"].message is Outer


def test_annotations_may_name_types_of_the_class() -> None:
    class Sold(Saga[Placed]):
        @dataclass(frozen=True, slots=True)
        class Inner(Command[Paid]):
            id: str

        @step()
        def send(self) -> Inner: ...

        flow = send

    assert definition_of(Sold).functions["send"].message is Sold.Inner


def test_names_of_a_caller_are_not_taken_for_names_around_the_class() -> None:
    def make() -> None:
        class Sold(Saga[Placed]):
            @step()
            def send(self) -> Hidden: ...  # noqa: F821

            flow = send

    def call() -> None:
        Hidden = Pay  # noqa: F841, N806
        make()

    with pytest.raises(DefinitionError, match="name 'Hidden' is not defined"):
        call()


def test_an_argument_that_cannot_be_resolved_does_not_matter() -> None:
    class Sold(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def refund(self, paid: Nowhere | None) -> Refund: ...  # noqa: F821

        flow = pay

    assert definition_of(Sold).functions["refund"].takes_answer


# --- the package ----------------------------------------------------------------------------------


def test_the_promised_names_are_sorted_and_there() -> None:
    assert saga.__all__ == sorted(saga.__all__)
    assert all(hasattr(saga, name) for name in saga.__all__)


def test_importing_saga_is_light() -> None:
    code = "import sys, saga; print(*{'sqlite_utils', 'sqlite3', 'pykka', 'structlog'} & set(sys.modules))"
    # measuring coverage, which loads a good deal, would begin in the new process, too
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
