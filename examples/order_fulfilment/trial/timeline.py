"""The story of one order: the history of its saga, for a person to read, on a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import timedelta

from examples.order_fulfilment.trial.evidence import Evidence
from examples.order_fulfilment.trial.folder import Folder
from saga.history import read_history
from saga.store import StoreReader

__all__ = ["timelines"]

WIDTH = 80


def timelines(folder: Folder, evidence: Evidence) -> Iterator[str]:
    """Yield the lines about one order of each kind: the first one."""
    first: dict[str, str] = {}
    for order_id in evidence.baskets:
        first.setdefault(evidence.outcome(order_id), order_id)
    with StoreReader.open(folder.shop) as reader:
        for outcome, order_id in first.items():
            basket = evidence.baskets[order_id]
            yield f"Order {order_id}, {len(basket.lines)} products for {evidence.value(order_id)}: {outcome}"
            sagas = evidence.sagas.get(order_id, [])
            if not sagas:
                yield f"  {basket.placed_at:%a %H:%M}  Checkout said no at once, from its copy of the stock"
            for fact in sagas:
                yield from _timeline(reader, fact.id)
            yield ""


def _timeline(reader: StoreReader, saga_id: str) -> Iterator[str]:
    row = reader.saga(saga_id)
    assert row is not None
    began = None
    for entry in read_history(reader.journal(row.no)):
        began = began or entry.at
        when = f"  {entry.at:%a %H:%M} {_since(entry.at - began):>7}  "
        lines = textwrap.wrap(entry.text, WIDTH - len(when) - 2, break_on_hyphens=False)
        yield when + f"\n{' ' * (len(when) + 2)}".join(lines)


def _since(time: timedelta) -> str:
    hours, seconds = divmod(int(time.total_seconds()), 3600)
    return f"+{hours}:{seconds // 60:02}"
