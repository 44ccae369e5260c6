"""`saga verify`: is what is stored what must be stored?"""

from __future__ import annotations

import os
import sys
import time

import click

from saga.cli.output import Checked, Problem, Verification, write
from saga.cli.stores import own_files, problem
from saga.cli.terminal import Terminal, cells
from saga.cli.values import lasted
from saga.store import StoreFiles
from saga.verification import verify_store

__all__ = ["STYLES", "verify"]

STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


def verify(directory: str, quick: bool, as_json: bool) -> int:
    """Print what is wrong with a store; return the exit code."""
    began = time.monotonic()
    terminal, meter = Terminal.of_stdout(), _Meter()
    files = StoreFiles.at(directory)
    problems: list[Problem] = []
    try:
        for finding in verify_store(directory, quick, progress=meter.told):
            found = problem(finding, files)
            problems.append(found)
            if not as_json:
                meter.clear()
                terminal.hanging(
                    f"{found.severity}: ", f"{found.subject}: {found.what}", STYLES[found.severity]
                )
    finally:
        meter.clear()
    bad = [each for each in problems if each.severity != "note"]
    seconds = time.monotonic() - began
    checked = Checked(files=len(list(own_files(files))), sagas=meter.sagas, seconds=round(seconds, 3))
    if as_json:
        write(
            Verification(store=files.directory, ok=not bad, quick=quick, findings=problems, checked=checked)
        )
    else:
        _print_sum(terminal, checked, len(bad), quick)
    return 1 if bad else 0


def _print_sum(terminal: Terminal, checked: Checked, bad: int, quick: bool) -> None:
    which = "live sagas of " if quick else ""
    of = f"{checked.files} files, {which}{checked.sagas:,} sagas, {lasted(int(checked.seconds * 1000))}"
    if bad:
        terminal.line(f"{bad:,} {'finding' if bad == 1 else 'findings'} ({of})", "bold")
    else:
        terminal.line(f"nothing is wrong ({of})", "green")


def _is_terminal() -> bool:
    return sys.stderr.isatty()


class _Meter:
    """Says on a terminal, in a line of stderr that is written over, how far the check is."""

    AFTER_S = 0.5
    """What is done sooner needs no meter."""

    EVERY_S = 0.1

    def __init__(self) -> None:
        self.sagas = 0
        self._shown = _is_terminal() and not os.environ.get("CI")
        self._next = time.monotonic() + self.AFTER_S
        self._line = ""

    def told(self, what: str, done: int, of: int) -> None:
        """See `verification.Progress`."""
        if what == "sagas":
            self.sagas = of
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + self.EVERY_S
        self.clear()
        self._line = f"checking {what}" + (f": {done:,} of {of:,}" if of else "")
        click.echo(self._line, nl=False, err=True)

    def clear(self) -> None:
        """Take the line away."""
        if self._line:
            click.echo("\r" + " " * cells(self._line) + "\r", nl=False, err=True)
            self._line = ""
