"""The definitions a runtime knows: those given to it, and those its store has seen.

A saga is pinned to the definition it was started with. When the author's class of that version is not here, its graph
still is, in the store: the saga can be shown, verified, and takes answers, but its functions cannot be called, so it is
parked (`no-handler`) until the class is back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from saga.errors import DefinitionChanged, DefinitionError, Problem
from saga.flow.definition import Definition, definition_of
from saga.flow.graph import Call, Graph, Publish, Step, Wait
from saga.flow.saga import Saga
from saga.messages import type_name

__all__ = ["Definitions", "Known", "StoredDefinition"]


@dataclass(frozen=True, slots=True)
class StoredDefinition:
    """A definition as the store has it."""

    no: int
    name: str
    version: int
    hash: str
    graph: Graph
    live: int
    """How many live sagas were started with it."""


@dataclass(frozen=True)
class Known:
    """A definition with its number in the store; `definition` is None when the author's class is not here."""

    no: int
    graph: Graph
    definition: Definition | None

    answered: bool = False
    """Whether there are sagas that answer commands."""

    @cached_property
    def tells(self) -> bool:
        """Whether the graph has waits for events, or publishes some."""
        return any(isinstance(node, Wait | Publish) for node in self.graph.nodes.values())

    @cached_property
    def may_call(self) -> bool:
        """Whether one may call other sagas: by name, or by a command that one answers."""
        wanted = (Call, Step) if self.answered else (Call,)
        return any(isinstance(node, wanted) for node in self.graph.nodes.values())


class Definitions:
    """All definitions, by number and by (name, version)."""

    def __init__(self, sagas: Iterable[type[Saga[Any]]]) -> None:
        """Those that are called by others are added. Raises DefinitionError when two classes have one name and
        version."""
        self._given: dict[tuple[str, int], Definition] = {}
        self._by_no: dict[int, Known] = {}
        self._by_class: dict[type[Saga[Any]], int] = {}
        problems = []
        for saga in _with_called(sagas):
            definition = definition_of(saga)
            key = (definition.graph.name, definition.graph.version)
            other = self._given.setdefault(key, definition)
            if other.saga is not saga:
                problems.append(
                    Problem(
                        f"{saga.__module__}.{saga.__qualname__}",
                        f"is a second saga {key[0]} of version {key[1]}, beside {other.saga.__module__}",
                        "give it another name= or version=",
                    )
                )
        if problems:
            raise DefinitionError("sagas", problems)

    @property
    def answering(self) -> dict[type, Definition]:
        """Command type → the saga that answers it; of several versions the newest."""
        found: dict[type, Definition] = {}
        for definition in self._given.values():
            other = found.get(definition.input)
            if definition.context is not None and (other is None or _is_newer(definition, other)):
                found[definition.input] = definition
        return found

    def find(self, name: str, version: int) -> Definition | None:
        """Return the given definition of this name and version, or None."""
        return self._given.get((name, version))

    def newest(self, name: str) -> Definition | None:
        """Return the given definition of this name that has the highest version, or None."""
        found = [each for each in self._given.values() if each.graph.name == name]
        return max(found, key=lambda each: each.graph.version, default=None)

    @property
    def given(self) -> list[Definition]:
        """The definitions of the classes that were given."""
        return list(self._given.values())

    def match(self, stored: Iterable[StoredDefinition]) -> list[tuple[int, Definition]]:
        """Find the given definitions among the stored ones; return those that are new, with their numbers.

        Raises DefinitionChanged when live sagas were started with another graph of the same name and version.
        """
        by_key = {}
        last = 0
        answered = bool(self.answering)
        for each in stored:
            last = max(last, each.no)
            given = self._given.get((each.name, each.version))
            if given is not None and given.graph.digest() != each.hash:
                if each.live:
                    what = _difference(each.graph, given.graph)
                    raise DefinitionChanged(each.name, each.version, each.live, what)
                given = None
            self._by_no[each.no] = Known(each.no, each.graph, given, answered)
            if given is not None:
                by_key[each.name, each.version] = each.no
                self._by_class[given.saga] = each.no
        new = []
        for key, definition in self._given.items():
            if key not in by_key:
                last += 1
                self._by_no[last] = Known(last, definition.graph, definition, answered)
                self._by_class[definition.saga] = last
                new.append((last, definition))
        return new

    def no(self, definition: Definition) -> int:
        """Return the number of a given definition. KeyError when its class was not given to the runtime."""
        return self._by_class[definition.saga]

    def known(self, no: int) -> Known:
        """Return the definition of this number."""
        return self._by_no[no]

    def of(self, saga: type[Saga[Any]]) -> Definition:
        """Return the definition of a class that was given to the runtime; DefinitionError when it was not."""
        definition = definition_of(saga)
        if saga not in self._by_class:
            raise DefinitionError(
                saga.__name__,
                [Problem(saga.__name__, "is not known to this runtime", "add it to Runtime(sagas=[...])")],
            )
        return definition

    def started_by(self) -> Mapping[str, list[Definition]]:
        """Return event type name → definitions that such an event starts; of several versions the newest."""
        newest: dict[tuple[str, str], Definition] = {}
        for definition in self._given.values():
            if definition.started_by_event:
                key = (type_name(definition.input), definition.graph.name)
                if key not in newest or newest[key].graph.version < definition.graph.version:
                    newest[key] = definition
        found: dict[str, list[Definition]] = {}
        for (event, _), definition in newest.items():
            found.setdefault(event, []).append(definition)
        return found


def _with_called(sagas: Iterable[type[Saga[Any]]]) -> list[type[Saga[Any]]]:
    """Return the sagas and all that they call, each once."""
    found: dict[type[Saga[Any]], None] = {}
    waiting = list(sagas)
    while waiting:
        saga = waiting.pop(0)
        if saga not in found:
            found[saga] = None
            waiting += definition_of(saga).calls.values()
    return list(found)


def _is_newer(one: Definition, other: Definition) -> bool:
    return one.graph.name == other.graph.name and one.graph.version > other.graph.version


def _difference(stored: Graph, given: Graph) -> str:
    """Say in a few words how two graphs differ."""
    gone = sorted(stored.nodes.keys() - given.nodes.keys())
    new = sorted(given.nodes.keys() - stored.nodes.keys())
    types = sorted(
        name
        for name in stored.types.keys() | given.types.keys()
        if stored.types.get(name) != given.types.get(name)
    )
    parts = [
        f"without {', '.join(gone)}" if gone else "",
        f"with {', '.join(new)}" if new else "",
        f"message types changed: {', '.join(types)}" if types else "",
    ]
    said = "; ".join(part for part in parts if part)
    return said or "the same elements in another order, or with other options"
