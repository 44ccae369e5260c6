"""What records do to scope instances: they are entered and left, fail and are undone, and some hold the items of an
`each`. Part of `evolve`, with the same rules.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from saga.machine import records as r
from saga.machine.state import TOP, Direction, Done, Failure, Item, Items, ScopeInstance, State
from saga.machine.visiting import close_visit, forget, item_around, item_of, know, results_in, visited

__all__ = [
    "each_begun",
    "item_begun",
    "scope_entered",
    "scope_failed",
    "scope_left",
    "scope_undone",
    "terminated",
]


def scope_entered(state: State, record: r.ScopeEntered) -> None:
    """A visit of a scope, or a round of a repeat, begins."""
    visited(state, record.scope, record.element).open += 1
    scope = ScopeInstance(record.path, record.element, record.scope, record.due)
    scope.remind, scope.round = record.remind, record.round
    state.scopes[record.path] = scope


def each_begun(state: State, record: r.EachBegun) -> None:
    """An `each` begins: its items are known, none of them is begun, and what an earlier visit has collected is gone."""
    visited(state, record.scope, record.element).open += 1
    item = item_around(state, record.scope)
    forget(state, item, state.collected.get(record.element, ()))
    know(state, item, record.leaf, Raw(msgspec.json.encode(record.items)))
    state.scopes[record.path] = ScopeInstance(
        record.path, record.element, record.scope, items=Items(record.items)
    )


def item_begun(state: State, record: r.ItemBegun) -> None:
    """One item of an `each` begins; it sees what is known around it."""
    each = state.scopes[record.scope]
    each.open += 1
    items = each.items
    if items is None:
        raise ValueError(f"{record.scope!r} has no items")
    items.begun = record.index + 1
    item = Item(record.path, record.index, items.values[record.index], results_in(state, record.scope))
    state.scopes[record.path] = ScopeInstance(record.path, record.element, record.scope, item=item)


def scope_left(state: State, record: r.ScopeLeft) -> None:
    """A scope instance is complete: what it knows and what was done in it are its parent's now."""
    scope = state.scopes.pop(record.path)
    parent = state.scopes[scope.parent]  # type: ignore[index]
    parent.open -= 1
    if scope.item is not None:
        _collect(parent.items, scope.item)
    elif scope.items is not None:
        _know_collected(state, scope.element, scope.items, item_around(state, parent.path))
    _drop_hosted(state, scope)
    if record.undo is not None:
        state.order += 1
        item = item_around(state, parent.path)
        results, value = (state.results, None) if item is None else (item.results, item.value)
        parent.done.append(
            Done(scope.path, scope.element, record.undo, state.order, None, results, item=value)
        )
        return
    for done in scope.done:  # one unit: undone where the scope completed, in the reverse of its own order
        state.order += 1
        done.order = state.order
        parent.done.append(done)


def _collect(items: Items | None, item: Item) -> None:
    """An item is completed: keep what came back in it for whoever looks at the `each` as a whole."""
    if items is None:
        raise ValueError(f"{item.path!r} is in a scope that has no items")
    for element, value in item.own.items():
        items.results.setdefault(element, {})[item.index] = value


def _know_collected(state: State, each: str, items: Items, around: Item | None) -> None:
    """An `each` is completed: from now on its leaves have the values of all items, by index."""
    for element, values in items.results.items():
        know(state, around, element, Raw(msgspec.json.encode({str(no): values[no] for no in sorted(values)})))
        names = state.collected.setdefault(each, [])
        if element not in names:
            names.append(element)


def _drop_hosted(state: State, scope: ScopeInstance) -> None:
    """A scope instance goes, and with it the waits that are boundary events of it."""
    if not scope.hosts:  # there may be thousands of visits, and as many scopes
        return
    for path, visit in list(state.visits.items()):
        if visit.host == scope.path:
            close_visit(state, path)


def _subtree(state: State, root: ScopeInstance) -> list[ScopeInstance]:
    """Return `root` and all scope instances in it, each after the one it is in."""
    found = {root.path: root}
    for path, scope in state.scopes.items():  # parents stand before their children
        if scope.parent in found:
            found[path] = scope
    return list(found.values())


def _gather(state: State, root: ScopeInstance) -> None:
    """Make `root` the only scope instance of its subtree: it takes over what is open and was done in it."""
    inner = {root.path}
    _drop_hosted(state, root)
    for visit in state.visits.values():
        if visit.undoes is None and _is_inside(state, visit.scope, root.path):
            visit.item = item_of(state, visit)  # what it knows stays with it when the scope of its item goes
    for scope in _subtree(state, root)[1:]:
        inner.add(scope.path)
        root.done.extend(scope.done)
        del state.scopes[scope.path]
    root.done.sort(key=lambda done: done.order)
    root.open = root.undoing = 0
    root.due = root.remind = root.items = None
    root.joins.clear()
    for path, visit in list(state.visits.items()):
        if visit.scope in inner:
            if visit.sent is None and visit.undoes is None:
                del state.visits[path]  # nothing of it is outside but a wait or a timer
                continue
            visit.scope = root.path
            root.open += 1


def _is_inside(state: State, scope: str, root: str) -> bool:
    """Return whether a scope instance is another one than `root`, in it."""
    while scope != root:
        parent = state.scopes[scope].parent
        if parent is None:
            return False
        scope = parent
    return True


def scope_failed(state: State, record: r.ScopeFailed) -> None:
    """A scope turns back, and takes all that is in it along."""
    scope = state.scopes[record.path]
    scope.direction = Direction.BACKWARD
    scope.failure = Failure(record.code, record.reason, record.element)
    if record.path == TOP:
        state.failure = scope.failure
    _gather(state, scope)


def scope_undone(state: State, record: r.ScopeUndone) -> None:
    """All in a failed scope is undone; why it had failed is remembered for an `again`."""
    scope = state.scopes.pop(record.path)
    parent = state.scopes[scope.parent]  # type: ignore[index]
    parent.open -= 1
    if scope.failure is not None:
        parent.caught[scope.element] = scope.failure


def terminated(state: State, record: r.Terminated) -> None:
    """A scope ends at once; what is found done in it from now on is undone."""
    scope = state.scopes[record.path]
    scope.direction = Direction.ENDING
    scope.keep = state.order
    unwanted: list[Done] = []  # what is about to be undone in there is not wanted now either
    for inner in _subtree(state, scope)[1:]:
        if inner.direction is not Direction.FORWARD:
            unwanted += [done for done in inner.done if done.order > inner.keep]
    for done in sorted(unwanted, key=lambda done: done.order):
        state.order += 1
        done.order = state.order
    _gather(state, scope)
