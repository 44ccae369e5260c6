"""From an open saga.db to a coordinator that can recover: definitions matched, the ways to the participants laid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from saga.coordination.coordinator import Coordinator
from saga.coordination.definitions import Definitions, StoredDefinition
from saga.coordination.dispatch import QUICK_CREDIT, Lane
from saga.coordination.envelopes import Port
from saga.coordination.participation import Participant
from saga.errors import CorruptStore
from saga.flow.graph import Graph
from saga.seams import seam
from saga.store import Batch, DefinitionRow, SagaStore

__all__ = ["lay_lanes", "match_definitions"]


def match_definitions(store: SagaStore, definitions: Definitions) -> None:
    """Match the definitions that are here with those that are stored, and store the new ones.

    Raises DefinitionChanged, and CorruptStore when a stored graph is none, or another one than was stored.
    """
    live = store.live_definitions()
    stored = [
        StoredDefinition(row.no, row.name, row.version, row.hash, _graph(store, row), live.get(row.no, 0))
        for row in store.definitions()
    ]
    new = definitions.match(stored)
    batch = Batch()
    batch.definitions = [
        (no, each.graph.name, each.graph.version, each.graph.digest(), each.graph.to_json(), store.high_ms)
        for no, each in new
    ]
    if new:
        seam("opening.before-definitions")
        store.commit(batch)
    seam("opening.definitions-known")


def _graph(store: SagaStore, row: DefinitionRow) -> Graph:
    try:
        graph = Graph.from_json(row.graph)
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:  # TypeError: there is none
        what = f"the graph of {row.name} version {row.version} cannot be read ({error})"
        raise CorruptStore(store.path, what) from error
    if graph.digest() != row.hash:
        what = f"the graph of {row.name} version {row.version} does not fit its hash"
        raise CorruptStore(store.path, what)
    return graph


def lay_lanes(
    coordinator: Coordinator,
    store: SagaStore,
    participants: Iterable[Participant],
    ports: Mapping[str, Port],
) -> None:
    """Add the ways to all participants, each with the numbers that the store has of it."""
    known = store.participants()
    for participant in participants:
        name, kind = participant.name, participant.kind
        _, next_number, commit_no, outbox_no = known.get(name, (kind, 1, 0, 0))
        credit = participant.credit
        most = max(credit, QUICK_CREDIT) if kind == "gateway" else credit
        lane = Lane(name, kind, ports[name], credit=credit, most=most, next_number=next_number)
        coordinator.dispatcher.add(lane, participant.commands)
        coordinator.commit_nos[name] = commit_no
        coordinator.outbox_nos[name] = outbox_no
