"""Every definition error, alone: the element it names, what it says, and the remedy it gives.

The cases are wrong on purpose, and most of them for the type checkers too, which do not look at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from saga import (
    Command,
    Context,
    DefinitionError,
    Event,
    Key,
    Retry,
    Saga,
    again,
    answer,
    choice,
    condition,
    end,
    parallel,
    refuse,
    scope,
    sleep,
    step,
    wait,
)

from .refusals import Refusal, Refusals

if TYPE_CHECKING:
    from somewhere import OnlyForTypeCheckers

DAY = timedelta(days=1)
I = TypeVar("I")  # noqa: E741


@dataclass(frozen=True, slots=True)
class Placed(Event):
    id: Key[str]


@dataclass(frozen=True, slots=True)
class Happened(Event):
    """An event without a key."""

    id: str


@dataclass(frozen=True, slots=True)
class TwoKeys(Event):
    id: Key[str]
    other: Key[str]


class Taken:
    """Not a dataclass, so it cannot be stored."""


@dataclass(frozen=True, slots=True)
class Paid:
    id: str


@dataclass(frozen=True, slots=True)
class Pay(Command[Paid]):
    id: str


@dataclass(frozen=True, slots=True)
class Refund(Command[None]):
    id: str


@dataclass(frozen=True, slots=True)
class Unanswered(Command):
    id: str


@dataclass(frozen=True, slots=True)
class Odd(Command[Taken]):
    anything: Any


class Shop(Context): ...


class Other(Saga[Placed]):
    @step()
    def pay(self) -> Pay: ...

    @condition
    def is_odd(self) -> bool: ...

    flow = choice((is_odd, pay))


wrong = Refusals()


# --- the class line -------------------------------------------------------------------------------


@wrong("input", "is not given", "Saga[TheInput]")
def no_input() -> None:
    class Wrong(Saga):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("input", "is not given", "Saga[TheInput]")
def input_is_a_type_variable() -> None:
    class Wrong(Saga[I]):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("input", "is str, which is no dataclass", "a dataclass")
def input_is_no_dataclass() -> None:
    class Wrong(Saga[str]):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("Odd.anything", "may hold anything", "say which type it is")
def input_cannot_be_stored() -> None:
    class Wrong(Saga[Odd]):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("name", "is 'a name'", "write letters, digits")
def name_with_a_blank() -> None:
    class Wrong(Saga[Placed], name="a name"):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("version", "is 0", "a whole number from 1")
def version_zero() -> None:
    class Wrong(Saga[Placed], version=0):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("version", "is True", "a whole number from 1")
def version_is_a_bool() -> None:
    class Wrong(Saga[Placed], version=True):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("context", "which is no Context", "a class derived from Context")
def context_is_no_context() -> None:
    class Wrong(Saga[Refund], context=Placed):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("context", "the input is no Command", "leave it out")
def context_without_a_command() -> None:
    class Wrong(Saga[Placed], context=Shop):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("started_by_event", "the input is no Event", "derive the input from Event")
def started_by_no_event() -> None:
    class Wrong(Saga[Pay], started_by_event=True):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("started_by_event", "is 'yes'", "write True or False")
def started_by_event_is_no_bool() -> None:
    class Wrong(Saga[Placed], started_by_event="yes"):
        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("Wrong", "derives from Other, which is a saga with a flow of its own", "version=")
def derived_from_a_saga_with_a_flow() -> None:
    class Wrong(Other): ...


# --- the answer -----------------------------------------------------------------------------------


@wrong("tell_late", "answers str, but tell answers Paid", "of one type")
def answers_of_two_types() -> None:
    class Wrong(Saga[Placed]):
        @answer
        def tell(self) -> Paid: ...

        @answer
        def tell_late(self) -> str: ...

        flow = (tell, tell_late)


@wrong("tell", "answers str, but Pay is answered with Paid", "annotate it -> Paid")
def answer_of_another_type_than_the_command() -> None:
    class Wrong(Saga[Pay], context=Shop):
        @answer
        def tell(self) -> str: ...

        flow = tell


@wrong("tell", "answers str, but Refund is answered with None", "annotate it -> None")
def answer_to_a_command_that_has_none() -> None:
    class Wrong(Saga[Refund], context=Shop):
        @answer
        def tell(self) -> str: ...

        flow = tell


@wrong("answer", "is never given, but Pay is answered with Paid", "@answer that returns Paid")
def command_that_is_not_answered() -> None:
    class Wrong(Saga[Pay], context=Shop):
        @step()
        def refund(self) -> Refund: ...

        flow = refund


@wrong("input", "Unanswered does not say what its answer is", "Command[TheAnswer]")
def answering_a_command_without_answer() -> None:
    class Wrong(Saga[Unanswered], context=Shop):
        @step()
        def refund(self) -> Refund: ...

        flow = refund


@wrong("tell", "answers nothing", "return the answer")
def answer_of_none() -> None:
    class Wrong(Saga[Placed]):
        @answer
        def tell(self) -> None: ...

        flow = tell


# --- the flow as a whole --------------------------------------------------------------------------


@wrong("flow", "is not there", "write flow = (...)")
def missing_flow() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...


@wrong("flow", "is empty", "write the leaves")
def empty_flow() -> None:
    class Wrong(Saga[Placed]):
        flow = ()


@wrong("flow", "is empty", "write the leaves")
def flow_of_empty_sequences() -> None:
    class Wrong(Saga[Placed]):
        flow = ((), ((),))


@wrong("pay", "does not stand in the flow", "put it in")
def unused_leaf() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = refund


@wrong("pay", "stands in the flow twice", "write a second method")
def leaf_that_stands_twice() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = (pay, scope(pay))


@wrong("refund", "stands in the flow twice", "write a second method")
def leaf_that_is_also_a_compensation_of_a_scope() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = (scope(pay, compensation=refund), refund)


@wrong("pay", "belongs to Other, not to Wrong", "declare a method of Wrong")
def leaf_of_another_saga() -> None:
    class Wrong(Saga[Placed]):
        flow = Other.pay


@wrong("pay", "belongs to Other, not to Wrong", "declare a method of Wrong")
def leaf_of_another_saga_as_compensation_of_a_scope() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def refund(self) -> Refund: ...

        flow = scope(refund, compensation=Other.pay)


@wrong("pay", "is not the attribute pay of Wrong: another one took its name", "a name of its own")
def two_leaves_of_one_name() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        first = scope(pay)

        @step()
        def pay(self) -> Refund: ...

        flow = first


@wrong("'pay'", "is a string", "without quotes")
def string_in_the_flow() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def refund(self) -> Refund: ...

        flow = (refund, "pay")


@wrong("total", "is a plain function", "decorate it: @step()")
def plain_function_in_the_flow() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def refund(self) -> Refund: ...

        def total(self) -> int: ...

        flow = (refund, total)


@wrong("end", "is the function that makes a block", "call it: end(...)")
def block_that_is_not_called() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def refund(self) -> Refund: ...

        flow = (refund, end)


@wrong("is_odd", "is a condition, not a leaf", "write choice((is_odd, block))")
def condition_in_the_flow() -> None:
    class Wrong(Saga[Placed]):
        @condition
        def is_odd(self) -> bool: ...

        flow = is_odd


@wrong("undo", "is a compensation, which runs by itself", "leave it out")
def compensation_in_the_flow() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self) -> Refund: ...

        flow = (pay, undo)


@wrong("[<step Wrong.pay>]", "is a list", "as a tuple")
def list_in_the_flow() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = [pay]


@wrong("Other", "is neither a leaf nor a block", "leaves of its saga")
def class_in_the_flow() -> None:
    class Wrong(Saga[Placed]):
        flow = Other


# --- what is never reached ------------------------------------------------------------------------


@wrong("pay", "never goes on behind refuse-1", "move it before refuse-1")
def leaf_behind_a_refuse() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = (refuse("no", code="no"), pay)


@wrong("scope-1", "never goes on behind terminate-1", "take it out")
def scope_behind_an_end() -> None:
    """Only the first thing behind is named, not what is in it."""

    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = (end(), (), scope(pay), refund)


@wrong("pay", "never goes on behind again-1", "move it")
def leaf_behind_an_again() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(catch={"no": (again(at_most=1), pay)})


@wrong("pay", "never goes on behind choice-1", "move it")
def leaf_behind_a_choice_that_always_ends() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = (choice((is_odd, (refund, end())), otherwise=refuse("no", code="no")), pay)


@wrong("pay", "never goes on behind parallel-1", "move it")
def leaf_behind_a_parallel_with_a_branch_that_always_ends() -> None:
    """The other branches would wait for it for ever."""

    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = (parallel(refund, refuse("no", code="no")), pay)


@wrong("pay", "never goes on behind scope-1", "move it")
def leaf_behind_a_scope_that_always_refuses() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = (scope(refuse("no", code="no"), catch={"no": refuse("no", code="never")}), pay)


@wrong("pay", "never goes on behind refuse-1", "move it")
def leaf_behind_a_sequence_that_ends() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        flow = ((refund, refuse("no", code="no")), pay)


# --- blocks ---------------------------------------------------------------------------------------


@wrong("choice-1", "has no cases", "(condition, block)")
def choice_without_cases() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = choice(otherwise=pay)


@wrong("choice-1", "case 1 is no pair", "a sequence in it is a tuple of its own")
def choice_with_a_case_that_is_no_pair() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def refund(self) -> Refund: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = choice((is_odd, pay, refund))


@wrong("choice-1", "case 1 begins with pay, which is not a condition", "a method with @condition")
def choice_that_asks_a_step() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = (choice((pay, ())), pay)


@wrong("is_odd", "belongs to Other, not to Wrong", "declare a method of Wrong")
def choice_that_asks_a_condition_of_another_saga() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = choice((Other.is_odd, pay))


@wrong("choice-1", "case 2 asks is_odd again, which case 1 has asked", "take one of them out")
def choice_that_asks_twice() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @condition
        def is_odd(self) -> bool: ...

        flow = choice((is_odd, pay), (is_odd, ()))


@wrong("parallel-1", "has no branches", "two or more")
def parallel_without_branches() -> None:
    class Wrong(Saga[Placed]):
        flow = parallel()


@wrong("parallel-1", "has 1 branch", "a sequence needs no parallel")
def parallel_with_one_branch() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = parallel(pay)


@wrong("scope-1", "timeout is -1 day, 0:00:00, which is not positive", "a positive timedelta")
def scope_with_a_negative_timeout() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, timeout=-DAY)


@wrong("scope-1", "catch is ['no']", 'catch={"code": block}')
def catch_that_is_no_mapping() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch=["no"])


@wrong("scope-1", "catches ''", "a string that is not empty")
def catch_of_an_empty_code() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch={"": ()})


@wrong("scope-1", "catches 404", "a string that is not empty")
def catch_of_a_number() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch={404: ()})


@wrong("scope-1", "catches 'cancelled', which is never caught", "take it out")
def catch_of_a_cancel() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch={"cancelled": ()})


@wrong("scope-1", "its compensation is undo, which is not a step", "@step()")
def scope_undone_by_a_compensation() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self) -> Refund: ...

        flow = scope(pay, compensation=undo)


@wrong("refund", "is the compensation of scope-1, and has a timeout, which is never used", "@step() alone")
def compensation_of_a_scope_with_options() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step(timeout=DAY)
        def refund(self) -> Refund: ...

        flow = scope(pay, compensation=refund)


@wrong("again-1", "stands outside of every catch block", "in a catch block of the scope")
def again_outside_of_a_catch() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, again(at_most=1))


@wrong("again-1", "stands in scope-2, an inner scope", "in a catch block of the scope")
def again_in_an_inner_scope() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch={"no": scope(again(at_most=1))})


@wrong("again-1", "stands in parallel-1, whose other branches are still under way", "in a catch block")
def again_in_a_parallel() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch={"no": parallel((), again(at_most=1))})


@wrong("again-1", "at_most is 0", "a whole number from 1")
def again_never() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        flow = scope(pay, catch={"no": again(at_most=0)})


@wrong("refuse-1", "its code is ''", "a string that is not empty")
def refuse_without_a_code() -> None:
    class Wrong(Saga[Placed]):
        flow = refuse("no", code="")


@wrong("refuse-1", "its code 'timeout' is reserved for the machine", "another code")
def refuse_with_a_reserved_code() -> None:
    class Wrong(Saga[Placed]):
        flow = refuse("no", code="timeout")


@wrong("refuse-1", "its reason is None", "a sentence for people")
def refuse_without_a_reason() -> None:
    class Wrong(Saga[Placed]):
        flow = refuse(None, code="no")


# --- names ----------------------------------------------------------------------------------------


@wrong("input", "is a name that every saga has", "rename it")
def leaf_called_input() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def input(self) -> Pay: ...

        flow = input


@wrong("tags", "is a name that every saga has", "rename it")
def attribute_called_tags() -> None:
    class Wrong(Saga[Placed]):
        tags = {"a": "b"}

        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("_saga_pay", "begins with _saga", "rename it")
def leaf_with_a_name_of_the_library() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def _saga_pay(self) -> Pay: ...

        flow = _saga_pay


@wrong("start", "is a node that every graph has", "start_it")
def leaf_called_start() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def start(self) -> Pay: ...

        flow = start


@wrong("flow", "is the name of the flow", "rename the method")
def leaf_called_flow() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def flow(self) -> Pay: ...


@wrong("otherwise", "is what the last way of a choice is called", "rename the condition")
def condition_called_otherwise() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @condition
        def otherwise(self) -> bool: ...

        flow = choice((otherwise, pay))


@wrong("__init__", "is defined, but sagas are made by the runtime", "self.input")
def constructor() -> None:
    class Wrong(Saga[Placed]):
        def __init__(self) -> None: ...

        @step()
        def pay(self) -> Pay: ...

        flow = pay


# --- steps and compensations ----------------------------------------------------------------------


@wrong("pay", "has no return annotation", "-> TakePayment")
def step_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self): ...

        flow = pay


@wrong("pay", "returns Paid, which is not a Command", "annotate it with the command")
def step_that_returns_no_command() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Paid: ...

        flow = pay


@wrong("pay", "which is not a Command", "annotate it with the command")
def step_that_returns_one_of_two_commands() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay | Refund: ...

        flow = pay


@wrong("pay", "sends Unanswered, which does not say what its answer is", "Command[TheAnswer]")
def step_whose_command_has_no_answer() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Unanswered: ...

        flow = pay


@wrong("pay", "NameError: name 'OnlyForTypeCheckers' is not defined", "at module level")
def annotation_that_cannot_be_resolved() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> OnlyForTypeCheckers: ...

        flow = pay


@wrong("pay", "is async", "plain def that returns at once")
def async_step() -> None:
    class Wrong(Saga[Placed]):
        @step()
        async def pay(self) -> Pay: ...

        flow = pay


@wrong("pay", "is a generator", "plain def that returns at once")
def step_that_yields() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay:
            yield Pay("1")

        flow = pay


@wrong("pay", "is not a plain method", "def pay(self)")
def step_that_is_a_static_method() -> None:
    class Wrong(Saga[Placed]):
        @step()
        @staticmethod
        def pay() -> Pay: ...

        flow = pay


@wrong("pay", "does not take self", "def pay(self)")
def step_without_self() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay() -> Pay: ...

        flow = pay


@wrong("pay", "takes an item, but stands in no each", "nothing but self")
def step_with_an_argument() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self, amount: int) -> Pay: ...

        flow = pay


@wrong("pay", "takes arguments beside self (amount: 'int', currency: 'str')", "nothing but self")
def step_with_two_arguments() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self, amount: int, currency: str) -> Pay: ...

        flow = pay


@wrong("undo", "takes more than the answer", "at most the answer of its step")
def compensation_with_two_arguments() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self, paid: Paid | None, why: str) -> Refund: ...

        flow = pay


@wrong("undo", "takes more than the answer", "at most the answer of its step")
def compensation_with_a_named_argument() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self, *, paid: Paid | None) -> Refund: ...

        flow = pay


@wrong("undo", "returns Paid, which is not a Command", "annotate it with the command")
def compensation_that_returns_no_command() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self) -> Paid: ...

        flow = pay


@wrong("pay", "has several compensations: undo, undo_again", "keep one")
def two_compensations_of_one_step() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self) -> Refund: ...

        @pay.compensation
        def undo_again(self) -> Refund: ...

        flow = pay


@wrong("undo", "is the compensation of pay, but another method took its name", "a name of its own")
def two_compensations_of_one_name() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @step()
        def pay_more(self) -> Pay: ...

        @pay.compensation
        def undo(self) -> Refund: ...

        @pay_more.compensation
        def undo(self) -> Refund: ...  # noqa: F811

        flow = (pay, pay_more)


@wrong("undo", "is the compensation of a step whose name another method took", "a name of its own")
def compensation_of_a_step_that_was_replaced() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @pay.compensation
        def undo(self) -> Refund: ...

        @step()
        def pay(self) -> Pay: ...

        flow = pay


@wrong("undo", "is declared as the compensation of Other.pay outside of that class", "in the body of Other")
def compensation_outside_of_the_class() -> None:
    @Other.pay.compensation
    def undo(self: Other) -> Refund: ...


@wrong("pay", "timeout is 5, which is no timedelta", "timedelta(seconds=...)")
def timeout_that_is_a_number() -> None:
    class Wrong(Saga[Placed]):
        @step(timeout=5)
        def pay(self) -> Pay: ...

        flow = pay


@wrong("pay", "timeout is 0:00:00, which is not positive", "a positive timedelta")
def timeout_of_nothing() -> None:
    class Wrong(Saga[Placed]):
        @step(timeout=timedelta())
        def pay(self) -> Pay: ...

        flow = pay


@wrong("pay", "more than a hundred years", "a shorter one")
def timeout_for_ever() -> None:
    class Wrong(Saga[Placed]):
        @step(timeout=timedelta.max)
        def pay(self) -> Pay: ...

        flow = pay


@wrong("pay", "pivot is 'yes'", "True or False")
def pivot_that_is_no_bool() -> None:
    class Wrong(Saga[Placed]):
        @step(pivot="yes")
        def pay(self) -> Pay: ...

        flow = pay


@wrong("pay", "retry is 3", "Retry(attempts=...)")
def retry_that_is_a_number() -> None:
    class Wrong(Saga[Placed]):
        @step(retry=3)
        def pay(self) -> Pay: ...

        flow = pay


@pytest.mark.parametrize(
    ("retry", "what", "remedy"),
    [
        (Retry(attempts=0), "attempts of Retry is 0", "a whole number from 1"),
        (Retry(attempts=2.5), "attempts of Retry is 2.5", "a whole number from 1"),
        (Retry(first=timedelta()), "first of Retry is 0:00:00", "a positive timedelta"),
        (Retry(first=None), "first of Retry is None", "timedelta(seconds=...)"),
        (Retry(max=-DAY), "max of Retry is -1 day", "a positive timedelta"),
        (Retry(first=2 * DAY, max=DAY), "less than first", "not shorter than the first"),
        (Retry(factor=0.5), "factor of Retry is 0.5", "a number from 1"),
        (Retry(factor=float("inf")), "factor of Retry is inf", "a number from 1"),
        (Retry(factor="2"), "factor of Retry is '2'", "a number from 1"),
        (Retry(jitter=1.5), "jitter of Retry is 1.5", "a number from 0 to 1"),
        (Retry(jitter=float("nan")), "jitter of Retry is nan", "a number from 0 to 1"),
    ],
)
def test_retry_out_of_range_is_refused(retry: Retry, what: str, remedy: str) -> None:
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Saga[Placed]):
            @step(retry=retry)
            def pay(self) -> Pay: ...

            flow = pay

    (problem,) = caught.value.problems
    assert problem.element == "pay"
    assert what in problem.what
    assert remedy in problem.remedy


# --- waits, sleeps, conditions --------------------------------------------------------------------


@wrong("placed", "waits for Pay, which is not an Event", "@wait(TheEvent), a class derived from Event")
def wait_for_a_command() -> None:
    class Wrong(Saga[Placed]):
        @wait(Pay)
        def placed(self) -> str: ...

        flow = placed


@wrong("placed", "waits for Happened, which has no key field", "order_id: Key[str]")
def wait_for_an_event_without_key() -> None:
    class Wrong(Saga[Placed]):
        @wait(Happened)
        def placed(self) -> str: ...

        flow = placed


@wrong("placed", "waits for TwoKeys: TwoKeys.other is a second key", "mark one field only")
def wait_for_an_event_with_two_keys() -> None:
    class Wrong(Saga[Placed]):
        @wait(TwoKeys)
        def placed(self) -> str: ...

        flow = placed


@wrong("placed", "has no return annotation", "-> str")
def wait_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self): ...

        flow = placed


@wrong("placed", "returns int as the key, but Placed.id is str", "return str")
def wait_with_a_key_that_never_matches() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed)
        def placed(self) -> int: ...

        flow = placed


@wrong("placed", "within is 0:00:00, which is not positive", "a positive timedelta")
def wait_within_nothing() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed, within=timedelta())
        def placed(self) -> str: ...

        flow = placed


@wrong("placed", "has otherwise=..., but no time after which it would happen", "within=")
def otherwise_without_within() -> None:
    class Wrong(Saga[Placed]):
        @wait(Placed, otherwise=())
        def placed(self) -> str: ...

        flow = placed


@wrong("nap", "returns int, which is no time to sleep", "-> timedelta (how long)")
def sleep_that_returns_a_number() -> None:
    class Wrong(Saga[Placed]):
        @sleep
        def nap(self) -> int: ...

        flow = nap


@wrong("nap", "has no return annotation", "-> timedelta (how long)")
def sleep_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @sleep
        def nap(self): ...

        flow = nap


@wrong("is_odd", "returns str, which is not bool", "annotate it -> bool")
def condition_that_is_no_bool() -> None:
    class Wrong(Saga[Placed]):
        @step()
        def pay(self) -> Pay: ...

        @condition
        def is_odd(self) -> str: ...

        flow = choice((is_odd, pay))


@wrong("tell", "has no return annotation", "the type of the answer")
def answer_without_annotation() -> None:
    class Wrong(Saga[Placed]):
        @answer
        def tell(self): ...

        flow = tell


# --- types ----------------------------------------------------------------------------------------


def test_types_that_cannot_be_stored_are_refused_with_the_path_of_the_field() -> None:
    """Of commands, of answers, of events and of the saga's own answer."""
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Saga[Placed]):
            @step()
            def pay(self) -> Odd: ...

            @answer
            def tell(self) -> list[Any]: ...

            flow = (pay, tell)

    assert [(problem.element, problem.what) for problem in caught.value.problems] == [
        ("Odd.anything", "Any may hold anything"),
        ("Taken", "Taken is not a type that can be stored"),
        ("list[typing.Any][]", "Any may hold anything"),
    ]


def test_two_types_of_one_stored_name_are_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Refund(Command[None]):
        id: int

    also = Refund

    with pytest.raises(DefinitionError) as caught:

        class Wrong(Saga[Placed]):
            @step()
            def refund(self) -> _Refund: ...

            @step()
            def refund_more(self) -> also: ...

            flow = (refund, refund_more)

    (problem,) = caught.value.problems
    assert "has the stored name Refund/1" in problem.what
    assert "__saga_type__" in problem.remedy


_Refund = Refund


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", wrong.cases)
def test_definition_error(case: Refusal) -> None:
    case.check()


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Saga[Placed], version=0):
            @step(timeout=timedelta())
            def pay(self) -> Paid: ...

            @wait(Happened)
            def happened(self) -> str: ...

            @step(pivot=True)
            def confirm(self) -> Pay: ...

            flow = (confirm, again(at_most=0), refuse("no", code="failed"), pay, "happened")

    assert caught.value.subject == "Wrong"
    assert [problem.element for problem in caught.value.problems] == [
        "version",
        "pay",
        "happened",
        "again-1",
        "refuse-1",
        "pay",
        "refuse-1",
        "again-1",
        "'happened'",
        "happened",
    ]
    assert str(caught.value).startswith("Wrong: 10 problems\n  - version: is 0; ")


def test_the_rules_of_the_pivot_are_checked_beside_the_others() -> None:
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Saga[Placed]):
            @step(pivot=True)
            def pay(self) -> Paid: ...

            flow = (pay, refuse("no", code="no"))

    assert [problem.element for problem in caught.value.problems] == ["pay", "refuse-1"]
