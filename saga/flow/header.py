"""What the class line of a saga says: `class CollectPayment(Saga[TakePayment], context=Payment, version=2)`.

Rules
1. The name is a word that can stand in ids and file names; versions count from 1.
2. The input is a dataclass or a `msgspec.Struct`. A saga of a context answers the command that is its input;
   only a saga whose input is an event is started by it.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import msgspec

from saga.errors import Problem
from saga.flow.hints import shown
from saga.messages import Command, Event
from saga.participants import Context

__all__ = ["LONGEST", "Header", "header_problems"]

LONGEST = timedelta(days=36_525)
"""A hundred years: more is a mistake, and the sum with a date would overflow."""

_NAME = re.compile(r"[A-Za-z_][\w.\-]*")


@dataclass(frozen=True, slots=True)
class Header:
    """The class line, as it was given: nothing in it is checked yet."""

    name: object
    version: object
    input: object
    """What stands in `Saga[...]`: a type, a TypeVar, or None."""
    context: object
    started_by_event: object
    deadline: object = None


def header_problems(header: Header) -> list[Problem]:
    """Return what is wrong with the class line."""
    problems: list[Problem] = []

    def problem(element: str, what: str, remedy: str) -> None:
        problems.append(Problem(element, what, remedy))

    if not (isinstance(header.name, str) and _NAME.fullmatch(header.name)):
        problem(
            "name", f"is {header.name!r}", "write letters, digits, '_', '-' and '.', beginning with a letter"
        )
    if type(header.version) is not int or header.version < 1:
        problem("version", f"is {header.version!r}", "write a whole number from 1")
    given = header.input
    if given is None or isinstance(given, TypeVar):
        problem("input", "is not given", "derive the saga from Saga[TheInput]")
    elif not (dataclasses.is_dataclass(given) or _is(given, msgspec.Struct)):
        remedy = "derive the saga from Saga[TheInput], a dataclass"
        problem("input", f"is {shown(given)}, which is no dataclass", remedy)
    if header.context is not None:
        if not _is(header.context, Context):
            what = f"is {shown(header.context)}, which is no Context"
            problem("context", what, "give a class derived from Context")
        if not _is(given, Command):
            problem("context", "is given, but the input is no Command that could be answered", "leave it out")
    if not isinstance(header.started_by_event, bool):
        problem("started_by_event", f"is {header.started_by_event!r}", "write True or False")
    elif header.started_by_event and not _is(given, Event):
        problem("started_by_event", "is True, but the input is no Event", "derive the input from Event")
    deadline = header.deadline
    if deadline is not None and not (isinstance(deadline, timedelta) and timedelta() < deadline <= LONGEST):
        problem("deadline", f"is {deadline!r}", "write a positive timedelta, of a hundred years at most")
    return problems


def _is(given: object, base: type) -> bool:
    return isinstance(given, type) and issubclass(given, base)
