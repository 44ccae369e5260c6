"""Sagas per second, all started at once: by gateways, by contexts with state, and with a tenth refused and undone.

In each repeat every kind runs once, each right after its floor, so that whatever the machine does meanwhile falls on
both. `yardstick.*` is an older, leaner loop (four plain rows a saga), kept so that older figures can be compared.
"""

from __future__ import annotations

from benchmarks.figures import Figure, Size, pairs
from benchmarks.floor import floor_throughput, record
from benchmarks.measure import KINDS, fresh_directory, throughput
from benchmarks.progress import say
from benchmarks.yardstick import bare_loop

__all__ = ["FIGURES", "measure"]

FIGURES = (
    *(f"throughput.{kind}" for kind in KINDS),
    *(f"floor.{kind}" for kind in KINDS),
    "yardstick.gateways",
    "yardstick.contexts",
    "ratio.gateways",
    "ratio.contexts",
)
LEAN = ("gateways", "contexts")
SIZES: dict[Size, tuple[int, int]] = {"tiny": (50, 1), "quick": (2_000, 3), "full": (3_000, 15)}
"""Sagas, repeats."""


def measure(size: Size) -> list[Figure]:
    sagas, repeats = SIZES[size]
    recorded = {}
    for name, kind in KINDS.items():
        say(f"throughput: recording {name}")
        with fresh_directory() as directory:
            recorded[name] = record(directory, kind, sagas)
    ours: dict[str, list[float]] = {name: [] for name in KINDS}
    floors: dict[str, list[float]] = {name: [] for name in KINDS}
    lean: dict[str, list[float]] = {name: [] for name in LEAN}
    for number in range(repeats):
        for name, kind in KINDS.items():
            say(f"throughput.{name} {number + 1}/{repeats}")
            with fresh_directory() as directory:
                floors[name].append(floor_throughput(directory, recorded[name]))
            ours[name].append(throughput(kind, sagas))
            if name in LEAN:
                with fresh_directory() as directory:
                    lean[name].append(bare_loop(directory, sagas, contexts=name == "contexts"))
    figures = []
    for name in KINDS:
        ratios = {f"floor.{name}": pairs(ours[name], floors[name])}
        if name == "compensated":
            ratios["throughput.contexts"] = pairs(ours[name], ours["contexts"])
        figures.append(Figure(f"throughput.{name}", ours[name], "sagas/s", "higher", ratios))
        figures.append(Figure(f"floor.{name}", floors[name], "sagas/s", "higher"))
    for name in LEAN:
        figures.append(Figure(f"yardstick.{name}", lean[name], "sagas/s", "higher"))
        figures.append(Figure(f"ratio.{name}", pairs(ours[name], lean[name]), "of the bare loop", "higher"))
    return figures
