"""Backups of a bank under load: each is restored, verified, brought to its end, and counted to the cent.

A *shift* is one program on one store, ten backups long. Some backups are asked for from outside, in some the program is
killed while it makes one. The control copies the files one after the other, with `cp` or each as a snapshot of its own.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import click

from reliability.backups.books import faults_of
from reliability.result import SIZES, Result
from saga import SagaError
from saga.store import Snapshot, StoreFiles, copy_unowned, data_files

__all__ = ["command"]

ROOT = Path(__file__).resolve().parent.parent.parent
A_SHIFT = 10
FROM_OUTSIDE = 3
"""Every so manieth backup is asked for, and restored, by the command line."""

COUNTS = {"small": (2, 1, 2), "nightly": (30, 10, 20), "release": (100, 30, 60)}
"""By size: backups, kills, and copies of the control."""


class Program:
    """A process that runs the bank."""

    def __init__(self, place: Path, salt: str) -> None:
        self.store, self._acknowledged = place / "bank", place / "acknowledged"
        self._acknowledged.touch()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reliability.backups.program", self.store, self._acknowledged, salt],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def _expect(self, *wanted: str) -> str:
        for line in _pipe(self._process.stdout):
            if line.split(" ")[0].strip() in wanted:
                return line.strip()
        raise RuntimeError(f"the program has ended, and has not said {' or '.join(wanted)}")

    def acknowledged(self) -> list[str]:
        """Return everything that was acknowledged until now."""
        return self._acknowledged.read_text().splitlines()

    def ask(self, directory: Path) -> None:
        """Ask for a backup, and do not wait for it."""
        stdin = _pipe(self._process.stdin)
        stdin.write(f"{directory}\n")
        stdin.flush()

    def back_up(self, directory: Path) -> str:
        """Have it make a backup; return why there is none, "" when there is."""
        self.ask(directory)
        return self._expect("made", "failed").removeprefix("made")

    def kill(self) -> None:
        """End it as a power cut of the machine would, but for what is on its way to the disk."""
        self._process.send_signal(signal.SIGKILL)
        self._close()

    def stop(self) -> None:
        """Let it end in order."""
        _pipe(self._process.stdin).close()
        self._close()

    def _close(self) -> None:
        self._process.wait(60)
        _pipe(self._process.stdout).close()
        if not _pipe(self._process.stdin).closed:
            _pipe(self._process.stdin).close()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@dataclass
class Tally:
    """What was done, and what came of it."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def violate(self, shift: int, what: str, faults: list[str]) -> None:
        """Note faults, with the line that shows them again (threads being threads, mostly)."""
        if faults:
            again = f"python3 run.py reliability backups --backups {A_SHIFT} --kills {A_SHIFT} --copies 0"
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            fault = " ".join(faults[0].split())
            self.violations.append(f"{what}: {fault}{more}; {again} --seed {self.seed + shift}")


@contextmanager
def _place() -> Iterator[Path]:
    """A directory, in memory where there is room for it: nothing here is about the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        yield Path(place)


def _saga(*arguments: object) -> str:
    """Run the command line; return what it has to complain of."""
    line = [sys.executable, "-m", "saga", *map(str, arguments)]
    ended = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stderr.strip() if ended.returncode else ""


def _shift_of_backups(tally: Tally, shift: int, count: int) -> None:
    chance = random.Random(tally.seed + shift)
    with _place() as place:
        program = Program(place, f"b{tally.seed + shift}")
        try:
            for number in range(count):
                time.sleep(chance.uniform(0.02, 0.3))
                backup = place / f"backup-{number}"
                acknowledged = program.acknowledged()
                outside = number % FROM_OUTSIDE == 1
                problem = (
                    _saga("--store", program.store, "backup", backup) if outside else program.back_up(backup)
                )
                tally.counts["backups from outside"] += outside
                restored = place / "restored"
                faults = [problem] if problem else _restored(backup, restored, acknowledged, outside)
                tally.violate(shift, f"backup {number}", faults)
                tally.counts["backups"] += 1
                tally.counts["acknowledgements looked for"] += len(acknowledged)
                shutil.rmtree(backup, ignore_errors=True)
        finally:
            program.stop()
        tally.violate(shift, "the bank itself", faults_of(program.store, program.acknowledged()))


def _restored(backup: Path, place: Path, acknowledged: list[str], by_command: bool = False) -> list[str]:
    """Restore a backup, and return what is wrong with it."""
    try:
        if by_command:
            problem = _saga("restore", backup, place)
            return [problem] if problem else faults_of(place, acknowledged)
        copy_unowned(StoreFiles.at(backup), place, "now")
        return faults_of(place, acknowledged)
    except SagaError as error:
        return [str(error)]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _shift_of_kills(tally: Tally, shift: int, count: int) -> None:
    """Kill the program while it makes a backup, start it again, and so on."""
    chance = random.Random(tally.seed + shift)
    with _place() as place:
        for number in range(count):
            program = Program(place, f"k{tally.seed + shift}-{number}")
            time.sleep(chance.uniform(0.02, 0.2))
            backup = place / "backup"
            acknowledged = program.acknowledged()
            program.ask(backup)
            time.sleep(chance.uniform(0.0, 0.12))
            program.kill()
            tally.counts["kills"] += 1
            if backup.exists():
                tally.counts["kills that came too late"] += 1
                tally.violate(shift, f"kill {number}", _restored(backup, place / "restored", acknowledged))
                shutil.rmtree(backup)
            elif (place / "backup.partial").exists():
                tally.counts["kills that left something unfinished"] += 1
        problem = _saga("--store", place / "bank", "backup", place / "backup")
        lines = (place / "acknowledged").read_text().splitlines()
        faults = [problem] if problem else _restored(place / "backup", place / "restored", lines)
        tally.violate(shift, "the backup after the kills", faults)
        if (place / "backup.partial").exists():
            tally.violate(shift, "the backup after the kills", ["it has left what was unfinished"])


# --- the control ------------------------------------------------------------------------------------


def _copied_by_cp(program: Program, directory: Path) -> None:
    """Copy file after file, as somebody would."""
    directory.mkdir()
    for path in sorted(program.store.iterdir()):
        if path.name.endswith((".db", ".db-wal")):
            subprocess.run(["cp", path, directory], check=False, capture_output=True)


def _copied_one_by_one(program: Program, directory: Path) -> None:
    """Copy each file as it is at some moment, but each at another one."""
    directory.mkdir()
    target = StoreFiles.at(directory)
    for name, path in data_files(StoreFiles.at(program.store)).items():
        snapshot = Snapshot.take(path)
        snapshot.copy_to(target.saga if name == "saga" else target.context(name), lambda: None)
        snapshot.close()


CONTROLS = {"cp": _copied_by_cp, "snapshots one by one": _copied_one_by_one}


def _control(tally: Tally, shift: int, count: int) -> None:
    """Copy the bank in ways that must not do; count how often that shows."""
    chance = random.Random(tally.seed + shift)
    with _place() as place:
        program = Program(place, f"c{tally.seed + shift}")
        try:
            for number in range(count):
                time.sleep(chance.uniform(0.02, 0.2))
                name = list(CONTROLS)[number % len(CONTROLS)]
                copy = place / f"copy-{number}"
                acknowledged = program.acknowledged()
                try:
                    CONTROLS[name](program, copy)
                    faults = faults_of(copy, acknowledged)
                except SagaError as error:
                    faults = [str(error)]
                tally.counts[f"control, {name}: copies"] += 1
                tally.counts[f"control, {name}: not to be used"] += bool(faults)
                shutil.rmtree(copy)
        finally:
            program.stop()


@click.command
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--backups", type=click.IntRange(min=0), help="how many backups are restored")
@click.option(
    "--kills", type=click.IntRange(min=0), help="how often the program is killed while it makes one"
)
@click.option("--copies", type=click.IntRange(min=0), help="how many copies the control makes")
@click.option("--seed", type=int, default=0, show_default=True)
def command(size: str, backups: int | None, kills: int | None, copies: int | None, seed: int) -> Result:
    """Back up a bank under load, restore every backup, and look for every cent."""
    began = time.monotonic()
    given = (backups, kills, copies)
    backups, kills, copies = (
        usual if wanted is None else wanted for wanted, usual in zip(given, COUNTS[size], strict=True)
    )
    tally = Tally(seed)
    for what, total in ((_shift_of_backups, backups), (_shift_of_kills, kills), (_control, copies)):
        for shift, first in enumerate(range(0, total, A_SHIFT)):
            what(tally, shift, min(A_SHIFT, total - first))
    counts = tally.counts
    found = counts["control, cp: not to be used"] + counts["control, snapshots one by one: not to be used"]
    bites = found > 0 or not copies
    if not bites:
        tally.violations.append(
            f"the control finds nothing in {copies} copies; python3 run.py reliability backups --copies {copies}"
        )
    did = f"{backups} backups under load, {kills} kills in the middle of one, {copies} copies by other means"
    return Result(
        command="backups",
        did=did,
        goal="every backup is restored, verifies and comes to its end with every cent; other copies do not",
        violations=tally.violations,
        holds=not tally.violations,
        seconds=time.monotonic() - began,
        figures={**dict(sorted(counts.items())), "seed": seed},
    )
