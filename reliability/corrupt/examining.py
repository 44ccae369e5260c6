"""The program that damages stores and sees what becomes of them: `corrupt` starts one for each processor.

What is done with each image, in a fork: `saga verify`, `doctor`, `list` and `show`; then a runtime opens it and brings
everything to its end; then `saga verify` again. What may come of it, `VERDICTS`, is said there.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from click.testing import CliRunner

from reliability.corrupt.content import AUTHORS, Outcome, Tables, outcome, tables
from reliability.corrupt.damage import damaged
from reliability.corrupt.stores import FOREIGN, Stopped, stopped
from reliability.forks import in_fork, log_nothing, tell
from reliability.shop import day
from reliability.shop.books import against
from reliability.shop.pages import books_in, put
from saga.cli.main import program as saga_program
from saga.errors import SagaError

__all__ = ["VERDICTS", "Job", "Seen", "Verdict", "program"]

Verdict = Literal[
    "opened-not",
    "while-running",
    "verify",
    "doctor",
    "parked",
    "content",
    "outcome",
    "authors",
    "silent",
    "broken",
]

VERDICTS: dict[Verdict, str] = {
    "opened-not": "refused at open, with one line",
    "while-running": "noticed while it ran, with one line",
    "verify": "found by saga verify",
    "doctor": "found by saga doctor",
    "parked": "parked, visible to a person",
    "content": "harmless: the same rows in all tables",
    "outcome": "harmless: the run comes to the same",
    "authors": "in rows of the author's own tables alone",
    "silent": "silent divergences",
    "broken": "tracebacks, hangs, unclear words",
}

LIMIT_S = 60
"""A fork that takes longer hangs; what only does not come to rest says so long before."""

REST_S = 6.0

COMMANDS: tuple[tuple[str, ...], ...] = (("verify",), ("doctor",), ("list",), ("show", "good-100-0"))
"""`show` is for a saga that all stores have."""

LONGEST = 600
"""Characters of one clear line, most of them the path."""


@dataclass
class Job:
    """What one program is to do."""

    directory: str
    """Where the stores are."""
    room: str
    """Where images may be made."""
    images: list[tuple[int, str, str]]
    """Number, store, kind of damage."""
    seed: int
    without: bool
    """The control: with the checks of digests and of files against each other turned off."""


@dataclass
class Seen:
    """What became of one image."""

    number: int
    kind: str
    verdict: Verdict
    what: str
    """What was done to it, and in words what came of it."""


def program() -> None:
    """Do the job that stands on the standard input."""
    log_nothing()
    job = Job(**json.loads(sys.stdin.readline()))
    if job.without:
        from reliability.corrupt.control import trust_everything

        trust_everything()
    directory, room = Path(job.directory), Path(job.room)
    room.mkdir(parents=True)
    bench, foreign = _Bench(room), stopped(directory, FOREIGN)
    known: dict[str, _Whole] = {}
    for number, name, kind in job.images:
        if name not in known:
            known[name] = _whole(bench, stopped(directory, name))
        store = known[name].store
        files, what = damaged(store, foreign, kind, Random(f"{job.seed} {number} {name} {kind}"))
        verdict, came = bench.examine(files, known[name])
        tell(asdict(Seen(number, kind, verdict, f"{name}: {what}: {came}".replace("\n", " "))))


@dataclass(frozen=True)
class _Whole:
    """A store without damage, and what comes of it."""

    store: Stopped
    tables: Tables
    doctor: int
    outcome: Outcome


def _whole(bench: _Bench, store: Stopped) -> _Whole:
    """See what becomes of a store without damage; twice, since all that follows is held against it."""
    found = []
    for _ in range(2):
        bench.put(store.now)
        lies = tables(bench.store)
        bench.put(store.now)
        report = bench.run()
        assert "came" in report, f"{store.name} does not come to its end: {report}"
        assert report["verify"][0] == 0, report["verify"]
        found.append(_Whole(store, lies, report["doctor"][0], report["came"]))
    assert found[0] == found[1], f"{store.name} does not come to the same twice"
    return found[0]


class _Bench:
    """Where images are made and looked at."""

    def __init__(self, room: Path) -> None:
        self.store = room / "store"
        self._report = room / "report"

    def put(self, files: Any) -> None:
        """Make the files of a store."""
        shutil.rmtree(self.store, ignore_errors=True)
        put(self.store, files)

    def run(self) -> dict[str, Any]:
        """Look at the store, and let it run, in a fork; return what it reports, `broken` if it did not get there."""
        self._report.unlink(missing_ok=True)
        done = in_fork(lambda: _look_and_run(self.store, self._report), LIMIT_S)
        report: dict[str, Any] = json.loads(self._report.read_text()) if self._report.exists() else {}
        if done.hung or done.code:
            report["broken"] = f"{'hangs' if done.hung else f'ends with {done.code}'}: {done.said[-1500:]}"
        return report

    def examine(self, files: Any, whole: _Whole) -> tuple[Verdict, str]:
        """Return what becomes of an image."""
        self.put(files)
        try:
            lies = tables(self.store)
        except (sqlite3.Error, UnicodeDecodeError, ValueError):
            lies = {}
        self.put(files)
        report = self.run()
        verdict, came = _verdict(report, lies, whole)
        if verdict == "outcome":
            self.put(files)
            lost = [
                what for what in against(books_in(self.store), whole.store.told) if what.startswith("lost: ")
            ]
            if lost:
                return "silent", f"what was acknowledged is gone: {lost[0]}"
        return verdict, came


def _verdict(report: dict[str, Any], lies: Tables, whole: _Whole) -> tuple[Verdict, str]:
    if "broken" in report:
        return "broken", report["broken"]
    for command in ("verify", "doctor", "list", "show", "again"):
        unclear = _unclear(*report.get(command, (0, "")))
        if unclear:
            return "broken", f"saga {command}: {unclear}"
    if "raised" in report:
        name, text, opened = report["raised"]
        if name == "Stuck" and report["verify"][0] == 0:
            return "silent", f"it does not come to its end, and saga verify finds nothing: {text}"
        if name != "Stuck":
            if len(text) > LONGEST or "\n" in text:
                return "broken", f"no clear line: {name}: {text}"
            return "while-running" if opened else "opened-not", f"{name}: {text}"
    for command in ("verify", "doctor"):
        code, said = report[command]
        if code and code != (whole.doctor if command == "doctor" else 0):
            return "verify" if command == "verify" else "doctor", said
    if lies == whole.tables:
        return "content", ""
    came = report.get("came")
    unlike = None if came is None else _unlike(whole.outcome, came)
    if unlike is None:
        return "outcome", ""
    assert came is not None
    if _only_parked(whole.outcome, came):
        return "parked", unlike
    if report["again"][0]:
        return "verify", f"after the run: {report['again'][1]}"
    changed = {table for table in {*lies, *whole.tables} if lies.get(table) != whole.tables.get(table)}
    if changed and changed <= AUTHORS:
        return "authors", f"{', '.join(sorted(changed))}: {unlike}"
    return "silent", f"changed {', '.join(sorted(changed)) or 'nothing that can be read'}: {unlike}"


def _unclear(code: int, said: str) -> str:
    """Return what is unclear in the words of a command, "" when nothing is."""
    if "Traceback" in said:
        return said[-800:]
    if code not in (0, 1, 4, 70):
        return f"exit code {code}: {said[-300:]}"
    if code in (4, 70) and not said.strip():
        return f"exit code {code} without a word"
    return ""


def _unlike(one: Outcome, other: Outcome) -> str | None:
    """Return the first thing in which two outcomes differ, None when they are the same."""
    for what, facts in one.items():
        if facts == other[what]:
            continue
        if isinstance(facts, dict):
            id = next(id for id in {**facts, **other[what]} if facts.get(id) != other[what].get(id))
            return f"{what} of {id}: {facts.get(id)!r:.300}, now {other[what].get(id)!r:.300}"
        gone, new = [x for x in facts if x not in other[what]], [x for x in other[what] if x not in facts]
        return f"{what}: without {gone!r:.200}, with {new!r:.200}"
    return None


def _only_parked(one: Outcome, other: Outcome) -> bool:
    """Return whether all sagas that went another way are parked; with them, what they would have done is missing."""
    unlike = [
        id for id in {**one["sagas"], **other["sagas"]} if one["sagas"].get(id) != other["sagas"].get(id)
    ]
    return bool(unlike) and all("PARKED" in (other["sagas"].get(id) or ()) for id in unlike)


# --- in a fork ---


def _look_and_run(store: Path, report: Path) -> None:
    """Do everything with the store; write what was seen, and nothing when it is not seen to its end."""
    found: dict[str, Any] = {}
    for command in COMMANDS:
        found[command[0]] = _command(store, command)
    try:
        day.drain(store, REST_S, lambda: found.__setitem__("opened", True))
        found["came"] = _outcome(store)
    except (SagaError, day.Stuck) as error:
        found["raised"] = (type(error).__name__, str(error), "opened" in found)
    except Exception as error:
        # the author's own error, of migrations that were carried out already: the runtime says so in a note
        notes = " ".join(getattr(error, "__notes__", ()))
        if "in the migrations of context" not in notes:
            raise
        found["raised"] = (type(error).__name__, f"{error}; {notes}", False)
    found["again"] = _command(store, ("verify",))
    report.write_text(json.dumps(found))


def _outcome(store: Path) -> Outcome:
    try:
        return outcome(store)
    except Exception as error:
        raise day.Stuck(f"what it came to cannot be read: {type(error).__name__}: {error}") from error


def _command(store: Path, command: Sequence[str]) -> tuple[int, str]:
    result = CliRunner().invoke(saga_program, ["--store", str(store), *command])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output
