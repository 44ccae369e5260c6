"""Run the benchmarks and print them, as a table and, with `--json`, into a file."""

from __future__ import annotations

import argparse
import json
import platform
import sqlite3
import statistics
import sys
from pathlib import Path

from benchmarks.fortnight import fortnights_ms
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


def run(*, quick: bool) -> list[dict[str, object]]:
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
    fortnights = [*fortnights_ms(21)][1:]  # the first one loads and prepares everything
    results.append(_row("virtual.fortnight", fortnights, "ms", better="lower"))
    return results


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="run.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sagas and repeats; under 40 s")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the figures here")
    options = parser.parse_args()
    results = run(quick=options.quick)
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
