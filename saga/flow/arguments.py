"""What the author's functions are called with: `self`, in an `each` the item, and a compensation with the answer.

Rules
1. They are plain methods: `self` is the saga, the item comes next, the answer of its step last.
2. The item is annotated with its type, since it is decoded for the method. The answer of a compensation may be; then
   the type includes None, which it is when the outcome of the step is unknown.
3. They return at once and do no I/O, so none of them is `async` or a generator.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saga.errors import Problem
from saga.flow.elements import Compensation, Method, takes_item
from saga.flow.hints import MISSING, annotation_of, members_of, shown

__all__ = ["AT_MODULE_LEVEL", "Taken", "answer_problem", "is_plain", "read_arguments"]

AT_MODULE_LEVEL = "define or import the type at module level, before the saga (not under `if TYPE_CHECKING`)"
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a method takes beside `self`: the types are as annotated, None when that is not known."""

    item: str = ""
    """Name of the argument; empty when it takes none."""
    answer: str = ""
    item_type: Any = None


def is_plain(method: Method, problems: list[Problem]) -> bool:
    """Return whether it is a plain method, and report it if not."""
    function = method.function
    if not inspect.isfunction(function):
        problems.append(
            Problem(method.name, "is not a plain method", f"write def {method.name}(self) -> ...")
        )
        return False
    words = {
        "is async": inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
        "is a generator": inspect.isgeneratorfunction(function),
    }
    for what, holds in words.items():
        if holds:
            remedy = "write a plain def that returns at once; I/O belongs in the handler of a command"
            problems.append(Problem(method.name, what, remedy))
            return False
    return True


def read_arguments(method: Method, names: Mapping[str, object], problems: list[Problem]) -> Taken:
    """Return what a plain method takes; `names` resolve its annotations. Adds to `problems`."""
    own, *more = inspect.signature(method.function).parameters.values() or (None,)
    if own is None or own.kind not in _POSITIONAL:
        remedy = f"write def {method.name}(self) -> ..."
        problems.append(Problem(method.name, "does not take self", remedy))
        return Taken()
    if isinstance(method, Compensation):
        taken = _of_compensation(method, more, problems)
    else:
        taken = _of_leaf(method, more, problems)
    if not taken.item:
        return taken
    return Taken(taken.item, taken.answer, _item_type(method, taken.item, names, problems))


def _of_leaf(method: Method, more: list[inspect.Parameter], problems: list[Problem]) -> Taken:
    if len(more) > 1 or not all(each.kind in _POSITIONAL for each in more):
        remedy = (
            "it takes nothing but self, and the item in an each; what came back earlier is in self.<leaf>"
        )
        problems.append(Problem(method.name, f"takes arguments beside self ({_listed(more)})", remedy))
        return Taken()
    return Taken(item=more[0].name if more else "")


def _of_compensation(
    method: Compensation[Any], more: list[inspect.Parameter], problems: list[Problem]
) -> Taken:
    for_item = method.of is not None and takes_item(method.of)
    if len(more) > 1 + for_item or not all(each.kind in _POSITIONAL for each in more):
        what = f"takes more than {'the item and the answer' if for_item else 'the answer'} ({_listed(more)})"
        remedy = (
            f"a compensation takes self, {'the item, and' if for_item else ''} at most the answer of its step"
        )
        problems.append(Problem(method.name, what, " ".join(remedy.split())))
        return Taken()
    if for_item and not more:
        remedy = f"write def {method.name}(self, item) -> ..., with the type of the item"
        problems.append(Problem(method.name, "does not take the item, as its step does", remedy))
        return Taken()
    arguments = [each.name for each in more]
    item = arguments.pop(0) if for_item else ""
    return Taken(item, arguments[0] if arguments else "")


def _listed(parameters: list[inspect.Parameter]) -> str:
    return ", ".join(map(str, parameters))


def _item_type(method: Method, name: str, names: Mapping[str, object], problems: list[Problem]) -> Any:
    try:
        found = annotation_of(method.function, name, names)
    except Exception as error:
        what = f"the annotation of {name} cannot be resolved ({type(error).__name__}: {error})"
        problems.append(Problem(method.name, what, AT_MODULE_LEVEL))
        return None
    if found is MISSING:
        what, remedy = f"does not say what {name} is", f"annotate {name} with the type of the items"
        problems.append(Problem(method.name, what, remedy))
        return None
    return found


def answer_problem(method: Method, name: str, answer: Any, names: Mapping[str, object]) -> Problem | None:
    """Return what is wrong with the annotation of a compensation's argument `name`; `answer`: that of its step."""
    try:
        given = annotation_of(method.function, name, names)
    except Exception:  # a class for type checkers only: nothing here needs it
        return None
    if given is MISSING:
        return None
    answer = types.NoneType if answer is None else answer
    if all(_takes(given, each) for each in (*members_of(answer), types.NoneType)):
        return None
    step = method.of.name if isinstance(method, Compensation) and method.of is not None else "its step"
    right = "None" if answer is types.NoneType else f"{shown(answer)} | None"
    what = f"takes {name}: {shown(given)}, but what {step} leads to is {right} (None: outcome unknown)"
    return Problem(method.name, what, f"annotate it {name}: {right}, or take it out")


def _takes(given: Any, kind: Any) -> bool:
    """Return whether a value of type `kind` may be given; True when that is hard to tell."""
    for each in members_of(given):
        if each in (Any, object, kind) or typing.get_origin(each) is not None:
            return True
        if not isinstance(each, type) or (isinstance(kind, type) and issubclass(kind, each)):
            return True
    return False
