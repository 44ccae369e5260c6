"""Files of stopped stores are damaged: bits flipped, files cut, emptied, swapped, missing or old. Nothing is silent.

    stores      the stores that are damaged, stopped in order or killed with a hot write-ahead log
    damage      what happens to their files
    content     what a store holds, and what a run comes to
    examining   the program that looks at images, lets them run, and gives the verdict
    control     the protections that are taken away for the control

An image diverges silently when a run on it comes to something else than one on the store without damage (how a saga
ended, what is in its journal, an effect, an answer, an event), and neither the runtime nor `saga verify` nor
`saga doctor` says a word. Rows of the authors' own tables are not ours: SQLite has no digests for them. Images in which
they alone are changed are counted by themselves.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from reliability.corrupt.damage import KINDS
from reliability.corrupt.examining import VERDICTS, Job, Seen
from reliability.corrupt.stores import STORES, make
from reliability.forks import WORKERS, reports_of
from reliability.result import SIZES, Result, Size

__all__ = ["command", "examine"]


@dataclass(frozen=True)
class _Plan:
    images: int
    stores: Sequence[str]
    control: int


_PLANS: dict[Size, _Plan] = {
    "small": _Plan(images=24, stores=("killed-early",), control=16),
    "nightly": _Plan(images=2_000, stores=tuple(STORES), control=200),
    "release": _Plan(images=10_000, stores=tuple(STORES), control=400),
}


@click.command("corrupt")
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--images", type=click.IntRange(min=1), help="How many damaged stores.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(list(KINDS)),
    help="Only this damage; may be repeated.",
)
@click.option(
    "--store",
    "stores",
    multiple=True,
    type=click.Choice(list(STORES)),
    help="Only this store; may be repeated.",
)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--made", type=click.Path(path_type=Path, exists=True), help="Take the stores that a violation names."
)
@click.option("--image", type=int, help="With --made: this image only.")
@click.option("--control", type=click.IntRange(min=0), help="How many images without the checks.")
def command(
    size: Size,
    images: int | None,
    kinds: tuple[str, ...],
    stores: tuple[str, ...],
    seed: int,
    made: Path | None,
    image: int | None,
    control: int | None,
) -> Result:
    """Damage stores in every way, and see that it is noticed."""
    began, plan = time.monotonic(), _PLANS[size]
    names, chosen = stores or tuple(plan.stores), kinds or tuple(KINDS)
    numbers = range(images or plan.images) if image is None else [image]
    place = made or _room()
    if made is None:
        make(place, names)
    jobs = [(number, *_drawn(number, names, chosen)) for number in numbers]
    seen = examine(place, jobs, seed)
    again = f"python3 run.py reliability corrupt --made {place} --seed {seed}"
    options = "".join(f" --store {each}" for each in stores) + "".join(f" --kind {each}" for each in kinds)
    violations = [
        f"{each.verdict}: {each.what}: {again} --size {size}{options} --image {each.number}"
        for each in seen
        if each.verdict in ("silent", "broken")
    ]
    figures: dict[str, int | float | str] = {"seed": seed}
    counts = Counter(each.verdict for each in seen)
    figures |= {words: counts[verdict] for verdict, words in VERDICTS.items()}
    figures |= {f"damage: {kind}": n for kind, n in Counter(each.kind for each in seen).items()}
    most = plan.control if control is None else control
    if most and image is None:
        unseen = examine(place, _control(most, names), seed, without=True)
        figures["control: images"] = len(unseen)
        figures["control: silent divergences"] = silent = sum(each.verdict == "silent" for each in unseen)
        if not silent:
            violations.append(
                "the control found nothing: without the checks there must be silent divergences"
            )
    if not violations and made is None:
        shutil.rmtree(place)
    return Result(
        command="corrupt",
        did=f"{len(seen):,} damaged stores, {len(set(names))} of them before the damage",
        goal="0 silent divergences, 0 tracebacks, 0 hangs; without the checks there are some",
        violations=violations,
        holds=not violations,
        seconds=time.monotonic() - began,
        figures=figures,
    )


def _drawn(number: int, names: Sequence[str], kinds: Sequence[str]) -> tuple[str, str]:
    """Return which store an image is of, and which damage: all pairs, in turn."""
    return names[number // len(kinds) % len(names)], kinds[number % len(kinds)]


def _control(images: int, names: Sequence[str]) -> list[tuple[int, str, str]]:
    """Images of the damages that the checks are there for: a changed value, a file of another time or store."""
    kinds = ("cell", "old", "cell", "foreign")
    return [(number, *_drawn(number, names, kinds)) for number in range(images)]


def examine(
    place: Path, images: Sequence[tuple[int, str, str]], seed: int, *, without: bool = False
) -> list[Seen]:
    """Damage the stores in `place`, and return what became of each image; `without`: with the checks turned off."""
    jobs = []
    for worker in range(WORKERS):
        some = list(images[worker::WORKERS])
        if some:
            jobs.append(asdict(Job(str(place), tempfile.mkdtemp(dir=place) + "/bench", some, seed, without)))
    seen = [Seen(**report) for report in reports_of("reliability.corrupt.examining", jobs)]
    return sorted(seen, key=lambda each: each.number)


def _room() -> Path:
    """Return a new directory, in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="saga-corrupt-", dir=memory if memory.is_dir() else None)).resolve()
