"""The supervisor: starts the worker, kills it, starts it again, until the work is done.

The card processor lives here, outside of the reach of the kills, as in the real world.
"""

from __future__ import annotations

import time

from examples.order_fulfilment.outside.processor import Processor
from examples.order_fulfilment.trial.folder import Facts, Folder
from examples.order_fulfilment.trial.kills import Kill, plan_kills
from examples.order_fulfilment.trial.process import Worker, WorkerFailed
from examples.order_fulfilment.trial.progress_bar import ProgressBar, progress_bar
from examples.order_fulfilment.trial.watch import Progress, Watch

__all__ = ["run_trial"]

LOOK_S = 0.02
SHOW_S = 0.25

HEARING_S = 15.0
"""How long, after the last saga has ended, its events may take to be heard."""

LONGEST_WAIT_S = 3 * 24 * 3600
"""Nothing in the process waits longer without anything happening, in seconds of the shop's clock: a reminder comes
then at the latest."""

PATIENCE_S = 60.0
"""Real seconds, beyond that, without anything happening: then the shop has got stuck."""


def run_trial(folder: Folder, facts: Facts) -> None:
    """Run the shop in a fresh `folder` until all orders are settled; complete `facts`, and write them there.

    Raises WorkerFailed when a worker ends by itself or gets stuck.
    """
    folder.write(facts)
    began = time.monotonic()
    with Processor(folder.ledger) as processor, progress_bar(facts.orders) as bar:
        supervisor = _Supervisor(folder, facts, processor.url, bar)
        try:
            supervisor.run()
        finally:
            supervisor.worker.end()
            facts.seconds = time.monotonic() - began
            folder.write(facts)


class _Supervisor:
    """One trial."""

    def __init__(self, folder: Folder, facts: Facts, processor_url: str, bar: ProgressBar) -> None:
        self._folder, self._facts, self._url, self._bar = folder, facts, processor_url, bar
        self._watch = Watch(folder)
        self._progress = Progress()
        self._shown_at = self._moved_at = time.monotonic()
        self._opening_took_s = 0.2
        self._killed_at: float | None = None
        """Since when the shop is closed; None: it is open."""
        self.worker = self._start()

    def run(self) -> None:
        """Carry out all kills, and let the shop finish its work."""
        plan = plan_kills(self._facts.kills_planned, self._facts.orders, self._facts.seed)
        for number, kill in enumerate(plan, start=1):
            self._wait_for(kill)
            self._kill()
            if number == len(plan):
                self._folder.keep_remains()
            self.worker = self._start()
        while not (self._is_done() and self.worker.open.is_set()):
            self._pause()
        self._wait_until_heard()
        self._bar.show(self._watch.progress(), self._facts.kills)
        self.worker.stop()

    def _start(self) -> Worker:
        return Worker(self._folder, self._url, self._facts.factor, self._facts.orders)

    def _wait_for(self, kill: Kill) -> None:
        """Wait until it is time.

        A worker that does not open its store yet is left to it: killing it would show nothing. One that has
        nothing left to do is killed at once.
        """
        while not self.worker.opening.is_set():
            self._pause()
        if kill.at_row is None:
            time.sleep(kill.into_opening * self._opening_took_s)
            return
        while self._watch.rows() < kill.at_row and not self._is_done():
            self._pause()

    def _kill(self) -> None:
        self._note_opening()
        self.worker.kill()
        self._killed_at = self._killed_at or time.monotonic()
        self._note_memory()
        self._facts.kills += 1
        if not self.worker.open.is_set():
            self._facts.kills_while_opening += 1

    def _is_done(self) -> bool:
        """Return whether every order is settled."""
        return self._progress.settled == self._facts.orders

    def _wait_until_heard(self) -> None:
        """Wait for the last events. Whether they were heard is for the reconciliation to say."""
        until = time.monotonic() + HEARING_S
        while time.monotonic() < until and not self._watch.everybody_has_heard():
            self._pause()

    def _pause(self) -> None:
        """Wait a moment; see that the worker lives and gets on, and show it."""
        time.sleep(LOOK_S)
        self.worker.look()
        now = time.monotonic()
        if now - self._shown_at < SHOW_S:
            return
        self._shown_at = now
        self._note_memory()
        self._note_opening()
        progress = self._watch.progress()
        if progress != self._progress:
            self._progress, self._moved_at = progress, now
        elif now - self._moved_at > PATIENCE_S + LONGEST_WAIT_S / self._facts.factor:
            raise WorkerFailed(f"nothing has happened for {now - self._moved_at:.0f} s: {progress}")
        self._bar.show(progress, self._facts.kills)

    def _note_opening(self) -> None:
        if not self.worker.open.is_set():
            return
        self._opening_took_s = self.worker.open_at - self.worker.opening_at
        if self._killed_at is not None:
            away_s, self._killed_at = self.worker.open_at - self._killed_at, None
            self._facts.longest_away_s = max(away_s, self._facts.longest_away_s)

    def _note_memory(self) -> None:
        used = self.worker.peak_memory_kb
        if used is not None:
            self._facts.peak_memory_kb = max(used, self._facts.peak_memory_kb or 0)
