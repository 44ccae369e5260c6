"""Which part of the library has the interpreter, while as many sagas run as can: the limit, where a goal is missed.

All threads share one interpreter. py-spy looks two hundred times a second which thread has it, and at what; the
innermost frame that is ours, asyncio's or the application's tells whose time it is. Shares of time say nothing of its
amount, which the processor's time of a saga does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.async_calls import Remote
from benchmarks.environments import CACHE, NotInstalled, kept_environment, python_in
from benchmarks.measure import KINDS, fresh_directory, latencies_ms, run_all, starts, throughput
from benchmarks.processes import answer_of, log_to_stderr, module
from benchmarks.progress import say
from benchmarks.sagas import FulfilOrder
from saga import Runtime

__all__ = ["LOADS", "profile", "shares"]

RATE = 200
SECONDS = 8.0

PARTS = {
    "saga/store/": "store: SQLite, and the values that it is given",
    "saga/machine/": "machine: decide, evolve, pending",
    "saga/codec/": "codec: values to JSON and back",
    "saga/coordination/evaluation": "author's functions, and what they are called through",
    "saga/flow/": "author's functions, and what they are called through",
    "benchmarks/": "author's functions, and what they are called through",
    "saga/coordination/ledger": "ledger: rows, digests, what has changed",
    "saga/coordination/dispatch": "dispatch: who gets what",
    "saga/coordination/": "coordination: the rest",
    "saga/actors/": "actors: threads, mailboxes, hand-overs",
    "pykka/": "actors: threads, mailboxes, hand-overs",
    "asyncio/": "asyncio",
    "concurrent/futures/": "asyncio",
    "saga/": "runtime: starting, handles, ids",
}
"""Beginning of a file's name, and the part of the library it is; the first that fits counts."""


def _throughput(kind: str) -> int:
    throughput(KINDS[kind], 3_000)
    return 3_000


def _alone() -> int:
    return len([*latencies_ms(KINDS["gateways"], 1_000)])


def _async_calls() -> int:
    with (
        fresh_directory() as directory,
        Runtime(directory, contexts=[Remote], sagas=[FulfilOrder]) as runtime,
    ):
        return run_all(runtime, starts(KINDS["gateways"], 6_000))


LOADS: dict[str, Callable[[], int]] = {
    "gateways": lambda: _throughput("gateways"),
    "contexts": lambda: _throughput("contexts"),
    "alone": _alone,
    "async": _async_calls,
}
"""What is looked at: something that runs sagas, and returns how many."""


def profile() -> dict[str, Any]:
    """Return for each load its shares by part and the processor's time of a saga, or why there is none."""
    try:
        environment = kept_environment("py-spy", sys.executable, ["py-spy>=0.4"])
        spy = shutil.which("py-spy", path=str(python_in(environment).parent))
        if spy is None:
            raise NotInstalled("py-spy has no program")
        return {"shares": {load: _look_at(spy, load) for load in LOADS}}
    except (NotInstalled, RuntimeError) as error:
        return {"missing": str(error).strip().splitlines()[-1]}


def _look_at(spy: str, load: str) -> dict[str, Any]:
    say(f"profile: {load}")
    found = answer_of(module("profiling", load, SECONDS))
    raw = CACHE / f"profile-{load}.txt"
    line = [spy, "record", "--gil", "--rate", str(RATE), "--format", "raw", "--output", str(raw)]
    done = subprocess.run(
        [*line, "--", *module("profiling", load, SECONDS)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not raw.exists():
        raise RuntimeError(
            f"py-spy cannot look at another process here: {done.stderr.strip() or done.returncode}"
        )
    return {**found, "parts": shares(raw.read_text())}


def shares(raw: str) -> dict[str, float]:
    """Return part → its share of the samples, the largest first, from py-spy's raw format."""
    counts: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        counts[_part(stack.split(";"))] += int(count)
    everything = sum(counts.values())
    return {part: round(count / everything, 3) for part, count in counts.most_common()}


def _part(stack: list[str]) -> str:
    for frame in reversed(stack):
        file = frame.rpartition("(")[2]
        for beginning, part in PARTS.items():
            if file.startswith(beginning) or f"/{beginning}" in file:
                return part
    return "the rest"


def _run(load: str, seconds: float) -> dict[str, float]:
    """Run a load again and again, for so long, and return what a saga cost."""
    run, sagas = LOADS[load], 0
    until, cpu_began, began = time.monotonic() + seconds, time.process_time(), time.monotonic()
    while time.monotonic() < until:
        sagas += run()
    cpu_s = time.process_time() - cpu_began
    return {"cpu_us": round(cpu_s / sagas * 1e6, 1), "cores": round(cpu_s / (time.monotonic() - began), 2)}


if __name__ == "__main__":
    log_to_stderr()
    print(json.dumps(_run(sys.argv[1], float(sys.argv[2]))))
