"""Small sagas for tests: written as a lambda over the names of their leaves, and drawn as arrows."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from saga import Command, Event, Key, Saga, answer, call, condition, items, publish, sleep, step, task, wait
from saga.flow import Graph, definition_of
from saga.flow.graph import Scoped, flows


@dataclass(frozen=True, slots=True)
class Placed:
    id: str


@dataclass(frozen=True, slots=True)
class Do(Command[None]):
    id: str


@dataclass(frozen=True, slots=True)
class Undo(Command[None]):
    id: str


@dataclass(frozen=True, slots=True)
class Arrived(Event):
    id: Key[str]


class Called(Saga[Placed]):
    """A saga that others call."""

    @step()
    def do(self) -> Do:
        return Do(self.input.id)

    @do.compensation
    def undo(self) -> Undo:
        return Undo(self.input.id)

    @answer
    def text(self) -> str:
        return "done"

    flow = (do, text)


def leaf(name: str, **options: Any) -> object:
    """Make the leaf that `name` says: is_ condition, until_ wait, ask_ task, nap_ sleep, say_ publish, all_ items,
    tell_ answer, run_ a call of `Called`, else a step. A step whose name ends in _each takes an item."""

    def send(self: Any) -> Do:
        return Do(name)

    def ask(self: Any) -> bool:
        return True

    def key(self: Any) -> str:
        return name

    def pause(self: Any) -> timedelta:
        return timedelta(1)

    def undo(self: Any) -> Undo:
        return Undo(name)

    def say(self: Any) -> Arrived:
        return Arrived(name)

    def run(self: Any) -> Placed:
        return Placed(name)

    def things(self: Any) -> list[str]:
        return [name]

    def send_each(self: Any, item: str) -> Do:
        return Do(item)

    def named(function: Callable[..., Any], own: str = name) -> Any:
        function.__name__ = own
        return function

    match name.split("_")[0]:
        case "is":
            return condition(named(ask))
        case "until":
            return wait(Arrived, **options)(named(key))
        case "nap":
            return sleep(named(pause))
        case "ask":
            return task(**options)(named(key))
        case "say":
            return publish(named(say))
        case "all":
            return items(named(things))
        case "run":
            return call(Called, **options)(named(run))
        case "tell":
            return answer(named(key))
        case _:
            undone = options.pop("undone", False)
            made = step(**options)(named(send_each if name.endswith("_each") else send))
            if undone:
                made.compensation(named(undo, f"undo_{name}"))
            return made


def saga_of(flow: Callable[..., object], **options: Any) -> type[Saga[Any]]:
    """Make a saga of the leaves that `flow` has as parameters; `options` by leaf go to its decorator, those of the name
    `class_line` to the class line.

    What hangs on a leaf may also be set in `flow`: `until_paid.every = (DAY, remind)`. A step with the option
    `undone=True` has a compensation `undo_<its name>`.
    """
    class_line = options.pop("class_line", {})
    leaves = {name: leaf(name, **options.get(name, {})) for name in inspect.signature(flow).parameters}
    namespace: dict[str, object] = dict(leaves)
    for made in leaves.values():
        namespace.update({each.name: each for each in getattr(made, "compensations", ())})
    namespace["flow"] = flow(**leaves)
    return types.new_class("Small", (Saga[Placed],), class_line, lambda body: body.update(namespace))


def graph_of(flow: Callable[..., object], **options: dict[str, Any]) -> Graph:
    """Return the graph of `saga_of(flow)`."""
    return definition_of(saga_of(flow, **options)).graph


def arrows(graph: Graph) -> list[str]:
    """Return the graph as lines: `a -> b`, `choice-1 -is_large-> b`; a scope leads to its start by `in`."""
    lines = []
    for node in graph.nodes.values():
        inner = [("in", node.start)] if isinstance(node, Scoped) else []
        for label, target in [*inner, *flows(node)]:
            lines.append(f"{node.id} -{label}-> {target}" if label else f"{node.id} -> {target}")
    return lines


@pytest.fixture(name="saga_of")
def _saga_of() -> Callable[..., type[Saga[Any]]]:
    return saga_of


@pytest.fixture(name="graph_of")
def _graph_of() -> Callable[..., Graph]:
    return graph_of


@pytest.fixture(name="arrows_of")
def _arrows_of() -> Callable[..., list[str]]:
    return lambda flow, **options: arrows(graph_of(flow, **options))
