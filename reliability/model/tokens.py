"""The token game: no token is lost or made up. From the graph and the journal alone, a second opinion on `advancing`.

A token is on its way to a node until a record says that it has arrived; at the end of each row all have. What ends a
visit puts a token on the flow behind it. A scope is completed only when no token is left in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reliability.model.invariants import hold
from saga.flow import graph as g
from saga.machine import Record
from saga.machine import records as r

__all__ = ["check_tokens"]

_ARRIVALS = (
    r.CommandSent,
    r.WaitBegun,
    r.TaskOpened,
    r.SleepBegun,
    r.RaceBegun,
    r.EventPublished,
    r.Answered,
    r.Chosen,
    r.JoinReached,
    r.Looped,
    r.ScopeEntered,
    r.EachBegun,
    r.CompensationBegun,
)


class _Tokens:
    def __init__(self, graph: g.Graph) -> None:
        self.graph = graph
        self.tokens: Counter[tuple[str, str]] = Counter()
        """Scope instance and node → how many are on their way there."""
        self.scopes: dict[str, tuple[str, str | None, str]] = {}
        """Scope instance → element, parent, direction."""
        self.visits: dict[str, tuple[str, str]] = {}
        """Visit → scope instance and element."""
        self.joins: Counter[tuple[str, str]] = Counter()
        self.failures: dict[str, str] = {}
        """Scope instance → code it failed with."""

    def arrive(self, scope: str, node_id: str) -> None:
        """A token is on its way to a node; those of no consequence let it through at once."""
        if scope not in self.scopes or self.scopes[scope][2] != "forward":
            return
        match self.graph.nodes[node_id]:
            case g.Start() as node:
                self.arrive(scope, node.next)
            case g.Fork() as node:
                for target in node.next:
                    self.arrive(scope, target)
            case g.End():
                pass
            case _:
                self.tokens[scope, node_id] += 1

    def has_arrived(self, scope: str, node_id: str, record: Record) -> None:
        hold(self.tokens[scope, node_id] > 0, f"{record}, and no token was on its way there")
        self.tokens[scope, node_id] -= 1

    def node(self, path: str) -> tuple[str, g.Node]:
        scope, element = self.visits[path]
        return scope, self.graph.nodes[element]

    def goes_on(self, path: str) -> None:
        """The visit is over, and its token goes on."""
        scope, node = self.node(path)
        self.arrive(scope, node.next)  # type: ignore[union-attr, arg-type]

    def take(self, record: Record, following: Record | None) -> None:
        if isinstance(record, _ARRIVALS):
            self.take_arrival(record)
            return
        match record:
            case r.Started():
                self.scopes[""] = "", None, "forward"
                self.tokens["", self.graph.start] += 1
                if not isinstance(following, r.SleepBegun) or following.element != self.graph.start:
                    del self.tokens["", self.graph.start]
                    self.arrive("", self.graph.start)
            case r.ItemBegun():
                self.scopes[record.path] = record.element, record.scope, "forward"
                self.arrive(record.path, self.graph.scope(record.element).start)
            case r.StepCompleted() | r.EventTaken() | r.TaskDone() | r.Woke() | r.CompensationDone():
                self.goes_on(record.path)
            case r.WaitExpired():
                scope, node = self.node(record.path)
                if late := getattr(node, "late", None):
                    self.arrive(scope, late)
            case r.RaceOver(by=""):
                scope, node = self.node(record.path)
                self.arrive(scope, node.late)  # type: ignore[union-attr, arg-type]
            case r.Reminded():
                self.remind(record)
            case r.Parked() if record.path not in self.visits and "~" not in record.path:
                self.visits[record.path] = record.scope, record.element
                if (
                    self.scopes[record.scope][0] != record.element
                ):  # else a round's condition could not be asked
                    self.has_arrived(record.scope, record.element, record)
            case r.Unparked() if "~" not in record.path:
                self.try_again(record)
            case r.StepSkipped():
                self.skip(record)
            case r.ScopeLeft():
                self.leave(record, following)
            case r.ScopeFailed():
                self.gather(record.path, "backward")
                self.failures[record.path] = record.code
            case r.Terminated():
                self.gather(record.path, "ending")
            case r.ScopeUndone():
                element, parent, _ = self.scopes.pop(record.path)
                failure = self.failures.pop(record.path)
                node = self.graph.nodes[element]
                assert isinstance(node, g.Scope)
                self.arrive(parent or "", node.catch[failure])
            case r.Ended():
                left = {token: count for token, count in self.tokens.items() if count}
                hold(not left, f"it is over, and tokens are on their way: {left}")
                self.scopes[""] = "", None, "backward"
            case _:
                pass

    def take_arrival(self, record: Record) -> None:
        scope, element = record.scope, record.element  # type: ignore[union-attr]
        path = getattr(record, "path", "")
        if path:
            self.visits[path] = scope, element
        brought_along = getattr(record, "race", "") or getattr(record, "host", "")
        is_later_round = isinstance(record, r.ScopeEntered) and record.round > 1
        if not brought_along and not is_later_round:
            self.has_arrived(scope, element, record)
        node = self.graph.nodes[element]
        match record:
            case r.EventPublished() | r.Answered():
                self.goes_on(path)
            case r.Chosen():
                assert isinstance(node, g.Choice)
                self.arrive(scope, dict(node.cases).get(record.case, node.otherwise))
            case r.JoinReached():
                assert isinstance(node, g.Join)
                self.joins[scope, element] += 1
                if self.joins[scope, element] == node.count:
                    del self.joins[scope, element]
                    self.arrive(scope, node.next)
            case r.Looped():
                assert isinstance(node, g.Again)
                self.arrive(scope, node.target)
            case r.ScopeEntered() | r.EachBegun():
                self.scopes[path] = element, scope, "forward"
                if isinstance(record, r.ScopeEntered):
                    self.arrive(path, self.graph.scope(element).start)
            case _:
                pass

    def remind(self, record: r.Reminded) -> None:
        if record.path in self.scopes:
            element, parent, _ = self.scopes[record.path]
            scope = parent or ""
        else:
            scope, element = self.visits[record.path]
        node = self.graph.nodes[element]
        assert isinstance(node, g.Wait | g.Task | g.Scope)
        assert node.every is not None
        self.arrive(scope, node.every.start)

    def try_again(self, record: r.Unparked) -> None:
        scope, element = self.visits[record.path]
        if scope in self.scopes and self.scopes[scope][0] != element:
            node = self.graph.nodes[element]
            self.arrive(scope, node.target if isinstance(node, g.Again) else element)

    def skip(self, record: r.StepSkipped) -> None:
        scope, node = self.node(record.path)
        match node:
            case g.Choice():
                self.arrive(scope, node.otherwise)
            case g.Again():
                self.arrive(scope, self.graph.scope(node.target).next)
            case _:
                self.goes_on(record.path)

    def leave(self, record: r.ScopeLeft, following: Record | None) -> None:
        left = [node for (scope, node), count in self.tokens.items() if scope == record.path and count]
        hold(not left, f"{record.path} is left, and tokens are on their way to {left}")
        element, parent, _ = self.scopes.pop(record.path)
        hold(
            not [join for join in self.joins if join[0] == record.path], f"{record.path}: a join still waits"
        )
        node, around = self.graph.scope(element), parent or ""
        if isinstance(node, g.Each) and self.scopes[around][0] == element:
            return  # an item
        if isinstance(node, g.Repeat) and isinstance(following, r.ScopeEntered) and following.round > 1:
            return
        self.arrive(around, node.next)

    def gather(self, path: str, direction: str) -> None:
        element, parent, _ = self.scopes[path]
        prefix = f"{path}/" if path else ""
        inner = {other for other in self.scopes if other != path and other.startswith(prefix)}
        for other in inner:
            del self.scopes[other]
        for book in (self.tokens, self.joins):
            for token in [token for token in book if token[0] == path or token[0] in inner]:
                del book[token]
        self.scopes[path] = element, parent, direction


def check_tokens(graph: g.Graph, rows: Iterable[list[Record]]) -> None:
    """Check a journal, row by row."""
    walk = _Tokens(graph)
    for row in rows:
        for record, following in zip(row, [*row[1:], None], strict=True):
            walk.take(record, following)
        left = {token: count for token, count in walk.tokens.items() if count}
        hold(not left, f"tokens that have not arrived: {left}")
