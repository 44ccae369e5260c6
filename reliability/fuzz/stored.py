"""What is stored: journals and graphs after a change.

Records are read or refused with an error of msgspec; those that are read fit the saga, or `replay` says `Unfitting`. A
graph is read or refused, and one that is read is as good as any: it is stored again as it is.
"""

from __future__ import annotations

from functools import cache
from random import Random

import msgspec

from reliability.fuzz.mutation import mutated
from reliability.model.flows import FLOWS, LARGER
from reliability.model.graphs import graph
from reliability.model.search import Search
from saga.flow.graph import Graph, flows
from saga.machine import Unfitting, decode_records, encode_records, pending, replay

__all__ = ["graphs_are_read_or_refused", "journals_are_read_or_refused"]

REFUSED = (msgspec.MsgspecError, UnicodeDecodeError)
"""How the readers say that it is something else; what is written in docstrings of theirs."""
SEARCHED = ("a scope that is tried again", "a race", "two items at once", "a call", "a wait that reminds")


@cache
def journals() -> list[list[bytes]]:
    """Return journals in which there is something of everything."""
    found: list[list[bytes]] = []
    for name in SEARCHED:
        flow = FLOWS[name]
        _, sagas = Search(flow.blocks).all(flow.world._replace(suspensions=1, events=1), most=400)
        found += [[encode_records(row) for row in moment.rows] for moment in sagas.moments]
    return found


@cache
def graphs() -> list[bytes]:
    """Return graphs of all kinds of nodes."""
    return [graph(flow.blocks).to_json() for flow in (*FLOWS.values(), *LARGER.values())]


def journals_are_read_or_refused(rng: Random) -> str | None:
    """Change a journal somewhere: bytes of a row, the order of rows, a row of another saga. Return what is wrong."""
    rows = list(rng.choice(journals()))
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(rows))
        change = rng.randrange(6)
        if change == 0:
            rows.insert(at, rows[rng.randrange(len(rows))])
        elif change == 1 and len(rows) > 1:
            del rows[at]
        elif change == 2:
            rows[at] = rng.choice(rng.choice(journals()))
        else:
            rows[at] = mutated(rng, rows[at])
    try:
        records = [record for row in rows for record in decode_records(row)]
    except REFUSED:
        return None
    if decode_records(encode_records(records)) != records:
        return f"{records} are other ones after they were stored"
    try:
        state = replay(records)
        pending(state)
    except Unfitting:
        return None
    return None if replay(records) == state else f"{records} lead to another state the second time"


def graphs_are_read_or_refused(rng: Random) -> str | None:
    """Change the JSON of a graph. Return what is wrong."""
    data = mutated(rng, rng.choice(graphs()))
    try:
        read = Graph.from_json(data)
    except REFUSED:
        return None
    for node in read.nodes.values():
        flows(node)
    again = Graph.from_json(read.to_json())
    if again != read or again.digest() != read.digest():
        return f"{data[:300]!r} is read as a graph that is another one after it was stored again"
    return None
