"""Does a store get slower as it grows? Throughput with very many journal rows behind it, and in an empty one, by turns.

The large store is generated from a saga that ran (`generated`); the sagas that are measured get their ids from
`Runtime.start_many`, as an application's do that gives none.
"""

from __future__ import annotations

from benchmarks.figures import Figure, Size, pairs
from benchmarks.generated import copy_saga, new_ids
from benchmarks.measure import KINDS, fresh_directory, throughput_in
from benchmarks.progress import say
from benchmarks.sagas import FulfilOrder, order
from saga import Runtime

__all__ = ["FIGURES", "measure"]

FIGURES = ("growth.ratio", "growth.gb", "throughput.grown", "throughput.empty")
SIZES: dict[Size, tuple[int, int, int]] = {
    "tiny": (200, 50, 1),
    "quick": (5_000, 1_000, 1),
    "full": (2_500_000, 3_000, 7),
}
"""Sagas that are there, sagas that are measured, repeats."""

PATTERN = "pattern-of-what-was"


def measure(size: Size) -> list[Figure]:
    there, sagas, repeats = SIZES[size]
    kind = KINDS["gateways"]
    grown, empty = [], []
    with fresh_directory() as large:
        with Runtime(large, contexts=kind.participants, sagas=[FulfilOrder]) as runtime:
            runtime.start(FulfilOrder, order(0), id=PATTERN).wait(60)
        rows = copy_saga(large, PATTERN, lambda: new_ids(there), "growth")
        gigabytes = (large / "saga.db").stat().st_size / 1e9
        for number in range(repeats):
            say(f"growth {number + 1}/{repeats}")
            with fresh_directory() as small:
                empty.append(throughput_in(small, kind, sagas, named=False))
            grown.append(throughput_in(large, kind, sagas, named=False))
    note = f"{rows:,} rows of the journal behind it"
    return [
        Figure("growth.ratio", pairs(grown, empty), "of the empty store", "higher", note=note),
        Figure("growth.gb", [gigabytes], "GB", "lower", note="saga.db with all these rows"),
        Figure("throughput.grown", grown, "sagas/s", "higher", note=note),
        Figure("throughput.empty", empty, "sagas/s", "higher", note="by turns with it"),
    ]
