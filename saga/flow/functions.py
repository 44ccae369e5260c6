"""The author's functions of a saga: what each is called with, and what it says it returns.

Rules
1. A step and a compensation return one `Command`, whose class says what its answer is; a call the input of the saga
   that is called. A wait returns the key of its event, a task what a person is shown, a publish an event, a sleep a
   timedelta or datetime, a condition a bool, an answer the answer of the saga, items a list or tuple.
2. What they are called with is looked at in `arguments`.
3. What cannot be made sense of is a problem, and is left out, so that the others are still looked at.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NewType, TypeAlias

from saga.errors import DefinitionError, Problem
from saga.flow.arguments import AT_MODULE_LEVEL, answer_problem, is_plain, read_arguments
from saga.flow.compile import graph_of
from saga.flow.elements import (
    Answer,
    Call,
    Compensation,
    Condition,
    Items,
    Method,
    Publish,
    Sleep,
    Step,
    Task,
    Wait,
)
from saga.flow.hints import MISSING, members_of, return_type, shown
from saga.messages import Command, Event, answer_type, key_field

__all__ = ["Function", "Kind", "read_functions"]

Kind: TypeAlias = Literal[
    "step", "call", "compensation", "wait", "task", "sleep", "publish", "items", "answer", "condition"
]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the author.

    - `call`: the function itself; its first argument is an instance of the saga;
    - `message`: the type of the command or event it returns, of the event it waits for, of the input it calls a saga
      with, of what a person is shown; else None;
    - `answer`: the type of what comes back: R of the command for a step and for a compensation, the answer of the saga
      that is called, the decision, the declared return of an `@answer` or `@items`; None for `Command[None]` and for
      the others;
    - `takes_item`: it stands in an `each`, and takes the item as an argument;
    - `takes_answer`: a compensation that takes the answer of its step (None: outcome unknown) as an argument;
    - `item`: the type of what it takes as the item; None when it takes none, or that is not known;
    - `lists`: for `@items`, the type of one item.
    """

    name: str
    kind: Kind
    call: Callable[..., Any]
    message: type[Any] | None = None
    answer: Any = None
    takes_answer: bool = False
    takes_item: bool = False
    item: Any = None
    lists: Any = None


def read_functions(
    methods: Iterable[Method], names: Mapping[str, object], problems: list[Problem]
) -> dict[str, Function]:
    """Return the functions of `methods` by name; `names` resolve their annotations. Adds to `problems`."""
    reader = _Reader(names, problems)
    for method in methods:
        function = reader.read(method)
        if function is not None:
            reader.found[function.name] = function
    return reader.found


class _Reader:
    def __init__(self, names: Mapping[str, object], problems: list[Problem]) -> None:
        self.names = names
        self.problems = problems
        self.found: dict[str, Function] = {}
        """Those that were read, by name: a step before what undoes it."""

    def problem(self, method: Method, what: str, remedy: str) -> None:
        self.problems.append(Problem(method.name, what, remedy))

    def read(self, method: Method) -> Function | None:
        if not is_plain(method, self.problems):
            return None
        taken = read_arguments(method, self.names, self.problems)
        function = self.function(method)
        if function is None:
            return None
        if taken.answer:
            self.undoing(method, taken.answer)
        return replace(
            function, takes_item=bool(taken.item), takes_answer=bool(taken.answer), item=taken.item_type
        )

    def undoing(self, method: Method, argument: str) -> None:
        """Look at the answer that a compensation takes."""
        of = method.of if isinstance(method, Compensation) else None
        step = self.found.get(of.name) if of is not None else None
        if step is not None:
            problem = answer_problem(method, argument, step.answer, self.names)
            self.problems.extend([problem] if problem is not None else [])

    def function(self, method: Method) -> Function | None:
        match method:
            case Call():
                return self.calling(method)
            case Step():
                return self.sending(method, "step")
            case Compensation():
                return self.sending(method, "compensation")
            case Wait():
                return self.waiting(method)
            case Task():
                return self.asking_a_person(method)
            case Sleep():
                return self.sleeping(method)
            case Publish():
                return self.publishing(method)
            case Items():
                return self.listing(method)
            case Answer():
                return self.answering(method)
            case Condition():
                return self.asking(method)
            case _:
                raise AssertionError(method)

    # --- what it returns --------------------------------------------------------------------------

    def returned(self, method: Method, remedy: str) -> Any:
        """Return the type that `method` is annotated to return, or MISSING, with the problem added."""
        try:
            returned = return_type(method.function, self.names)
        except Exception as error:
            self.problem(
                method,
                f"its return annotation cannot be resolved ({type(error).__name__}: {error})",
                AT_MODULE_LEVEL,
            )
            return MISSING
        if returned is MISSING:
            self.problem(method, "has no return annotation", remedy)
        return returned

    def sending(self, method: Method, kind: Literal["step", "compensation"]) -> Function | None:
        remedy = "annotate it with the command it sends, such as -> TakePayment"
        command = self.returned(method, remedy)
        if command is MISSING:
            return None
        if not (isinstance(command, type) and issubclass(command, Command)):
            self.problem(method, f"returns {shown(command)}, which is not a Command", remedy)
            return None
        try:
            answer = answer_type(command)
        except DefinitionError as error:
            self.problems.extend(
                Problem(method.name, f"sends {command.__name__}, which {each.what}", each.remedy)
                for each in error.problems
            )
            return None
        return Function(method.name, kind, method.function, command, answer)

    def calling(self, call: Call[Any, Any]) -> Function | None:
        definition = vars(call.saga).get("_saga_definition") if isinstance(call.saga, type) else None
        if graph_of(call.saga) is None or definition is None:
            what = f"calls {shown(call.saga)}, which is no saga with a flow"
            self.problem(call, what, "write @call(TheSaga), a class derived from Saga that has a flow")
            return None
        input = self.returned(call, f"annotate it with the input of {call.saga.__name__}")
        if input is MISSING:
            return None
        if input is not definition.input:
            what = (
                f"returns {shown(input)}, but {call.saga.__name__} is started with {shown(definition.input)}"
            )
            self.problem(call, what, f"annotate it -> {shown(definition.input)}")
            return None
        if call.answer not in (None, types.NoneType, definition.answer):
            what = (
                f"expects {shown(call.answer)}, but {call.saga.__name__} answers {shown(definition.answer)}"
            )
            self.problem(call, what, f"write answer={shown(definition.answer)}, or leave it out")
            return None
        return Function(call.name, "call", call.function, input, definition.answer)

    def asking_a_person(self, task: Task[Any, Any]) -> Function | None:
        returned = self.returned(task, "annotate it with the type of what the person is shown, or None")
        if returned is MISSING:
            return None
        subject = None if returned is types.NoneType else returned
        answer = None if task.answer is types.NoneType else task.answer
        if not (answer is None or isinstance(answer, type) or typing.get_origin(answer) is not None):
            what = f"asks for {answer!r:.80}, which is no type"
            self.problem(task, what, "write answer=TheDecision, the type itself")
            return None
        return Function(task.name, "task", task.function, subject, answer)

    def publishing(self, publish: Publish[Any]) -> Function | None:
        remedy = "annotate it with the event it publishes, such as -> OrderPlaced"
        event = self.returned(publish, remedy)
        if event is MISSING:
            return None
        if not (isinstance(event, type) and issubclass(event, Event)):
            self.problem(publish, f"returns {shown(event)}, which is not an Event", remedy)
            return None
        try:
            key_field(event)
        except DefinitionError as error:
            self.problems.extend(
                Problem(publish.name, f"publishes {event.__name__}: {each.element} {each.what}", each.remedy)
                for each in error.problems
            )
            return None
        return Function(publish.name, "publish", publish.function, event)

    def listing(self, items: Items[Any, Any]) -> Function | None:
        remedy = "annotate it -> list[TheItem], or -> tuple[TheItem, ...]"
        returned = self.returned(items, remedy)
        if returned is MISSING:
            return None
        origin, arguments = typing.get_origin(returned), typing.get_args(returned)
        is_list = origin is list and len(arguments) == 1
        is_tuple = origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis
        if not (is_list or is_tuple):
            self.problem(items, f"returns {shown(returned)}, which is no list of items", remedy)
            return None
        return Function(items.name, "items", items.function, answer=returned, lists=arguments[0])

    def waiting(self, wait: Wait[Any, Any]) -> Function | None:
        key = self.returned(wait, "annotate it with the type of the key, such as -> str")
        event: object = wait.event
        if not (isinstance(event, type) and issubclass(event, Event)):
            remedy = "write @wait(TheEvent), a class derived from Event"
            self.problem(wait, f"waits for {shown(event)}, which is not an Event", remedy)
            return None
        try:
            field = key_field(event)
            hint = typing.get_type_hints(event)[field] if field else None
        except DefinitionError as error:
            self.problems.extend(
                Problem(wait.name, f"waits for {event.__name__}: {each.element} {each.what}", each.remedy)
                for each in error.problems
            )
            return None
        except Exception as error:
            what = f"the annotations of {event.__name__} cannot be resolved ({type(error).__name__}: {error})"
            self.problem(wait, what, "define or import its types at module level, before the event")
            return None
        if field is None:
            what = f"waits for {event.__name__}, which has no key field"
            self.problem(wait, what, "mark the field it is matched by, such as order_id: Key[str]")
            return None
        if key is not MISSING and _never_equal(key, hint):
            what = f"returns {shown(key)} as the key, but {event.__name__}.{field} is {shown(hint)}"
            self.problem(wait, what, f"return {shown(hint)}")
        return Function(wait.name, "wait", wait.function, event)

    def sleeping(self, sleep: Sleep[Any]) -> Function | None:
        remedy = "annotate it -> timedelta (how long) or -> datetime (until when)"
        returned = self.returned(sleep, remedy)
        if returned is MISSING:
            return None
        if not set(members_of(returned)) <= {timedelta, datetime}:
            self.problem(sleep, f"returns {shown(returned)}, which is no time to sleep", remedy)
            return None
        return Function(sleep.name, "sleep", sleep.function)

    def answering(self, answer: Answer[Any, Any]) -> Function | None:
        returned = self.returned(answer, "annotate it with the type of the answer")
        if returned is MISSING:
            return None
        if returned is types.NoneType:
            self.problem(answer, "answers nothing", "return the answer, or leave this leaf out")
            return None
        return Function(answer.name, "answer", answer.function, answer=returned)

    def asking(self, condition: Condition[Any]) -> Function | None:
        remedy = "annotate it -> bool"
        returned = self.returned(condition, remedy)
        if returned is MISSING:
            return None
        if returned is not bool:
            self.problem(condition, f"returns {shown(returned)}, which is not bool", remedy)
            return None
        return Function(condition.name, "condition", condition.function)


def _never_equal(key: Any, field: Any) -> bool:
    """Return whether a key of type `key` cannot match the field; False when that is hard to tell."""
    key, field = _plain(key), _plain(field)
    if not (isinstance(key, type) and isinstance(field, type)):
        return False
    return not (issubclass(key, field) or issubclass(field, key))


def _plain(hint: Any) -> Any:
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    return hint
