"""`saga deliveries`: how far the listeners are, and which events they have failed on."""

from __future__ import annotations

from collections.abc import Iterator

from saga.cli.output import Deliveries, FailedDelivery, ListenerLine, write
from saga.cli.terminal import Cell, Terminal
from saga.cli.values import first_line, iso, moment
from saga.errors import UnknownSaga
from saga.store import RetryRow, StoreReader
from saga.store.inspection import ContextReader, kept_for

__all__ = ["Asked", "list_deliveries"]


class NoSuchContext(UnknownSaga):
    """This store has no context of this name."""

    def __init__(self, name: str, there: list[str]) -> None:
        super().__init__(name)
        self.args = (f"no context {name!r} in this store; there are {', '.join(there) or 'none'}",)


class Asked:
    """Which deliveries are asked for."""

    def __init__(self, context: str | None, set_aside: bool, limit: int, after: int) -> None:
        self.context, self.set_aside, self.limit, self.after = context, set_aside, limit, after


def list_deliveries(directory: str, asked: Asked, as_json: bool) -> int:
    """Print listeners and deliveries; return the exit code."""
    with StoreReader.open(directory) as reader:
        names = reader.contexts()
        if asked.context is not None:
            if asked.context not in names:
                raise NoSuchContext(asked.context, names)
            names = [asked.context]
        listeners: list[ListenerLine] = []
        failed: list[tuple[str, RetryRow]] = []
        for name in names:
            listeners += _listeners(reader, name)
            with ContextReader.open(reader.files, name) as context:
                which = True if asked.set_aside else None
                rows = context.retries(set_aside=which, after=asked.after, limit=asked.limit)
            failed += [(name, row) for row in rows]
    failed.sort(key=lambda each: (each[1].event_no, each[0]))
    last = failed[asked.limit - 1][1].event_no if len(failed) >= asked.limit else None
    shown = [_delivery(name, row) for name, row in failed if last is None or row.event_no <= last]
    found = Deliveries(listeners=listeners, deliveries=shown, next_after=last)
    if as_json:
        write(found)
    else:
        _print(Terminal.of_stdout(), found)
    return 0


def _listeners(reader: StoreReader, name: str) -> Iterator[ListenerLine]:
    """Yield the listeners of one context. Those that are away were not there when the store was opened last."""
    away = reader.context(name).epoch < reader.store().epoch
    with ContextReader.open(reader.files, name) as context:
        for row in context.listeners():
            yield ListenerLine(
                context=name,
                event_type=row.event_type,
                position=row.position,
                behind=kept_for(reader, {row.event_type: row.position}),
                to_retry=context.failed_count(row.event_type, set_aside=False),
                set_aside=context.failed_count(row.event_type, set_aside=True),
                away=away,
            )


def _delivery(name: str, row: RetryRow) -> FailedDelivery:
    return FailedDelivery(
        context=name,
        event_no=row.event_no,
        event_id=row.event_id,
        event_type=row.event_type,
        correlation=row.correlation,
        attempts=row.attempt,
        failed_at=iso(row.failed_ms) or "",
        next_at=iso(row.due_ms),
        reason=row.reason,
    )


# --- as text --------------------------------------------------------------------------------------


def _print(terminal: Terminal, found: Deliveries) -> None:
    if not found.listeners:
        terminal.line("nobody listens to events here")
        return
    titles = ("LISTENER", "EVENT", "BEHIND", "TO RETRY", "SET ASIDE", "")
    terminal.table(titles, [_cells(each) for each in found.listeners])
    if found.deliveries:
        terminal.heading("Failed deliveries")
    for each in found.deliveries:
        first = f"  event {each.event_no}, {each.event_type}, to {each.context}: "
        next_ = "set aside" if each.next_at is None else f"again at {moment(each.next_at)}"
        times = f"{each.attempts} attempt{'' if each.attempts == 1 else 's'}"
        text = f"{next_} after {times}: {first_line(each.reason)}"
        terminal.hanging(first, text, "red" if each.next_at is None else "yellow", indent=4)
        terminal.hanging("    ", f"id {each.event_id}, last tried {moment(each.failed_at)}", "dim")
    if any(each.set_aside for each in found.listeners):
        terminal.line()
        terminal.line("mend the listener, then runtime.retry_deliveries(context)", "dim")
    if found.next_after is not None:
        terminal.line(f"for more: --after {found.next_after}", "dim")


def _cells(each: ListenerLine) -> list[Cell]:
    return [
        Cell(each.context),
        Cell(each.event_type),
        Cell(f"{each.behind:,}"),
        Cell(f"{each.to_retry:,}", "yellow" if each.to_retry else ""),
        Cell(f"{each.set_aside:,}", "red" if each.set_aside else ""),
        Cell("away" if each.away else "", "yellow"),
    ]
