"""A scenario that is killed once or several times, and what must hold when it has come to an end after all."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from reliability.crash.businesses import SCENARIOS, business_of
from reliability.crash.harness import Run, Workers, place
from reliability.crash.job import Job

__all__ = ["Crash", "Played", "Story", "play", "play_all"]


@dataclass(frozen=True)
class Crash:
    """A kill at the n-th passing of a seam."""

    seam: str
    nth: int

    def __str__(self) -> str:
        return f"{self.seam}:{self.nth}"


@dataclass(frozen=True)
class Story:
    """A scenario that is killed once or several times."""

    scenario: str
    crashes: list[Crash] = field(default_factory=list)
    without: str = ""
    """A protection that is taken away, see `broken`."""

    def __str__(self) -> str:
        return f"{self.scenario}[{' '.join(map(str, self.crashes))}]"

    @classmethod
    def read(cls, text: str, without: str = "") -> Story:
        """Return the story of this text, such as `success[context.after-commit:3]`. ValueError when it is none."""
        told = re.fullmatch(r"(\w+)\[(.*)\]", text)
        if told is None or told[1] not in SCENARIOS:
            raise ValueError(f"{text!r} is no story; write SCENARIO[POINT:N POINT:N]")
        crashes = [each.rpartition(":") for each in told[2].split()]
        if not all(nth.isdigit() for _, _, nth in crashes):
            raise ValueError(f"{text!r}: write each crash as POINT:N")
        return cls(told[1], [Crash(seam, int(nth)) for seam, _, nth in crashes], without)

    @property
    def line(self) -> str:
        """What to type to have it played again."""
        without = f" --without {self.without}" if self.without else ""
        return f"python3 run.py reliability crash --story '{self}'{without}"

    def play(self, workers: Workers) -> int:
        """Play it on a store of its own, then check everything; return how many kills there were."""
        with place() as store:
            try:
                return self._play(workers, store)
            except AssertionError as error:
                error.add_note(f"again: {self.line}")
                raise

    def _play(self, workers: Workers, store: Path) -> int:
        business, runs = business_of(self.scenario), list[Run]()
        for n, crash in enumerate(self.crashes):
            runs.append(
                workers.run(Job(str(store), self.scenario, crash.seam, crash.nth, n > 0, self.without))
            )
            business.acknowledged(store, runs)
        end = Job(str(store), self.scenario, drain=bool(self.crashes), without=self.without)
        runs.append(workers.run(end))
        business.check_all(store, runs)
        before = business.everything(store)
        workers.run(end)
        business.unchanged(before, business.everything(store))
        return sum(run.killed for run in runs)


@dataclass(frozen=True)
class Played:
    """What became of a story."""

    story: Story
    kills: int
    violation: str = ""
    """In one line, with what shows it again; empty when all is well."""


def play(workers: Workers, stories: list[Story]) -> int:
    """Play stories, as many at a time as there are workers; return how many kills there were."""
    with ThreadPoolExecutor(workers.count) as pool:
        return sum(pool.map(lambda story: story.play(workers), stories))


def play_all(workers: Workers, stories: Iterable[Story], until: float = inf) -> list[Played]:
    """Play stories to the last one, whatever is violated on the way; return what became of each.

    None is begun when `time.monotonic()` is past `until`.
    """

    def told(story: Story) -> Played | None:
        if time.monotonic() > until:
            return None
        try:
            return Played(story, story.play(workers))
        except Exception as error:  # whatever it is, the others are played as well
            what = " ".join(f"{type(error).__name__}: {error}".split())
            return Played(story, 0, f"{what[:600]}; {story.line}")

    with ThreadPoolExecutor(workers.count) as pool:
        return [each for each in pool.map(told, stories) if each is not None]
