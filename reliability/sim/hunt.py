"""Many plays, in processes of their own: each seed once, or twice in different processes, whose files must be the same.

What plays changes its process for good (see `quiet`), so nothing is ever played in the process of who asks.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache

from reliability.sim.controls import take_away
from reliability.sim.disks import Disks
from reliability.sim.plan import draw
from reliability.sim.quiet import quieten
from reliability.sim.shrink import shrunk
from reliability.sim.world import Outcome, play

__all__ = ["Tally", "hunt", "shrink"]

AT_ONCE = 10
"""Seeds that are given to a process at once."""


@dataclass
class Tally:
    """What came of all plays."""

    seeds: int = 0
    steps: int = 0
    sagas: int = 0
    commits: int = 0
    crashes: int = 0
    faults: int = 0
    violations: list[str] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, outcome: Outcome, without: str) -> None:
        """Count one play."""
        self.seeds += 1
        for name in ("steps", "sagas", "commits", "crashes", "faults"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        self.digests[outcome.seed] = outcome.digest
        if outcome.violation:
            self.violations.append(f"{outcome.violation}: {line_for(outcome.seed, without)}")

    @property
    def digest(self) -> str:
        """A digest of all files of all plays."""
        text = " ".join(f"{seed}:{digest}" for seed, digest in sorted(self.digests.items()))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def line_for(seed: int, without: str = "", more: str = "--seeds 1") -> str:
    """Return the command line that plays a seed."""
    control = f" --without {without}" if without else ""
    return f"python3 run.py reliability sim --from {seed} {more}{control}"


def hunt(seeds: range, *, jobs: int, twice: int = 0, without: str = "", first: bool = False) -> Tally:
    """Play these seeds, the first `twice` of them a second time, in other processes, and compare their files.

    `without`: a control, see `controls`; `first`: stop when there is a violation.
    """
    tally = Tally()
    for outcome in _played(seeds, jobs, without):
        tally.add(outcome, without)
        if first and tally.violations:
            return tally
    for outcome in _played(seeds[:twice], jobs, without):
        if tally.digests[outcome.seed] != outcome.digest:
            what = "played twice, its files are not the same"
            tally.violations.append(f"{what}: {line_for(outcome.seed, without)} --twice")
    return tally


def shrink(seed: int, without: str = "") -> list[str]:
    """Return a play of this seed that is as small as may be, and its story, as text; nothing when all is well."""
    with _pool(1, without) as pool:
        return pool.submit(_shrink, seed).result()


def _played(seeds: range, jobs: int, without: str) -> Iterator[Outcome]:
    chunks = [seeds[at : at + AT_ONCE] for at in range(0, len(seeds), AT_ONCE)]
    if not chunks:
        return
    with _pool(min(jobs, len(chunks)), without) as pool:
        try:
            for outcomes in pool.map(_play, chunks):
                yield from outcomes
        finally:
            pool.shutdown(cancel_futures=True)


def _pool(jobs: int, without: str) -> ProcessPoolExecutor:
    """Return processes that are started anew: with a hash seed of their own, and nothing of ours in them."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max(1, jobs), context, _begin, (without,))


# --- in those processes -----------------------------------------------------------------------------


def _begin(without: str) -> None:
    quieten()
    if without:
        take_away(without)


@cache
def _disks() -> Disks:
    return Disks()


def _play(seeds: range) -> list[Outcome]:
    return [play(draw(seed), _disks()) for seed in seeds]


def _shrink(seed: int) -> list[str]:
    return shrunk(draw(seed), _disks())
