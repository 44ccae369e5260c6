"""`saga list`: which sagas there are, and what each waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import click

from saga.cli.output import Listing, Refusal, SagaLine, Waiting, write
from saga.cli.terminal import Cell, Terminal, clean, joined
from saga.cli.values import first_line, iso, moment
from saga.cli.waiting import replayed, sentence, waiting_for
from saga.machine import Status, Unfitting
from saga.store import OverviewRow, StoreReader

__all__ = ["STYLES", "Wanted", "list_sagas"]

AT_ONCE = 200
"""Sagas read in one moment."""

DEADLINE = 2
"""Weight of what is said only when there is nothing else."""

STYLES = {
    "RUNNING": "cyan",
    "COMPENSATING": "yellow",
    "COMPLETED": "green",
    "COMPENSATED": "yellow",
    "PARKED": "red",
    "SUSPENDED": "magenta",
}


class Wanted(NamedTuple):
    """Which sagas are asked for."""

    saga: str | None
    statuses: tuple[str, ...]
    tags: dict[str, str]
    limit: int
    after: int | None


def list_sagas(directory: str, wanted: Wanted, as_json: bool) -> int:
    """Print the sagas of a store; return the exit code."""
    with StoreReader.open(directory) as reader:
        sagas = list(_sagas(reader, wanted))
        counts = {status.value: 0 for status in Status} | reader.counts(wanted.saga)
        names = dict.fromkeys(row.name for row in reader.definitions())
    more = sagas[-1].no if len(sagas) == wanted.limit and sagas[-1].no > 1 else None
    if as_json:
        write(Listing(sagas=sagas, counts=counts, next_after=more))
    else:
        _print(Terminal.of_stdout(), sagas, counts, more, wanted)
    if wanted.saga is not None and wanted.saga not in names:
        there = f"; there are {', '.join(names)}" if names else ""
        click.echo(f"saga: no saga is called {clean(repr(wanted.saga))} here{clean(there)}", err=True)
    return 0


def _sagas(reader: StoreReader, wanted: Wanted) -> Iterator[SagaLine]:
    after, left = wanted.after, wanted.limit
    while left:
        with reader.moment():
            rows = reader.overview(
                saga=wanted.saga,
                status=wanted.statuses or None,
                tags=wanted.tags,
                limit=min(left, AT_ONCE),
                after=after,
            )
            yield from [_line(reader, row) for row in rows]
        if len(rows) < AT_ONCE:
            return
        after, left = rows[-1].no, left - len(rows)


def _line(reader: StoreReader, row: OverviewRow) -> SagaLine:
    waiting, refusal = ([], None) if row.ended_ms is not None else _live(reader, row.no)
    if row.refusal_code is not None:
        refusal = Refusal(code=row.refusal_code, reason=row.refusal_reason or "")
    return SagaLine(
        no=row.no,
        id=row.id,
        saga=row.name,
        version=row.version,
        status=row.status,
        started_at=iso(row.started_ms) or "",
        ended_at=iso(row.ended_ms),
        refusal=refusal,
        tags=row.tags,
        waiting_for=waiting,
    )


def _live(reader: StoreReader, no: int) -> tuple[list[Waiting], Refusal | None]:
    """Return what a saga that has not ended waits for, and why it is being undone, if it is."""
    journal = reader.journal(no)
    try:
        state = replayed(journal)
    except Unfitting:
        reason = "its journal cannot be read; see saga verify"
        return [Waiting(kind="unknown", path="", reason=reason)], None
    failure = state.failure
    refusal = None if failure is None else Refusal(code=failure.code, reason=failure.reason)
    return waiting_for(state, journal), refusal


def _print(
    terminal: Terminal, sagas: list[SagaLine], counts: dict[str, int], more: int | None, wanted: Wanted
) -> None:
    if sagas:
        titles = ("ID", "STATUS", "SAGA", "STARTED", "ENDED / WAITS FOR")
        terminal.table(titles, [_cells(saga) for saga in sagas])
        terminal.line()
    total = sum(counts.values())
    what = f"sagas {wanted.saga}" if wanted.saga else "saga" if total == 1 else "sagas"
    parts = joined(f"{count:,} {status}" for status, count in counts.items() if count)
    terminal.hanging("", f"{total:,} {what}{':' if parts else ''} {parts}", indent=2)
    if len(sagas) < total:
        asked = " as asked for" if wanted.statuses or wanted.tags else ""
        behind = f"; for more: --after {more}" if more else ""
        terminal.line(f"shown: {len(sagas):,}{asked}{behind}", "dim")


def _cells(saga: SagaLine) -> list[Cell]:
    return [
        Cell(saga.id),
        Cell(saga.status, STYLES.get(saga.status, "")),
        Cell(f"{saga.saga} {saga.version}"),
        Cell(moment(saga.started_at), "dim"),
        Cell(_where(saga)),
    ]


def _where(saga: SagaLine) -> str:
    """Return when and why it ended, or what it waits for."""
    if saga.ended_at is not None:
        same_day = saga.ended_at[:10] == saga.started_at[:10]
        why = f", {first_line(saga.refusal.reason)} [{saga.refusal.code}]" if saga.refusal is not None else ""
        return f"ended {moment(saga.ended_at)[11 if same_day else 0 :]}{why}"
    if not saga.waiting_for:
        return ""
    first, *others = sorted(saga.waiting_for, key=_weight)
    more = sum(_weight(each) < DEADLINE for each in others)
    return sentence(first) + (f" (and {more} more)" if more else "")


def _weight(waiting: Waiting) -> int:
    """What a person has to do comes first; the deadline of a scope says least."""
    return 0 if waiting.kind == "person" else DEADLINE if waiting.kind == "deadline" else 1
