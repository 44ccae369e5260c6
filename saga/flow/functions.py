"""The author's functions of a saga: what each is called with, and what it says it returns.

Rules
1. A step and a compensation return one `Command`, whose class says what its answer is. A wait returns the key
   of its event, a sleep a timedelta or datetime, a condition a bool, an answer the answer of the saga.
2. They are plain methods that take nothing but `self`, except a compensation, which may take the answer of
   its step. They return at once and do no I/O, so none of them is `async`.
3. What cannot be made sense of is a problem, and is left out, so that the others are still looked at.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NewType, TypeAlias

from saga.errors import DefinitionError, Problem
from saga.flow.elements import Answer, Compensation, Condition, Method, Sleep, Step, Wait
from saga.flow.hints import MISSING, return_type, shown
from saga.messages import Command, Event, answer_type, key_field

__all__ = ["Function", "Kind", "read_functions"]

Kind: TypeAlias = Literal["step", "compensation", "wait", "sleep", "answer", "condition"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the author.

    - `call`: the function itself; its first argument is an instance of the saga;
    - `message`: the type of the command it returns, or of the event it waits for; else None;
    - `answer`: the type of what comes back: R of the command for a step and for a compensation, the declared
      return of an `@answer`; None for `Command[None]` and for the others;
    - `takes_answer`: a compensation that takes the answer of its step (None: outcome unknown) as an argument.
    """

    name: str
    kind: Kind
    call: Callable[..., Any]
    message: type[Any] | None = None
    answer: Any = None
    takes_answer: bool = False


def read_functions(
    methods: Iterable[Method], names: Mapping[str, object], problems: list[Problem]
) -> dict[str, Function]:
    """Return the functions of `methods` by name; `names` resolve their annotations. Adds to `problems`."""
    reader = _Reader(names, problems)
    found = (reader.read(method) for method in methods)
    return {function.name: function for function in found if function is not None}


class _Reader:
    def __init__(self, names: Mapping[str, object], problems: list[Problem]) -> None:
        self.names = names
        self.problems = problems

    def problem(self, method: Method, what: str, remedy: str) -> None:
        self.problems.append(Problem(method.name, what, remedy))

    def read(self, method: Method) -> Function | None:
        if not self.is_plain(method):
            return None
        takes_answer = self.takes_answer(method)
        match method:
            case Step():
                return self.sending(method, "step", takes_answer)
            case Compensation():
                return self.sending(method, "compensation", takes_answer)
            case Wait():
                return self.waiting(method)
            case Sleep():
                return self.sleeping(method)
            case Answer():
                return self.answering(method)
            case Condition():
                return self.asking(method)
            case _:
                raise AssertionError(method)

    # --- what it is called with -------------------------------------------------------------------

    def is_plain(self, method: Method) -> bool:
        function = method.function
        if not inspect.isfunction(function):
            self.problem(method, "is not a plain method", f"write def {method.name}(self) -> ...")
            return False
        words = {
            "is async": inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
            "is a generator": inspect.isgeneratorfunction(function),
        }
        for what, holds in words.items():
            if holds:
                remedy = "write a plain def that returns at once; I/O belongs in the handler of a command"
                self.problem(method, what, remedy)
                return False
        return True

    def takes_answer(self, method: Method) -> bool:
        """Check the arguments of `method`; return whether it takes one beside `self`."""
        own, *more = inspect.signature(method.function).parameters.values() or (None,)
        if own is None or own.kind not in (own.POSITIONAL_ONLY, own.POSITIONAL_OR_KEYWORD):
            self.problem(method, "does not take self", f"write def {method.name}(self) -> ...")
            return False
        beside = ", ".join(str(each) for each in more)
        if not isinstance(method, Compensation):
            if more:
                remedy = "it takes nothing but self; what came back earlier is in self.<leaf>"
                self.problem(method, f"takes arguments beside self ({beside})", remedy)
            return False
        if len(more) > 1 or any(
            each.kind not in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in more
        ):
            remedy = "a compensation takes self, and at most the answer of its step"
            self.problem(method, f"takes more than the answer ({beside})", remedy)
            return False
        return bool(more)

    # --- what it returns --------------------------------------------------------------------------

    def returned(self, method: Method, remedy: str) -> Any:
        """Return the type that `method` is annotated to return, or MISSING, with the problem added."""
        try:
            returned = return_type(method.function, self.names)
        except Exception as error:
            self.problem(
                method,
                f"its return annotation cannot be resolved ({type(error).__name__}: {error})",
                "define or import the type at module level, before the saga (not under `if TYPE_CHECKING`)",
            )
            return MISSING
        if returned is MISSING:
            self.problem(method, "has no return annotation", remedy)
        return returned

    def sending(
        self, method: Method, kind: Literal["step", "compensation"], takes_answer: bool
    ) -> Function | None:
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
        return Function(method.name, kind, method.function, command, answer, takes_answer)

    def waiting(self, wait: Wait[Any, Any]) -> Function | None:
        key = self.returned(wait, "annotate it with the type of the key, such as -> str")
        event: object = wait.event
        if not (isinstance(event, type) and issubclass(event, Event)):
            self.problem(wait, f"waits for {shown(event)}, which is not an Event", "derive it from Event")
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
        if not set(_members(returned)) <= {timedelta, datetime}:
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


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


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
