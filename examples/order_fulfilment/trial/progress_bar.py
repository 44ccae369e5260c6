"""The progress of a trial: a bar where somebody looks, a line now and then where nobody does."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from examples.order_fulfilment.trial.watch import Progress

__all__ = ["ProgressBar", "progress_bar"]


class ProgressBar(Protocol):
    """Shows how far it is while it is used as a context manager."""

    def show(self, progress: Progress, kills: int) -> None:
        """Show this."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress_bar(orders: int) -> ProgressBar:
    """Return what fits the terminal, and what is installed."""
    if sys.stdout.isatty():
        try:
            return _Bar(orders)
        except ImportError:
            pass
    return _Lines(orders)


def _day(progress: Progress) -> str:
    return f"{progress.shop_time:%a %H:%M}" if progress.shop_time else "opening"


class _Bar:
    """A bar, by rich."""

    def __init__(self, orders: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        bar, count, elapsed = BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn()
        text = TextColumn("[dim]{task.fields[note]}")
        self._progress = Progress("orders", bar, count, elapsed, text)
        self._task = self._progress.add_task("orders", total=orders, note="")

    def show(self, progress: Progress, kills: int) -> None:
        """See `ProgressBar`."""
        note = f"{_day(progress)}, {progress.under_way} under way, {kills} kills"
        self._progress.update(self._task, completed=progress.settled, note=note)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


class _Lines:
    """Plain lines."""

    EVERY_S = 10.0

    def __init__(self, orders: int) -> None:
        self._orders = orders
        self._shown_at = time.monotonic()

    def show(self, progress: Progress, kills: int) -> None:
        """See `ProgressBar`."""
        if time.monotonic() - self._shown_at >= self.EVERY_S:
            self._shown_at = time.monotonic()
            of = f"{progress.settled:,} of {self._orders:,} orders"
            print(f"  {_day(progress)}  {of}, {progress.under_way} under way, {kills} kills", flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
