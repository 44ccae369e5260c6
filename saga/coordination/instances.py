"""The sagas in memory: loaded by replay when something happens to them, let go when nothing does.

Rules
1. A saga in memory is its journal, replayed. It can be dropped at any time between two batches and loaded again.
2. A bounded number is kept, the ones used last. Sagas that wait cost nothing but their rows.
3. A saga whose class is not here is loaded with its stored graph; its functions park it when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from types import MappingProxyType
from typing import NamedTuple, NoReturn

import msgspec

from saga.coordination.definitions import Definitions, Known
from saga.coordination.evaluation import Author, Routing
from saga.coordination.guard import Busy, describe
from saga.errors import StoredDataError
from saga.flow.definition import Definition
from saga.flow.graph import Graph
from saga.journal import records_of
from saga.log import Log
from saga.machine import Pending, State, Status, Unfitting, pending, replay
from saga.machine.state import Sent
from saga.machine.turn import Stuck
from saga.store import FIRST, JournalRow, SagaRow, SagaStore

log = Log("saga.coordinator")

__all__ = ["AbsentAuthor", "Cache", "Instance", "Loader", "Outside", "outside", "unreadable"]

NO_CALLS: Mapping[str, tuple[Sent, bool]] = MappingProxyType({})


class Instance(msgspec.Struct, gc=False, eq=False):
    """One saga in memory. `no` is its number in the store, `seq` and `digest` those of its last journal row."""

    no: int
    definition_no: int
    graph: Graph
    tells: bool
    """Whether its graph has waits or publishes anything, so that its records are to be looked at."""
    may_call: bool
    """Whether it may call other sagas."""
    author: Author | AbsentAuthor
    first_event_no: int
    """Events of the log above this number count for its waits."""
    state: State = None  # type: ignore[assignment]
    """None only in its first turn, before it has begun."""
    seq: int = 0
    digest: bytes = FIRST
    pending: Pending = Pending()
    """What was outside at the last commit."""
    status: Status | None = None
    idle: bool = True
    """Whether it had no command outside, to be answered or inquired, at the last commit."""
    busy: bool = False
    """Whether it has commands that are not over, as its row says."""
    refused: bool = False
    """Whether why it is being undone stands in its row."""
    numbers: dict[str, tuple[str, int]] = {}
    """Path → participant and number, of all commands that are not over."""
    calls: Mapping[str, tuple[Sent, bool]] = NO_CALLS
    """The sagas that it has called; see `calls`."""
    caller_no: int = 0
    """The number of its caller, if it was called since it was loaded."""
    told: bool = False
    """Whether its caller knows that it has ended."""
    used: int = 0
    """The age of the cache when it was used last."""


class Outside(NamedTuple):
    """What a recovery asks of a saga."""

    no: int
    id: str
    numbers: dict[str, tuple[str, int]]
    """As in `Instance`."""
    paths: Set[str]
    """Of the commands that are to be answered or inquired."""
    forward: dict[str, Sent]
    """Path → command, of those that are to be answered and undo nothing."""


class AbsentAuthor:
    """Stands in for an author whose class is not here, or does not fit (`reason`): every function parks the saga."""

    def __init__(self, graph: Graph, reason: str = "") -> None:
        what = f"{graph.name} version {graph.version}"
        self._reason = reason or f"{what} is not known to this runtime; add its class to Runtime(sagas=[...])"

    def _absent(self, *_: object) -> NoReturn:
        raise Stuck("no-handler", self._reason)

    command = undo = key = wake_at = subject = event = items = condition = answer = _absent

    def follow(self, state: State) -> None:
        """There is nobody who would look at it."""

    def function(self, name: str) -> None:
        """There is none."""

    def know(self, element: str, value: object) -> None:
        """Nobody reads it."""

    def forget(self, element: str) -> None:
        """Nobody reads it."""

    def take_twin(self, sent: Sent, default: object) -> object:
        """There is none."""
        return default


class Loader:
    """Makes instances: new ones, and those that are in the store, by replay."""

    def __init__(
        self,
        store: SagaStore,
        definitions: Definitions,
        routing: Routing,
        busy: Busy,
        make_author: Callable[[Definition, Routing, Busy, int], Author] = Author,
    ) -> None:
        """`make_author` makes the author's side of the saga of a number."""
        self._store, self._definitions, self._routing, self._busy = store, definitions, routing, busy
        self._make_author = make_author

    def new(self, no: int, definition_no: int, first_event_no: int) -> Instance:
        """Return an instance that has not begun yet."""
        known = self._definitions.known(definition_no)
        author = self._author(known, no)
        tells, may_call = known.tells, known.may_call
        return Instance(no, known.no, known.graph, tells, may_call, author, first_event_no)

    def load(self, no: int) -> Instance | None:
        """Return the saga of this number as its journal says; None when there is none, or its records make no sense.

        Raises CorruptStore when the journal's chain does not hold.
        """
        row = self._store.row(no)
        return None if row is None else self.replayed(row, self._store.journal(no))

    def replayed(self, row: SagaRow, journal: list[JournalRow]) -> Instance | None:
        """Return the saga of this row as its journal says; None when its records make no sense."""
        instance = self.new(row.no, row.definition_no, row.first_event_no)
        state = _replayed(row, journal)
        if state is None:
            return None
        instance.state = state
        if isinstance(instance.author, Author):
            try:
                instance.author.attach(state)
            except BaseException as error:  # its class has become stricter since
                reason = f"its input cannot be read: {describe(error, trace=False)}"
                instance.author = AbsentAuthor(instance.graph, reason)
        instance.seq, instance.digest = journal[-1].seq, journal[-1].digest
        outside = instance.pending = pending(state)
        instance.idle = not (outside.commands or outside.resolves)
        instance.status, instance.busy = Status(row.status), bool(row.busy)
        instance.refused = row.refusal_code is not None
        instance.calls, instance.told = instance.pending.calls, state.ended is not None
        instance.may_call = instance.may_call or bool(instance.calls)
        instance.numbers |= _numbers(state)
        return instance

    def _author(self, known: Known, no: int) -> Author | AbsentAuthor:
        if known.definition is None:
            return AbsentAuthor(known.graph)
        return self._make_author(known.definition, self._routing, self._busy, no)


def outside(row: SagaRow, journal: list[JournalRow]) -> Outside | None:
    """Return what a saga has outside, as its journal says; None when its records make no sense.

    It takes half of the time of an instance, and no memory.
    """
    state = _replayed(row, journal)
    if state is None:
        return None
    waiting, visits = pending(state), state.visits
    commands = waiting.commands
    paths = commands.keys() if waiting.plain else commands.keys() | waiting.resolves.keys()
    forward = {path: sent for path, (sent, _) in commands.items() if visits[path].undoes is None}
    return Outside(row.no, row.id, _numbers(state), paths, forward)


def _replayed(row: SagaRow, journal: list[JournalRow]) -> State | None:
    try:
        return replay(records_of(journal))
    except (Unfitting, msgspec.MsgspecError, UnicodeDecodeError) as error:  # or of a later version
        log.error("journal_unfitting", saga_id=row.id, reason=str(error))
        return None


def unreadable(saga_id: str) -> StoredDataError:
    """Return what whoever asks for a saga is told that is there, and whose records make no sense."""
    return StoredDataError(
        f"the records of saga {saga_id!r} make no sense to this version of saga; run the one that wrote them, "
        f"or see `saga verify`"
    )


def _numbers(state: State) -> dict[str, tuple[str, int]]:
    return {
        path: (visit.sent.to, visit.sent.number)
        for path, visit in state.visits.items()
        if visit.sent is not None and visit.sent.number
    }


class Cache:
    """The instances used last, at most `limit` of them between batches."""

    def __init__(self, limit: int, load: Callable[[int], Instance | None]) -> None:
        self._limit = limit
        self._load = load
        self._known: dict[int, Instance] = {}
        self._age = 0

    def __len__(self) -> int:
        return len(self._known)

    def add(self, instance: Instance) -> None:
        """Keep a new instance."""
        instance.used = self._age
        self._known[instance.no] = instance

    def get(self, no: int) -> Instance | None:
        """Return the instance of this number, loading it when it is not here; None when there is no such saga."""
        instance = self._known.get(no)
        if instance is None:
            instance = self._load(no)
            if instance is None:
                return None
            self._known[no] = instance
        instance.used = self._age
        return instance

    def get_or(self, no: int, load: Callable[[], Instance | None]) -> Instance | None:
        """Do as `get`, with another way of loading it."""
        if no not in self._known:
            instance = load()
            if instance is None:
                return None
            self._known[no] = instance
        return self.get(no)

    def missing(self, nos: Iterable[int]) -> list[int]:
        """Return those of `nos` that are not here."""
        known = self._known
        return [no for no in nos if no not in known]

    def drop(self, no: int) -> None:
        """Let an instance go: it has ended, or its state cannot be trusted."""
        self._known.pop(no, None)

    def shrink(self) -> None:
        """Let the least used ones go. Only between batches: while a batch runs, its instances must stay."""
        self._age += 1
        if len(self._known) > self._limit:
            by_use = sorted(self._known.values(), key=_last_use)
            for instance in by_use[
                : len(by_use) - self._limit * 3 // 4
            ]:  # some more, so as not to sort every time
                del self._known[instance.no]


def _last_use(instance: Instance) -> int:
    return instance.used
