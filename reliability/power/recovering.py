"""The program that recovers from power cuts: `power` starts one for each processor. See there for the two levels."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random

from reliability.forks import in_fork, log_nothing, tell
from reliability.power.disk import Disk, Image, Loss
from reliability.power.recording import Operation, recorded
from reliability.shop import day
from reliability.shop.books import Books, ContextBook, SagaBook, Told, against, at_the_end
from reliability.shop.business import CONTEXT_NAMES
from reliability.shop.pages import DATABASES, books_in, own, put, recovered
from saga import StoreNotFound
from saga.verification import verify_store

__all__ = ["Cut", "Found", "Job", "State", "program"]

Cut = tuple[int, Loss]
"""After how many operations, and what becomes of what was not synced."""

State = tuple[str | None, ...]
"""What is in the databases after SQLite's recovery: a digest of each; None: nothing."""

LIMIT_S = 120
"""No recovery takes so long, also not beside much else."""


@dataclass
class Job:
    """What one program is to do."""

    directory: str
    """Where the record is, and room for images."""
    seed: int
    cuts: list[Cut]
    """In the order of the operations."""
    drain: bool
    """The second level: let the runtime recover each; else only look at what SQLite recovers."""


@dataclass
class Found:
    """What one program has found at one cut."""

    cut: Cut
    wrong: list[str]
    state: State = ()
    new: bool = field(default=False)
    """Whether this program has not seen the state before."""


def program() -> None:
    """Do the job that stands on the standard input."""
    log_nothing()
    given = json.loads(sys.stdin.readline())
    job = Job(**{**given, "cuts": [(after, loss) for after, loss in given["cuts"]]})
    directory = Path(job.directory)
    place = directory / f"images-{job.cuts[0][0]}-{job.drain}" if job.cuts else directory
    place.mkdir(exist_ok=True)
    level = _Drained(place) if job.drain else _Looked(place)
    for cut, image, told in _images(recorded(directory), job):
        tell(asdict(level.found(cut, image, told)))


def _images(operations: list[Operation], job: Job) -> Iterator[tuple[Cut, Image, list[str]]]:
    """Yield what is left after each cut, and what was told by then."""
    disk, done, told = Disk(), 0, list[str]()
    for cut in job.cuts:
        after, loss = cut
        for operation in operations[done:after]:
            disk.do(operation)
            if operation.kind == "say":
                told.append(operation.data.decode().strip())
        done = after
        yield cut, disk.image(loss, Random(f"{job.seed} {after} {loss}")), told


# --- the first level: what SQLite makes of it ---


class _Looked:
    """Looks at an image with SQLite only. What was seen before is not looked at again."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._digests: dict[bytes, str | None] = {}
        """Of the files of a database → of the pages that SQLite recovers from them."""
        self._books: dict[str, SagaBook | ContextBook] = {}
        self._damaged: dict[str, str] = {}
        self._seen: dict[tuple[State, int], list[str]] = {}
        self._states: set[State] = set()

    def found(self, cut: Cut, image: Image, told: list[str]) -> Found:
        """Return what there is at a cut."""
        try:
            state = tuple(self._digest(image, database) for database in DATABASES)
        except sqlite3.Error as error:
            return Found(cut, [f"SQLite cannot recover it: {error}"])
        wrong = self._seen.get((state, len(told)))
        if wrong is None:
            wrong = self._seen[state, len(told)] = self._wrong(state, told)
        new = state not in self._states
        self._states.add(state)
        return Found(cut, wrong, state, new)

    def _digest(self, image: Image, database: str) -> str | None:
        files = blake2b(digest_size=16)
        for name, content in own(image, database).items():
            files.update(f"{name} {len(content)} ".encode())
            files.update(content)
        key = files.digest()
        if key not in self._digests:
            pages = recovered(self._place, image, database)
            digest = None if pages is None else blake2b(pages, digest_size=16).hexdigest()
            self._digests[key] = digest
            if pages is not None and digest is not None and digest not in self._books:
                self._read(digest, pages, database)
        return self._digests[key]

    def _read(self, digest: str, pages: bytes, database: str) -> None:
        with closing(sqlite3.connect(":memory:")) as connection:
            pages = pages[:18] + b"\x01\x01" + pages[20:]  # a database in memory has no log
            connection.deserialize(pages)
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok":
                self._damaged[digest] = f"{database}.db is damaged: {said}"
            self._books[digest] = (SagaBook if database == "saga" else ContextBook)(connection)

    def _wrong(self, state: State, told: list[str]) -> list[str]:
        damaged = [self._damaged[digest] for digest in state if digest in self._damaged]
        heard = Told()
        for line in told:
            heard.hear(line)
        return [*damaged, *against(self._books_of(state), heard)]

    def _books_of(self, state: State) -> Books:
        saga, *contexts = (None if digest is None else self._books[digest] for digest in state)
        assert saga is None or isinstance(saga, SagaBook)
        named = dict(zip(CONTEXT_NAMES, contexts, strict=True))
        return saga, {
            name: book for name, book in named.items() if book is None or isinstance(book, ContextBook)
        }


# --- the second level: what the runtime makes of it ---


class _Drained:
    """Lets the runtime recover an image, and bring all of it to its end."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def found(self, cut: Cut, image: Image, told: list[str]) -> Found:
        """Return what came of it."""
        store = self._place / "store"
        shutil.rmtree(store, ignore_errors=True)
        put(store, image)
        done = in_fork(lambda: _recover(store), LIMIT_S)
        lines = done.said.splitlines()
        if done.code:
            return Found(cut, [f"{'it hangs' if done.hung else 'it fails'}: {' | '.join(lines[-8:])}"])
        heard = Told()
        for line in [*told, *(line for line in lines if line.startswith("called "))]:
            heard.hear(line)
        wrong = [line.removeprefix("wrong ") for line in lines if line.startswith("wrong ")]
        return Found(cut, [*wrong, *at_the_end(books_in(store), heard)])


def _recover(store: Path) -> None:
    with suppress(StoreNotFound):  # the power was cut before there was one
        _verify(store, "before")
    day.drain(store)
    _verify(store, "after")


def _verify(store: Path, when: str) -> None:
    for finding in verify_store(store):
        if finding.severity == "error":
            print(f"wrong {when} the recovery saga verify says: {finding}".replace("\n", " "))
