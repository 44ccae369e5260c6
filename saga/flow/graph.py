"""The process graph: nodes, flows and scopes. What runs, what is drawn and what is tested.

The flow language compiles to it, and later BPMN 2.0 and YAML do, so it is general: any flow may lead
to any node of its scope, also backwards; scopes nest; boundary events hang on steps, waits and scopes.

Rules
1. A node belongs to one scope (`scope`, the id of its `Scope` node; `""` is the top) and its flows stay in it.
2. Several flows into a node are an exclusive merge. Only a `Join` waits for all of them.
3. Boundary events are fields of the node they hang on: `timeout_ms`, `within_ms` and `late`, `catch`, `compensation`,
   and those that interrupt nothing, `every` and `whenever`. The flow of a boundary event goes on in the scope that
   the node belongs to.
4. A graph is data: it is stored as JSON, so that sagas can be shown and verified without the author's code.
   Its hash leaves `doc` out; the author's functions are found by the id of the node.

Terms are those of BPMN 2.0 (OMG formal/2011-01-03, chapters 10 and 13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import msgspec

from saga.codec import decoding

__all__ = [
    "Again",
    "Answer",
    "Call",
    "Choice",
    "Compensate",
    "Each",
    "End",
    "Every",
    "Fork",
    "Graph",
    "Join",
    "Node",
    "Publish",
    "Race",
    "Refuse",
    "Repeat",
    "RetryPolicy",
    "Scope",
    "Scoped",
    "Sleep",
    "Start",
    "Step",
    "Task",
    "Terminate",
    "Wait",
    "flows",
]


class RetryPolicy(msgspec.Struct, frozen=True):
    """How technical failures of a command are retried: `attempts` in all, the first after `first_ms`, each
    next after `factor` times as long, at most `max_ms`, plus or minus the share `jitter` (0 to 1) of it."""

    attempts: int = 5
    first_ms: int = 100
    factor: float = 2.0
    max_ms: int = 60_000
    jitter: float = 0.1

    def delay_ms(self, attempt: int, spread: float) -> int:
        """Return the pause in ms after the failed attempt number `attempt` (from 1); `spread` is in -1 to 1."""
        exponent = min(attempt - 1, 64)
        pause = min(self.first_ms * self.factor**exponent, self.max_ms)
        return max(0, round(pause * (1 + self.jitter * spread)))


class Every(msgspec.Struct, frozen=True, omit_defaults=True):
    """A timer that interrupts nothing (non-interrupting boundary timer): after each `interval_ms` in which its node is
    still open, at most `at_most` times, a token goes to `start`, beside the one that waits."""

    interval_ms: int
    start: str
    at_most: int | None = None


class _Node(msgspec.Struct, frozen=True, tag_field="kind", kw_only=True, omit_defaults=True):
    """What every node has: its id (unique in the graph), the scope it belongs to, its docstring."""

    id: str
    scope: str = ""
    doc: str = ""


class Start(_Node, frozen=True, tag="start"):
    """Where the tokens of a scope begin. Each scope, the top included, has exactly one."""

    next: str


class End(_Node, frozen=True, tag="end"):
    """Takes a token away. A scope is completed when no token is left in it."""

    wait: str | None = None
    """Id of the wait whose event has led here beside a scope: it is waited for anew, if that scope is still open."""


class Terminate(_Node, frozen=True, tag="terminate"):
    """Ends its scope at once, as completed; what is still open in it is resolved, and undone if it was done."""


class Step(_Node, frozen=True, tag="step"):
    """Sends a command and waits for its answer (service task)."""

    next: str
    command: str
    """Type name of the command."""
    timeout_ms: int | None = None
    """From the arrival at the step, across attempts, queueing and downtime."""
    retry: RetryPolicy = RetryPolicy()
    pivot: bool = False
    compensation: str | None = None
    """Name of the author's compensation function; None when there is nothing to undo."""
    undo_command: str | None = None
    """Type name of the command that the compensation sends."""


class Call(Step, frozen=True, tag="call"):
    """Runs another saga (call activity): `command` is the type name of its input, its answer the value.

    A compensation of the name of the node itself means that the called saga is undone."""

    saga: str = ""
    """Its name; with its version it is pinned."""
    version: int = 1


class Wait(_Node, frozen=True, tag="wait"):
    """Waits for an event with a key (message catch event)."""

    next: str
    event: str
    """Type name of the event."""
    within_ms: int | None = None
    late: str | None = None
    """Where the flow goes when the time is up; None: refused with code `timeout`."""
    every: Every | None = None


class Task(_Node, frozen=True, tag="task"):
    """Waits for a person's decision (user task)."""

    next: str
    answer: str | None
    """Type name of the decision; None when it is only that it was done."""
    subject: str | None = None
    """Type name of what the person is shown."""
    within_ms: int | None = None
    late: str | None = None
    """Where the flow goes when the time is up; None: refused with code `timeout`."""
    every: Every | None = None


class Race(_Node, frozen=True, tag="race"):
    """Waits for the first of several things (event-based gateway): `ways` are the ids of its waits, tasks and sleeps,
    whose flows are the ways on. After `after_ms` the flow goes to `late` instead."""

    ways: tuple[str, ...]
    after_ms: int | None = None
    late: str | None = None


class Publish(_Node, frozen=True, tag="publish"):
    """Tells an event to whom it may concern (message throw event)."""

    next: str
    event: str
    """Type name of the event."""


class Sleep(_Node, frozen=True, tag="sleep"):
    """Waits for a point in time (timer catch event)."""

    next: str


class Answer(_Node, frozen=True, tag="answer"):
    """Makes the answer of the saga; the last one reached counts."""

    next: str


class Choice(_Node, frozen=True, tag="choice"):
    """Takes the flow of the first case whose condition holds (exclusive gateway)."""

    cases: tuple[tuple[str, str], ...]
    """Pairs of condition name and target node id, tried in order."""
    otherwise: str


class Fork(_Node, frozen=True, tag="fork"):
    """Puts a token on each of its flows (parallel gateway, diverging)."""

    next: tuple[str, ...]


class Join(_Node, frozen=True, tag="join"):
    """Waits for `count` tokens, then lets one go on (parallel gateway, converging)."""

    next: str
    count: int


class Scope(_Node, frozen=True, tag="scope"):
    """A part that fails, times out and is undone as one (sub-process, transaction)."""

    next: str
    start: str
    """Id of the `Start` node in it."""
    timeout_ms: int | None = None
    catch: dict[str, str] = {}
    """Code of a refusal → node (of the scope this one belongs to) where the flow goes on once this is undone."""
    compensation: str | None = None
    """Name of the leaf that undoes the completed scope as a whole, instead of what was done in it."""
    undo_command: str | None = None
    every: Every | None = None
    whenever: tuple[str, ...] = ()
    """Ids of waits (of the scope this one belongs to) for events that interrupt nothing (non-interrupting boundary
    events): as long as this is open, each such event puts a token on the flow of its wait, one after the other: the
    next one is taken when that flow has come to its end."""


class Repeat(_Node, frozen=True, tag="repeat"):
    """Goes round until a condition holds, at most so often (loop activity). Each round is a scope of its own."""

    next: str
    start: str
    """Id of the `Start` node in it."""
    until: str
    """Name of the condition that is asked after each round."""
    at_most: int


class Each(_Node, frozen=True, tag="each"):
    """Goes through its block once for each item (multi-instance activity), `concurrency` items at once; 1: one after
    the other. Each item is a scope of its own; together they are one."""

    next: str
    start: str
    """Id of the `Start` node in it."""
    items: str
    """Name of the leaf that says which items."""
    concurrency: int = 1


class Compensate(_Node, frozen=True, tag="compensate"):
    """Undoes what was done so far in its scope, then goes on (compensation throw event)."""

    next: str
    target: str | None = None
    """Id of the leaf or block that is undone; None: everything."""


class Again(_Node, frozen=True, tag="again"):
    """Loops back to `target`, at most `at_most` times in one visit of the enclosing scope; after that the
    refusal that `target` failed with last goes on as if it had not been caught."""

    target: str
    at_most: int


class Refuse(_Node, frozen=True, tag="refuse"):
    """Refuses: an enclosing scope catches `code`, or the saga is undone (error end event)."""

    reason: str
    code: str


Scoped: TypeAlias = Scope | Repeat | Each
"""What other nodes may belong to."""

Node: TypeAlias = (
    Start
    | End
    | Terminate
    | Step
    | Call
    | Wait
    | Task
    | Sleep
    | Publish
    | Answer
    | Choice
    | Race
    | Fork
    | Join
    | Scope
    | Repeat
    | Each
    | Compensate
    | Again
    | Refuse
)


class Graph(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A process: its name and version, what starts it, its nodes by id, and the shapes of its message types."""

    name: str
    version: int
    input: str
    """Type name of the input."""
    nodes: dict[str, Node]
    start: str
    """Id of the `Start` node of the top scope."""
    types: dict[str, str] = {}
    """Type name → fingerprint, for the input, commands, answers and events the graph uses."""
    answer: str | None = None
    """Type name of the saga's answer, None when it has no `@answer`."""
    deadline_ms: int | None = None
    """How long the saga as a whole may take, from the beginning of its flow."""
    doc: str = ""

    def scope(self, node_id: str) -> Scoped:
        """Return the scope, repeat or each of this id. KeyError for an unknown one, TypeError for another kind."""
        node = self.nodes[node_id]
        if not isinstance(node, Scope | Repeat | Each):
            raise TypeError(f"{node_id} is no scope")
        return node

    def enclosing(self, node: Node) -> Iterator[Scoped]:
        """Yield what `node` belongs to, the innermost first; the top is not among them."""
        while node.scope:
            node = self.scope(node.scope)
            yield node

    def digest(self) -> str:
        """Return the hash that pins an instance to this graph: 32 hexadecimal digits, docstrings left out."""
        known = self.__dict__.get("_digest")  # asked for at every start, and a graph does not change
        if known is not None:
            return str(known)
        bare = {key: msgspec.structs.replace(node, doc="") for key, node in self.nodes.items()}
        data = msgspec.json.encode(msgspec.structs.replace(self, nodes=bare, doc=""), order="deterministic")
        self.__dict__["_digest"] = digest = hashlib.blake2b(data, digest_size=16).hexdigest()
        return digest

    def to_json(self) -> bytes:
        """Return the graph as JSON; `from_json` reads it back to an equal value."""
        return msgspec.json.encode(self, order="deterministic")

    @staticmethod
    def from_json(data: bytes | str) -> Graph:
        """Read what `to_json` wrote. Raises msgspec.DecodeError when it is something else."""
        return _decode(data)


def flows(node: Node) -> list[tuple[str, str]]:
    """Return the flows out of `node`, as pairs of label and target id; boundary flows have the label of their event.

    A scope may catch a code that is also the label of something else, so labels need not differ."""
    match node:
        case Start() | Step() | Sleep() | Answer() | Join() | Publish() | Compensate() | Repeat() | Each():
            return [("", node.next)]
        case Wait() | Task():
            return [("", node.next), *_late(node), *_every(node)]
        case Race():
            return [*_numbered("", node.ways), *_late(node)]
        case Choice():
            return [*node.cases, ("otherwise", node.otherwise)]
        case Fork():
            return _numbered("", node.next)
        case Scope():
            return [
                ("", node.next),
                *node.catch.items(),
                *_numbered("whenever ", node.whenever),
                *_every(node),
            ]
        case Again():
            return [("again", node.target)]
        case End() | Terminate() | Refuse():
            return []


def _late(node: Wait | Task | Race) -> list[tuple[str, str]]:
    return [("late", node.late)] if node.late else []


def _every(node: Wait | Task | Scope) -> list[tuple[str, str]]:
    return [("every", node.every.start)] if node.every else []


def _numbered(word: str, targets: Iterable[str]) -> list[tuple[str, str]]:
    return [(f"{word}{number}", target) for number, target in enumerate(targets, 1)]


_decode: Callable[[bytes | str], Graph] = decoding(msgspec.json.Decoder(Graph))
