"""Run the benchmarks and print them, as a table and, with `--json`, into a file."""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import sys
from pathlib import Path

from benchmarks.events import deliver
from benchmarks.fortnight import fortnights_ms
from benchmarks.items import each_mb, each_seconds
from benchmarks.measure import KINDS, fresh_directory, latencies_ms, throughput
from benchmarks.yardstick import bare_loop


def _row(name: str, values: list[float], unit: str, *, better: str) -> dict[str, object]:
    return {
        "name": name,
        "median": round(statistics.median(values), 3),
        "unit": unit,
        "better": better,
        "lowest": round(min(values), 3),
        "highest": round(max(values), 3),
        "repeats": len(values),
    }


EVENTS = 100_000
"""Of the benchmark of events, which takes a while: it is not part of a quick run."""


def run(*, only: str | None, quick: bool) -> list[dict[str, object]]:
    """Return one row for each figure: of sagas and of events, or of one of them."""
    results = [] if only == "events" else run_sagas(quick=quick)
    if only == "events" or (only is None and not quick):
        results += run_events(EVENTS // 10 if quick else EVENTS)
    return results


def run_events(events: int) -> list[dict[str, object]]:
    """Return the figures of one delivery of so many events, in which every event is checked."""
    print("events" + " " * 20, end="\r", file=sys.stderr, flush=True)
    found = deliver(events)
    return [
        _row("events.seconds", [found.seconds], f"s for {found.events:,}", better="lower"),
        _row("events.delivered", [found.deliveries / found.seconds], "deliveries/s", better="higher"),
        _row("events.memory", [found.peak_mb], "MB at the highest", better="lower"),
    ]


def run_sagas(*, quick: bool) -> list[dict[str, object]]:
    """Return one row for each figure; medians of several repeats, the yardstick beside each of them."""
    sagas, repeats, one_by_one = (3_000, 5, 300) if quick else (3_000, 15, 1_000)
    results = []
    for kind, participants in KINDS.items():
        ours, bare = [], []
        for number in range(repeats):
            print(f"throughput.{kind} {number + 1}/{repeats}", end="\r", file=sys.stderr, flush=True)
            with fresh_directory() as directory:
                bare.append(bare_loop(directory, sagas, contexts=kind == "contexts"))
            ours.append(throughput(participants, sagas))
        results.append(_row(f"throughput.{kind}", ours, "sagas/s", better="higher"))
        results.append(_row(f"yardstick.{kind}", bare, "sagas/s", better="higher"))
        ratios = [a / b for a, b in zip(ours, bare, strict=True)]
        results.append(_row(f"ratio.{kind}", ratios, "of the bare loop", better="higher"))
    print("latency" + " " * 20, end="\r", file=sys.stderr, flush=True)
    p50, p99 = [], []
    for _ in range(3):
        found = latencies_ms(one_by_one)
        p50.append(found[len(found) // 2])
        p99.append(found[int(len(found) * 0.99)])
    results.append(_row("latency.p50", p50, "ms", better="lower"))
    results.append(_row("latency.p99", p99, "ms", better="lower"))
    print("each" + " " * 20, end="\r", file=sys.stderr, flush=True)
    repeats = 3 if quick else 9
    results.append(_row("each.seconds", [each_seconds() for _ in range(repeats)], "s", better="lower"))
    results.append(_row("each.mb", [each_mb()], "MB", better="lower"))
    fortnights = [*fortnights_ms(21)][1:]  # the first one loads and prepares everything
    results.append(_row("virtual.fortnight", fortnights, "ms", better="lower"))
    return results


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="run.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sagas and repeats; under 40 s")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    parser.add_argument("--only", choices=("sagas", "events"), help="only these; all, unless it is quick")
    options = parser.parse_args()
    results = run(only=options.only, quick=options.quick)
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, synchronous=FULL")
    for row in results:
        print(
            f"{row['name']:22} {row['median']:>12,} {row['unit']:18} ({row['lowest']:,} to {row['highest']:,})"
        )
    if options.json:
        options.json.write_text(json.dumps({"results": results}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
