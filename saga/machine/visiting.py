"""What `evolve` does in many places: visits begin and end, leaves get values, what was done is noted.

The results of leaves are the saga's; in an `each` every item has its own, on top of those around it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Raw

from saga.machine.state import Done, Item, ScopeInstance, State, Visit

__all__ = [
    "can_be_undone",
    "close_visit",
    "forget",
    "item_around",
    "item_of",
    "know",
    "open_visit",
    "results_in",
    "visited",
]


def visited(state: State, scope: str, element: str) -> ScopeInstance:
    """Count a visit of an element, and return the scope instance it is in."""
    instance = state.scopes[scope]
    instance.ordinals[element] = instance.ordinals.get(element, 0) + 1
    return instance


def open_visit(state: State, visit: Visit) -> None:
    """A token arrives: the visit is open from now on."""
    visited(state, visit.scope, visit.element).open += 1
    state.visits[visit.path] = visit


def close_visit(state: State, path: str) -> Visit:
    """The visit is over; its token goes elsewhere."""
    visit = state.visits.pop(path)
    state.scopes[visit.scope].open -= 1
    return visit


def item_around(state: State, scope: str) -> Item | None:
    """Return the item of an `each` that this scope instance is about, or None."""
    instance = state.scopes[scope]
    while instance.item is None:
        if instance.parent is None:
            return None
        instance = state.scopes[instance.parent]
    return instance.item


def results_in(state: State, scope: str) -> dict[str, Raw]:
    """Return the results as they are seen in this scope instance, by element."""
    item = item_around(state, scope)
    return state.results if item is None else item.results


def item_of(state: State, visit: Visit) -> Item | None:
    """Return the item that a visit is about, also when the scope of the item is gone."""
    return visit.item if visit.item is not None else item_around(state, visit.scope)


def know(state: State, item: Item | None, element: str, value: Raw) -> None:
    """`element` has a value now. The old dictionary stays as it is: entries of `done` hold on to it."""
    if item is None:
        state.results = {**state.results, element: value}
    else:
        item.results = {**item.results, element: value}
        item.own[element] = value


def forget(state: State, item: Item | None, elements: Iterable[str]) -> None:
    """These elements have no value any more. The old dictionaries stay as they are, as in `know`."""
    gone = set(elements)
    if not gone:
        return
    if item is None:
        state.results = {name: value for name, value in state.results.items() if name not in gone}
    else:
        item.results = {name: value for name, value in item.results.items() if name not in gone}
        item.own = {name: value for name, value in item.own.items() if name not in gone}


def can_be_undone(state: State, visit: Visit, undo: str, answer: Raw | None) -> None:
    """Note that a visit was done, with what is known now; None: it is unknown whether it was."""
    state.order += 1
    item = item_of(state, visit)
    results, value = (state.results, None) if item is None else (item.results, item.value)
    state.scopes[visit.scope].done.append(
        Done(visit.path, visit.element, undo, state.order, answer, results, item=value)
    )
