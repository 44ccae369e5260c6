"""Who takes part: the contexts and gateways given to a runtime, checked together with the sagas that need them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from saga.codec import TypeRegistry
from saga.errors import DefinitionError, Problem
from saga.flow.definition import Definition
from saga.messages import Command, Event, answer_type
from saga.participants import Context, Gateway, handlers_of, listeners_of, participant_name

__all__ = ["Given", "Participant", "read_participants"]

Given: TypeAlias = type[Context] | type[Gateway] | Callable[[], Context] | Callable[[], Gateway]
"""A participant as it is given to a runtime: its class, or what makes it."""

RESERVED_NAMES = frozenset({"saga", "runtime", "coordinator", "supervisor", "timekeeper"})


@dataclass(frozen=True, slots=True)
class Participant:
    """A context or gateway. `make` makes one; it is called again when its actor is restarted."""

    name: str
    kind: Literal["context", "gateway"]
    cls: type[Context] | type[Gateway]
    make: Callable[[], Any]
    commands: Mapping[type[Command[Any]], str]
    events: Mapping[type[Event], str]

    @property
    def credit(self) -> int:
        """How many commands may be with it at the same time (DESIGN section 6)."""
        return max(64, 2 * self.concurrency)

    @property
    def concurrency(self) -> int:
        """How many of them it carries out at the same time."""
        return self.cls.concurrency if issubclass(self.cls, Gateway) else 1


def read_participants(given: Iterable[Given], definitions: Sequence[Definition]) -> list[Participant]:
    """Return the participants, checked with the sagas. Raises DefinitionError with all problems; what a factory
    raises is raised as it is."""
    problems: list[Problem] = []
    participants = [each for each in (_read(one, problems) for one in given) if each is not None]
    problems += _names(participants)
    problems += _handlers(participants)
    problems += _types(participants, definitions)
    problems += _compensations(participants, definitions)
    problems += _answering(participants, definitions)
    if problems:
        raise DefinitionError("Runtime", problems)
    return participants


def _read(given: Given, problems: list[Problem]) -> Participant | None:
    make: Callable[[], Any]
    if isinstance(given, type):
        cls, make = given, given
    elif callable(given):
        made = given()  # only so is its class known; the first actor gets this one
        cls, make = type(made), _first_then(made, given)
    else:
        problems.append(
            Problem(
                f"contexts={given!r}",
                "is neither a class nor a factory",
                "pass the class, or a function that makes one",
            )
        )
        return None
    if not issubclass(cls, Context | Gateway) or cls in (Context, Gateway):
        problems.append(Problem(cls.__name__, "is no Context or Gateway", "derive it from one of them"))
        return None
    kind: Literal["context", "gateway"] = "context" if issubclass(cls, Context) else "gateway"
    events = listeners_of(cls) if kind == "context" else {}
    return Participant(participant_name(cls), kind, cls, make, handlers_of(cls), events)


def _first_then(first: Any, make: Callable[[], Any]) -> Callable[[], Any]:
    ready = [first]
    return lambda: ready.pop() if ready else make()


def _names(participants: Sequence[Participant]) -> list[Problem]:
    problems, seen = [], dict[str, Participant]()
    for each in participants:
        if each.name in RESERVED_NAMES:
            problems.append(
                Problem(
                    each.cls.__name__, f"its name {each.name!r} is taken by the runtime", "rename the class"
                )
            )
        elif each.name in seen:
            problems.append(
                Problem(
                    each.cls.__name__, f"is a second participant {each.name!r}", "rename one of the classes"
                )
            )
        seen[each.name] = each
    return problems


def _handlers(participants: Sequence[Participant]) -> list[Problem]:
    problems, handled = [], dict[type, str]()
    for each in participants:
        for command, method in each.commands.items():
            name = f"{each.cls.__name__}.{method}"
            if command in handled:
                problems.append(
                    Problem(
                        name, f"handles {command.__name__}, as {handled[command]} does", "keep one of them"
                    )
                )
            handled[command] = name
        if each.kind == "context":
            problems += [
                Problem(
                    f"{each.cls.__name__}.{method}",
                    f"is {kind}",
                    "a context does one thing at a time, in a plain def; use a Gateway",
                )
                for method in [*each.commands.values(), *each.events.values()]
                if (kind := _unfit(getattr(each.cls, method))) is not None
            ]
    return problems


def _unfit(method: Callable[..., object]) -> str | None:
    """Return what keeps a method from doing its work when it is called; None for a plain one."""
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        return "async"
    return "a generator" if inspect.isgeneratorfunction(method) else None


def _types(participants: Sequence[Participant], definitions: Sequence[Definition]) -> list[Problem]:
    """All types under one roof: each can be stored, and no two have one name."""
    types: list[Any] = []
    for each in participants:
        for command in each.commands:
            types += [command, answer_type(command)]
        types += each.events
    for definition in definitions:
        types += [definition.input, definition.answer]
        for function in definition.functions.values():
            types += [kind for kind in (function.message, function.answer) if kind is not None]
    registry = TypeRegistry()
    problems: list[Problem] = []
    for kind in dict.fromkeys(_hashable(types)):
        try:
            registry.register(kind)
        except DefinitionError as error:
            problems += error.problems
    return problems


def _hashable(types: Iterable[Any]) -> Iterable[Any]:
    return [kind for kind in types if kind is not None]


def _answering(participants: Sequence[Participant], definitions: Sequence[Definition]) -> list[Problem]:
    """A command is answered by one handler, or by one saga of a context that is here."""
    classes = {each.cls for each in participants}
    handled = {command: each for each in participants for command in each.commands}
    answered: dict[type, Definition] = {}
    problems = []
    for definition in definitions:
        if definition.context is None:
            continue
        name, command = definition.saga.__name__, definition.input
        handler, other = handled.get(command), answered.setdefault(command, definition)
        if handler is not None:
            what = f"answers {command.__name__}, as {handler.cls.__name__}.{handler.commands[command]} does"
            problems.append(Problem(name, what, "keep one of them"))
        elif other.graph.name != definition.graph.name:
            what = f"answers {command.__name__}, as {other.saga.__name__} does"
            problems.append(
                Problem(name, what, "keep one of them, or let it be another version of the other")
            )
        if definition.context not in classes:
            what = f"belongs to {definition.context.__name__}, which is not here"
            remedy = f"add it: Runtime(contexts=[{definition.context.__name__}, ...])"
            problems.append(Problem(name, what, remedy))
    return problems


def _compensations(participants: Sequence[Participant], definitions: Sequence[Definition]) -> list[Problem]:
    """A gateway's outcome may stay unknown, so what undoes it must be prepared for that."""
    gateways = {command: each for each in participants if each.kind == "gateway" for command in each.commands}
    problems = []
    for definition in definitions:
        for node in definition.graph.nodes.values():
            undo = getattr(node, "compensation", None)
            step = definition.functions.get(node.id)
            if undo is None or step is None or step.kind != "step" or definition.functions[undo].takes_answer:
                continue
            gateway = gateways.get(step.message) if step.message is not None else None
            if gateway is not None:
                problems.append(
                    Problem(
                        f"{definition.saga.__name__}.{undo}",
                        f"undoes {node.id}, whose outcome may stay unknown at the gateway {gateway.cls.__name__}",
                        f"let it take the answer: def {undo}(self, answer: ... | None), None meaning unknown",
                    )
                )
    return problems
