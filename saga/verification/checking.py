"""The store, piece by piece: definitions, sagas and what contexts remember of them, outboxes, positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import msgspec

from saga.errors import CorruptStore, SagaError
from saga.flow.graph import Graph
from saga.machine import Unfitting, command_id, pending
from saga.store.context_rows import InboxRow
from saga.store.files import StoreFiles
from saga.store.inspection import (
    ContextReader,
    StoredSaga,
    matching_events,
    newest_no,
    saga_ids,
    stored_sagas,
    unknown_ids,
)
from saga.store.integrity import Finding
from saga.store.reading import StoreReader
from saga.store.saga_store import verified
from saga.verification.replaying import Replay, Told, differences, replay_journal

__all__ = ["Check", "Progress"]

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with what is looked at (`files`, `sagas`, `inboxes`), how many are done, and how many there are."""

SAGAS_AT_ONCE = 200
"""Sagas read, with their journals, in one moment of saga.db."""

COMMANDS_AT_ONCE = 1_000
"""Rows of an inbox read at once."""


@dataclass(frozen=True, slots=True)
class _Definition:
    name: str
    version: int
    hash: str
    graph: Graph | None
    """None when it cannot be read."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """An answer that was acknowledged, and not found at the first look."""

    command_id: str
    number: int
    told: Told


class _Moment:
    """What is known while some sagas are looked at."""

    def __init__(self, contexts: Iterable[ContextReader], saga_ids: list[str]) -> None:
        """Look at the contexts, before saga.db is."""
        self.floors: dict[str, int] = {}
        """Context → the number below which it refuses commands."""
        self.kept_from: dict[str, int] = {}
        """Context → the number from which on it has forgotten no answer."""
        self.inboxes: dict[str, dict[str, InboxRow]] = {}
        """Context → what it remembers of the commands of these sagas."""
        for context in contexts:
            with context.moment():
                self.floors[context.name] = context.floor()
                self.kept_from[context.name] = context.kept_from()
                self.inboxes[context.name] = context.answers_of(saga_ids)
        self.numbers: dict[str, int] = {}
        """Participant → the number that its next command gets."""
        self.high_ms = self.pruned_ms = 0
        self.missing: dict[str, list[_Missing]] = {}
        """By context, to be looked for again."""

    def may_be_pruned(self, stored: StoredSaga) -> bool:
        """Whether contexts may have forgotten this saga already, because it is about to be let go of."""
        return stored.row.ended_ms is not None and stored.row.ended_ms < self.pruned_ms


class Check:
    """One look over a store. What is found is yielded; what cannot be read is a finding, too."""

    def __init__(self, files: StoreFiles, reader: StoreReader, contexts: list[ContextReader]) -> None:
        self._files, self._reader = files, reader
        self._contexts = {context.name: context for context in contexts}
        self._definitions: dict[int, _Definition] = {}

    def _error(self, what: str) -> Finding:
        return Finding("error", self._files.saga, what)

    def _in(self, context: str, what: str) -> Finding:
        return Finding("error", self._files.context(context), what)

    # --- definitions ------------------------------------------------------------------------------

    def definitions(self) -> Iterator[Finding]:
        """Check that the stored graphs are what their hashes say."""
        for row in self._reader.definitions():
            name = f"the graph of {row.name} version {row.version}"
            try:
                graph = Graph.from_json(row.graph)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._definitions[row.no] = _Definition(row.name, row.version, row.hash, None)
                yield self._error(f"{name} cannot be read: {error}")
                continue
            self._definitions[row.no] = _Definition(row.name, row.version, row.hash, graph)
            if graph.digest() != row.hash:
                yield self._error(f"{name} does not fit its hash")
            elif (graph.name, graph.version) != (row.name, row.version):
                yield self._error(f"{name} is that of {graph.name} version {graph.version}")

    # --- sagas ------------------------------------------------------------------------------------

    def sagas(self, progress: Progress, *, live_only: bool) -> Iterator[Finding]:
        """Replay the sagas there are now, all of them or those that have not ended."""
        last = newest_no(self._reader)
        done, count = 0, sum(self._reader.counts().values())
        low = 0
        # page by page of the numbers that are there: a damaged one may be so large that counting never ends
        while ids := saga_ids(self._reader, low, last, SAGAS_AT_ONCE, live_only=live_only):
            first, high = low + 1, max(ids)
            if high < first:
                return  # out of order, which SQLite's own check has told
            try:
                yield from self._some(ids)
            except Exception as error:
                what = f"sagas with numbers from {first} to {high} cannot be read"
                yield self._error(f"{what}: {_said(error)}")
            done, low = done + len(ids), high
            progress("sagas", done, count)

    def _some(self, ids: dict[int, str]) -> Iterator[Finding]:
        reader = self._reader
        moment = _Moment(self._contexts.values(), list(ids.values()))
        found: list[Finding] = []  # not yielded inside the moment, which would last as long as somebody reads
        with reader.moment():
            sagas = stored_sagas(reader, ids)
            moment.numbers = {
                name: next_number for name, (_, next_number, *_) in reader.participants().items()
            }
            moment.high_ms, moment.pruned_ms = reader.store().high_ms, reader.pruned_ms()
            if any(stored.row.definition_no not in self._definitions for stored in sagas):
                found += self.definitions()
            for stored in sagas:
                found += self._one(stored, moment)
        yield from found
        for name, missing in moment.missing.items():
            yield from self._look_again(self._contexts[name], missing)

    def _one(self, stored: StoredSaga, moment: _Moment) -> Iterator[Finding]:
        """Look at one saga. Damage shows as anything at all, so that any error is a finding about this one."""
        try:
            yield from self._saga(stored, moment)
        except Exception as error:
            yield self._error(f"saga {stored.row.id!r}: what is stored makes no sense: {_said(error)}")

    def _saga(self, stored: StoredSaga, moment: _Moment) -> Iterator[Finding]:
        name = f"saga {stored.row.id!r}"
        try:
            verified(self._files.saga, stored.journal)
        except CorruptStore:
            return  # the check of the chains has told; what follows from a damaged journal says nothing
        if not stored.journal:
            return  # the same
        if any(row.stored is None for row in stored.journal):
            if stored.row.ended_ms is None:
                yield self._error(f"{name}: it has not ended, and a part of its journal was erased")
            return
        try:
            replayed = replay_journal(stored)
        except Unfitting as error:
            yield self._error(f"{name}: its journal makes no sense: {error}")
            return
        for what in differences(stored, replayed):
            yield self._error(f"{name}: {what}")
        for what in self._surroundings(stored, replayed, moment):
            yield self._error(f"{name}: {what}")
        yield from self._acknowledged(stored, replayed, moment)
        yield from self._remembered(stored, replayed, moment)

    def _surroundings(self, stored: StoredSaga, replayed: Replay, moment: _Moment) -> Iterator[str]:
        """Hold a saga against its definition, time, the numbers that were given, and the event log."""
        row, state = stored.row, replayed.state
        pinned = self._definitions.get(row.definition_no)
        if pinned is None:
            yield "its definition is not there"
        elif (pinned.name, pinned.version, pinned.hash) != (state.saga, state.version, state.graph):
            what = f"its definition is {pinned.name} version {pinned.version} ({pinned.hash})"
            yield f"{what}, by its journal {state.saga} version {state.version} ({state.graph})"
        elif pinned.graph is not None:
            for path, visit in state.visits.items():
                if visit.element not in pinned.graph.nodes:
                    yield f"it is at {path!r}, and its graph has no {visit.element!r}"
        times = [each.at_ms for each in stored.journal]
        if times != sorted(times) or times[-1] > moment.high_ms:
            yield "time goes back in its journal, or is later than any the store knows"
        for path, (to, number) in replayed.sent.items():
            if number >= moment.numbers.get(to, 0):
                yield f"{path!r} was sent to {to!r} under number {number}, which was never given"
        for path, (type_, key) in pending(state).waits.items():
            events = matching_events(self._reader, type_, key, row.first_event_no)
            there = [event for event in events if event not in state.used_events]
            if there:
                yield f"{path!r} waits for {type_} of {key!r}, and event {there[0]!r} is there"

    def _acknowledged(self, stored: StoredSaga, replayed: Replay, moment: _Moment) -> Iterator[Finding]:
        """Hold what a journal says that contexts have said against what they remember."""
        for path, told in replayed.told.items():
            to, number = replayed.sent.get(path, ("", 0))
            if to in moment.inboxes:
                id_ = command_id(stored.row.id, path)
                row = moment.inboxes[to].get(id_)
                if row is not None:
                    yield from self._compare(to, row, told)
                elif number >= moment.kept_from[to] and not moment.may_be_pruned(stored):
                    moment.missing.setdefault(to, []).append(_Missing(id_, number, told))

    def _remembered(self, stored: StoredSaga, replayed: Replay, moment: _Moment) -> Iterator[Finding]:
        """Hold what contexts remember, and what they would refuse, against the commands of a saga."""
        saga_id, sent = stored.row.id, replayed.sent
        for name, rows in moment.inboxes.items():
            for row in rows.values():
                of, _, path = row.command_id.rpartition(":")
                if of == saga_id and sent.get(path) != (name, row.number):
                    yield self._in(name, f"has answered {row.command_id!r}, which was never sent to it")
        for path, visit in replayed.state.visits.items():
            to, number = sent.get(path, ("", 0))
            if visit.sent is not None and number < moment.floors.get(to, 0):
                what = f"would refuse {command_id(saga_id, path)!r}, number {number}, which is open"
                yield self._in(to, f"{what}: its floor is {moment.floors[to]}")

    def _compare(self, name: str, row: InboxRow, told: Told) -> Iterator[Finding]:
        id_ = repr(row.command_id)
        if row.outcome not in told.outcomes:
            yield self._in(name, f"remembers {id_} as {row.outcome}, saga.db as {' or '.join(told.outcomes)}")
        elif told.answer is not None and row.answer != told.answer:
            yield self._in(name, f"remembers another answer to {id_} than saga.db")
        elif told.refusal is not None and (row.code, row.reason) != told.refusal:
            found, recorded = f"{row.reason} [{row.code}]", "{1} [{0}]".format(*told.refusal)
            yield self._in(name, f"has refused {id_}: {found!r}, by saga.db {recorded!r}")

    def _look_again(self, context: ContextReader, missing: list[_Missing]) -> Iterator[Finding]:
        """Look again, now after saga.db: what was acknowledged there must be here, or was forgotten in order."""
        rows: dict[str, InboxRow] = {}
        with context.moment():
            kept_from = context.kept_from()
            for some in _chunks([each.command_id for each in missing], COMMANDS_AT_ONCE):
                rows |= context.answers(some)
        for each in missing:
            row = rows.get(each.command_id)
            if row is not None:
                yield from self._compare(context.name, row, each.told)
            elif each.number >= kept_from:
                what = f"does not remember {each.command_id!r} (number {each.number}), whose answer"
                yield self._in(context.name, f"{what} saga.db has acknowledged")

    # --- contexts ---------------------------------------------------------------------------------

    def outboxes_and_positions(self) -> Iterator[Finding]:
        """Check that no event was forgotten before it was in the log, and that nobody read beyond its end."""
        for name, context in self._contexts.items():
            try:
                if context.stored_name() != name:
                    yield self._in(name, f"is the file of context {context.stored_name()!r}")
                for what in (*self._outbox(context), *self._positions(context)):
                    yield self._in(name, what)
            except Exception as error:
                yield self._in(name, _said(error))

    def _outbox(self, context: ContextReader) -> Iterator[str]:
        with context.moment():
            last, span = context.outbox_no(), context.outbox()
        relayed = self._reader.participants()[context.name][3]
        first = last + 1 if span.first is None else span.first
        if span.size != last - first + 1 or span.last not in (None, last):
            yield f"its outbox has {span.size} of the events from {first} to {last}"
        elif first - 1 > relayed:
            yield f"has forgotten the events from {relayed + 1} to {first - 1}, which are not in the log"

    def _positions(self, context: ContextReader) -> Iterator[str]:
        positions = context.positions()
        last = self._reader.store().event_no
        for event_type, position in positions.items():
            if position > last:
                yield f"has read {event_type} up to event {position}, the last of the log is {last}"
        for event_no, event_type in context.untaken_retries():
            yield f"has failed on event {event_no}, and read {event_type} up to event {positions.get(event_type, 0)}"

    def unknown_commands(self, progress: Progress) -> Iterator[Finding]:
        """Look for rows of inboxes whose saga is not there at all."""
        for done, (name, context) in enumerate(self._contexts.items()):
            progress("inboxes", done, len(self._contexts))
            after = ""
            try:
                # what is damaged may be out of order, and would be read for ever
                while (rows := context.commands(after, COMMANDS_AT_ONCE)) and rows[-1][0] > after:
                    after = rows[-1][0]
                    sagas = {id_: id_.rpartition(":")[0] for id_, _ in rows}
                    unknown = unknown_ids(self._reader, sagas.values())
                    for id_, saga_id in sagas.items():
                        if saga_id in unknown:
                            yield self._in(name, f"has answered {id_!r}, and saga.db has no such saga")
            except Exception as error:
                yield self._in(name, _said(error))


def _said(error: Exception) -> str:
    """Return what an error says; those of this library say enough."""
    return str(error) if isinstance(error, SagaError) else f"{type(error).__name__}: {error}"


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some
