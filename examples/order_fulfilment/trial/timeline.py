"""The story of one order: the history of its saga, for a person to read, on a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import timedelta

from examples.order_fulfilment.trial.evidence import Evidence
from examples.order_fulfilment.trial.folder import Folder
from saga.history import HistoryEntry, read_history
from saga.machine import command_id
from saga.store import StoreReader

__all__ = ["timelines"]

WIDTH = 80
INDENT = "    "

LEFT_OUT = {"scope-entered", "scope-left", "scope-undone", "chosen", "answered"}
"""Kinds of entries that say nothing which does not follow from those around them; `saga show` has them all."""


def timelines(folder: Folder, evidence: Evidence) -> Iterator[str]:
    """Yield the lines about one order of each kind: the first one."""
    first: dict[str, str] = {}
    for order_id in evidence.baskets:
        first.setdefault(evidence.kind(order_id), order_id)
    with StoreReader.open(folder.shop) as reader:
        for kind, order_id in first.items():
            basket = evidence.baskets[order_id]
            yield f"Order {order_id}, {len(basket.lines)} products for {evidence.value(order_id)}: {kind}"
            sagas = evidence.sagas.get(order_id, [])
            if not sagas:
                yield f"  {basket.placed_at:%a %H:%M}  Checkout said no at once, from its copy of the stock"
            for fact in sagas:
                yield from _timeline(reader, fact.id)
            yield ""


def _timeline(reader: StoreReader, saga_id: str) -> Iterator[str]:
    """Yield the lines about a saga, and within them, indented, those about the sagas that it has called."""
    began = None
    for depth, entry in _entries(reader, saga_id):
        began = began or entry.at
        when = f"  {entry.at:%a %H:%M} {_since(entry.at - began):>7}  {INDENT * depth}"
        lines = textwrap.wrap(entry.text, WIDTH - len(when) - 2, break_on_hyphens=False)
        yield when + f"\n{' ' * (len(when) + 2)}".join(lines)


def _entries(reader: StoreReader, saga_id: str, depth: int = 0) -> Iterator[tuple[int, HistoryEntry]]:
    """Yield what happened, with how deep it is in calls. An order waits for whom it has called, so that nothing of
    its own happens meanwhile: the story of the called one stands behind the entry that says so."""
    row = reader.saga(saga_id)
    assert row is not None
    for entry in read_history(reader.journal(row.no)):
        if entry.what not in LEFT_OUT:
            yield depth, entry
        called = command_id(saga_id, entry.path)
        if entry.what in ("command-sent", "undo-sent") and reader.saga(called) is not None:
            yield from _entries(reader, called, depth + 1)


def _since(time: timedelta) -> str:
    hours, seconds = divmod(int(time.total_seconds()), 3600)
    return f"+{hours}:{seconds // 60:02}"
