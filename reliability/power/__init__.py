"""The power is cut after every write and sync of a run; all files are recovered together, and nothing may be lost.

    recording    what an unmodified program does to its files, by strace
    disk         a disk that loses power: what is certain, and what may be left of the rest
    recovering   the program that looks at images, and lets the runtime recover them

A day in the shop (`reliability.shop`) is recorded. After each operation there are four images: what was not synced is
lost, kept, a random subset of the writes, or a random subset of their sectors. Each is looked at on two levels:

1. Every image: SQLite recovers each file and checks it; what is in the files must agree with each other and with what
   was acknowledged by then. Images that differ in bytes only have the same pages after SQLite's recovery: one state.
2. Every different state: `saga verify` finds nothing; the runtime recovers, brings everything to its end, and
   `saga verify` and the books agree again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import click

from reliability.forks import WORKERS, reports_of
from reliability.power.disk import LOSSES, Disk
from reliability.power.recording import Operation, available, record, recorded
from reliability.power.recovering import Cut, Found, Job, State
from reliability.result import SIZES, Result, Size
from reliability.shop import pages

__all__ = ["Figures", "command", "cut_the_power"]

DAY = (sys.executable, "-m", "reliability.shop.day")

WAL_PAGES = 100
"""Pages in a write-ahead log before a checkpoint: with the 4,000 of the runtime, a day would have no more than one."""

BLOCK = 64
"""So many cuts in a row are for one worker: states that follow each other have much in common."""


@dataclass(frozen=True)
class _Plan:
    sagas: int
    every: int
    states: int | None


_PLANS: dict[Size, _Plan] = {
    "small": _Plan(sagas=7, every=8, states=6),
    "nightly": _Plan(sagas=100, every=2, states=600),
    "release": _Plan(sagas=200, every=1, states=None),
}


@dataclass
class Figures:
    """What was seen of one record."""

    operations: int = 0
    cuts: int = 0
    images: int = 0
    states: dict[State, Cut] = field(default_factory=dict)
    """Each with the last cut that leads to it, when the most was acknowledged."""
    wrong: list[Found] = field(default_factory=list)


@click.command("power")
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--sagas", type=click.IntRange(min=1), help="Sagas that are started in the recorded run.")
@click.option("--every", type=click.IntRange(min=1), help="Cut the power after every so-manieth operation.")
@click.option("--states", type=int, help="Let the runtime recover so many of the different states; -1: all.")
@click.option("--seed", default=0, show_default=True, help="Of what is left of unsynced writes.")
@click.option(
    "--record", "directory", type=click.Path(path_type=Path), help="Take the record that a violation names."
)
@click.option("--cut", type=int, help="With --record: after this operation only.")
@click.option("--loss", type=click.Choice(LOSSES), help="With --record: this loss only.")
def command(
    size: Size,
    sagas: int | None,
    every: int | None,
    states: int | None,
    seed: int,
    directory: Path | None,
    cut: int | None,
    loss: str | None,
) -> Result:
    """Cut the power after every write and sync of a run."""
    why_not = available()
    if why_not:
        raise click.ClickException(f"power cannot run here: {why_not}")
    began, plan = time.monotonic(), _PLANS[size]
    sagas, every = sagas or plan.sagas, every or plan.every
    most = plan.states if states is None else None if states < 0 else states
    if directory is not None:
        return _again(directory, seed, cut, [each for each in LOSSES if loss in (None, each)], began)
    place = _room()
    looked, drained = cut_the_power(place, sagas, every, most, seed)
    control = _control(sagas, every, seed)
    violations = [_line(place, found, seed) for found in (*looked.wrong, *drained.wrong)]
    if not violations:
        shutil.rmtree(place)
    if not control.wrong:
        violations.append(
            "the control found nothing: with synchronous=NORMAL images must break, and none has"
        )
    return Result(
        command="power",
        did=f"{looked.images:,} images of {looked.cuts:,} power cuts in a run of {sagas} sagas",
        goal="0 lost acknowledgements, 0 violations; the control with synchronous=NORMAL fails",
        violations=violations,
        holds=not violations,
        seconds=time.monotonic() - began,
        figures={
            "operations recorded": looked.operations,
            "images recovered by SQLite and checked": looked.images,
            "different states": len(looked.states),
            "states recovered and drained by the runtime": drained.images,
            "lost acknowledgements": sum("lost: " in what for found in looked.wrong for what in found.wrong),
            "control: images": control.images,
            "control: images that break": len(control.wrong),
            "seed": seed,
        },
    )


def cut_the_power(
    place: Path, sagas: int, every: int, most: int | None, seed: int
) -> tuple[Figures, Figures]:
    """Record a run into `place`, cut the power in it; return what was seen on the first level, and on the second.

    The second level takes at most `most` of the different states, spread over the run; None: all.
    """
    operations = _recorded(place, sagas)
    looked = _look(place, operations, every, seed)
    cuts = sorted(looked.states.values())
    if most is not None and len(cuts) > most:
        cuts = sorted(Random(seed).sample(cuts, most))
    return looked, _figures(place, _shares(cuts, 1), seed, drain=True)


def _control(sagas: int, every: int, seed: int) -> Figures:
    """Do the same with `synchronous=NORMAL`, up to the first level."""
    place = _room()
    try:
        return _look(place, _recorded(place, sagas, "--synchronous", "NORMAL"), every, seed)
    finally:
        shutil.rmtree(place)


def _again(directory: Path, seed: int, cut: int | None, losses: Sequence[str], began: float) -> Result:
    """Look at one cut of a record again, or at all of them, on both levels."""
    operations = recorded(directory)
    cuts = [
        (at, loss) for at in ([cut] if cut else _cuts(operations, 1)) for loss in LOSSES if loss in losses
    ]
    looked = _figures(directory, _shares(cuts, BLOCK), seed, drain=False)
    drained = _figures(directory, _shares(sorted(looked.states.values()), 1), seed, drain=True)
    violations = [_line(directory, found, seed) for found in (*looked.wrong, *drained.wrong)]
    did = f"{looked.images:,} images of the record in {directory}"
    return Result("power", did, "0 violations", violations, not violations, time.monotonic() - began)


def _line(place: Path, found: Found, seed: int) -> str:
    after, loss = found.cut
    again = f"python3 run.py reliability power --record {place} --seed {seed} --cut {after} --loss {loss}"
    return f"{found.wrong[0]}: {again}".replace("\n", " ")


# --- the record, and the images ---


def _room() -> Path:
    """Return a new directory, in memory where there is such a place: nothing here tests a disk."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="saga-power-", dir=memory if memory.is_dir() else None)).resolve()


def _recorded(place: Path, sagas: int, *options: str) -> list[Operation]:
    """Record a run; check that the record leads to the very files that the run has left."""
    record([*DAY, "--sagas", str(sagas), "--pages", str(WAL_PAGES), *options], place)
    operations, disk = recorded(place), Disk()
    for operation in operations:
        disk.do(operation)
    replayed, real = disk.image("kept", Random(0)), pages.read(place / "store")
    unlike = sorted(name for name in {*replayed, *real} if replayed.get(name) != real.get(name))
    unlike = [name for name in unlike if name != "runtime.running" and not name.endswith("-commits")]
    if unlike:  # and not only what is written through a mapping
        raise RuntimeError(
            f"the record is not whole: it does not lead to {', '.join(unlike)} as the run has left it"
        )
    return operations


def _cuts(operations: Sequence[Operation], every: int) -> list[int]:
    """Return after how many operations the power is cut."""
    return [at for at, each in enumerate(operations, 1) if each.kind != "create"][::every]


def _look(place: Path, operations: Sequence[Operation], every: int, seed: int) -> Figures:
    at = _cuts(operations, every)
    cuts: list[Cut] = [(after, loss) for after in at for loss in LOSSES]
    figures = _figures(place, _shares(cuts, BLOCK), seed, drain=False)
    figures.operations, figures.cuts = len(operations), len(at)
    return figures


def _shares(cuts: Sequence[Cut], block: int) -> list[list[Cut]]:
    """Divide cuts among the workers, blocks of them in turn."""
    blocks = [cuts[at : at + block] for at in range(0, len(cuts), block)]
    return [[cut for some in blocks[worker::WORKERS] for cut in some] for worker in range(WORKERS)]


def _figures(place: Path, shares: Sequence[list[Cut]], seed: int, *, drain: bool) -> Figures:
    figures = Figures()
    jobs = [asdict(Job(str(place), seed, cuts, drain)) for cuts in shares if cuts]
    for report in reports_of("reliability.power.recovering", jobs):
        found = Found(**{**report, "cut": tuple(report["cut"]), "state": tuple(report["state"])})
        figures.images += 1
        if found.wrong:
            figures.wrong.append(found)
        elif found.state:
            figures.states[found.state] = max(found.cut, figures.states.get(found.state, found.cut))
    figures.wrong.sort(key=lambda found: found.cut)
    return figures
