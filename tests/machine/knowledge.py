"""What was known when: leaves have the values of their latest visit, items of an `each` their own on top of those.

A second opinion, from the graph and the journal alone. The commands of the test world say what their functions saw, so
a command is held against what was known when it was sent, and a compensation against what was known when that was
completed which it undoes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
from msgspec import Raw

from reliability.model.invariants import hold
from saga.flow.graph import Each, Graph
from saga.machine import Record, State
from saga.machine import records as r

__all__ = ["check_known"]

Known = dict[str, object]
_Arrival: TypeAlias = r.CommandSent | r.WaitBegun | r.TaskOpened | r.SleepBegun | r.RaceBegun | r.Parked


@dataclass
class _View:
    """What is seen from somewhere: at the top, or for one item of an `each`."""

    known: Known
    item: object = None
    own: Known = field(default_factory=dict)


@dataclass
class _Scope:
    parent: str | None
    view: _View
    """What is seen in it."""
    index: int | None = None
    """Which item it is, if it is one."""
    listed: list[object] | None = None
    """The items, if it is an `each`."""
    collected: dict[str, dict[str, object]] = field(default_factory=dict)


class _Knowing:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.top = _View({})
        self.scopes = {"": _Scope(None, self.top)}
        self.visits: dict[str, tuple[str, _View]] = {}
        """Visit → element and what it sees; kept when its scope is gone."""
        self.completed: dict[str, tuple[Known, object]] = {}
        """What was done → what was known then, and for which item."""

    def take(self, record: Record) -> None:
        match record:
            case r.ScopeEntered():
                self.scopes[record.path] = _Scope(record.scope, self.scopes[record.scope].view)
            case r.EachBegun():
                self.begin_each(record)
            case r.ItemBegun():
                each = self.scopes[record.scope]
                assert each.listed is not None
                view = _View(dict(each.view.known), each.listed[record.index])
                self.scopes[record.path] = _Scope(record.scope, view, record.index)
            case r.CommandSent():
                view = self.arrive(record)
                sees = msgspec.json.decode(record.command)
                self.same(record.path, sees, view.known, view.item)
            case r.WaitBegun() | r.TaskOpened() | r.SleepBegun() | r.RaceBegun():
                self.arrive(record)
            case r.Parked() if record.path not in self.visits and record.of is None:
                self.arrive(record)
            case r.StepCompleted():
                self.know(record.path, record.answer)
                self.done(record.path, record.undo)
            case r.StepFailed():
                self.done(record.path, record.undo)
            case r.EventTaken():
                self.know(record.path, record.event)
            case r.TaskDone():
                self.know(record.path, record.answer)
            case r.Answered():
                self.set(self.scopes[record.scope].view, record.element, msgspec.json.decode(record.answer))
            case r.ScopeLeft():
                self.leave(record)
            case r.UndoSent():
                known, item = self.completed[record.of]
                sees = msgspec.json.decode(record.command)
                self.same(record.path, sees, known, item)
            case _:
                pass

    def same(self, path: str, sees: Known, known: Known, item: object) -> None:
        hold(sees["sees"] == known, f"{path} sees {sees['sees']}, known was {known}")
        hold(sees["item"] == item, f"{path} is for {sees['item']}, not {item}")

    def begin_each(self, record: r.EachBegun) -> None:
        """What its leaves have said in an earlier visit is not known any more."""
        view = self.scopes[record.scope].view
        for node in self.graph.nodes.values():
            if any(around.id == record.element for around in self.graph.enclosing(node)):
                leaves = [node.id, *([node.items] if isinstance(node, Each) else ())]
                for leaf in leaves:
                    view.known.pop(leaf, None)
                    view.own.pop(leaf, None)
        items = [msgspec.json.decode(item) for item in record.items]
        self.set(view, record.leaf, items)
        self.scopes[record.path] = _Scope(record.scope, view, listed=items)

    def arrive(
        self, record: r.CommandSent | r.WaitBegun | r.TaskOpened | r.SleepBegun | r.RaceBegun | r.Parked
    ) -> _View:
        view = self.scopes[record.scope].view
        self.visits[record.path] = record.element, view
        return view

    def know(self, path: str, value: Raw) -> None:
        element, view = self.visits[path]
        self.set(view, element, msgspec.json.decode(value))

    def set(self, view: _View, element: str, value: object) -> None:
        view.known[element] = view.own[element] = value

    def done(self, path: str, undo: str | None) -> None:
        if undo is not None:
            _, view = self.visits[path]
            self.completed[path] = dict(view.known), view.item

    def leave(self, record: r.ScopeLeft) -> None:
        scope = self.scopes.pop(record.path)
        parent = self.scopes[scope.parent or ""]
        if scope.index is not None:
            for element, value in scope.view.own.items():
                parent.collected.setdefault(element, {})[str(scope.index)] = value
        for element, values in scope.collected.items():
            self.set(parent.view, element, values)
        if record.undo is not None:
            self.completed[record.path] = dict(parent.view.known), parent.view.item


def check_known(graph: Graph, records: list[Record], state: State) -> None:
    """Check what functions have seen, and what is known in the end."""
    walk = _Knowing(graph)
    for record in records:
        walk.take(record)
    known = {element: msgspec.json.decode(value) for element, value in state.results.items()}
    hold(known == walk.top.known, f"known is {known}, by the journal {walk.top.known}")
