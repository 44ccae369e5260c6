"""What it takes: bytes on disk for a saga, time to import, megabytes to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.environments import CACHE, fresh_environment, install, site_mb
from benchmarks.figures import Figure, Size
from benchmarks.measure import KINDS, check_outcomes, fresh_directory, run_all, starts
from benchmarks.progress import say
from benchmarks.sagas import FulfilOrder
from saga import Runtime

__all__ = ["FIGURES", "measure"]

FIGURES = ("bytes.per_saga", "import.ms", "import.runtime_ms", "install.mb")
SIZES: dict[Size, tuple[int, int]] = {"tiny": (50, 1), "quick": (1_000, 3), "full": (10_000, 15)}
"""Sagas in the store, imports."""

IMPORT = """
import time
began = time.perf_counter()
import saga
print((time.perf_counter() - began) * 1000)
"""
IMPORT_RUNTIME = IMPORT.replace("import saga", "from saga import Runtime")


def measure(size: Size) -> list[Figure]:
    sagas, imports = SIZES[size]
    say("bytes per saga")
    figures = [
        Figure(
            "bytes.per_saga", [_bytes_per_saga(sagas)], "bytes", "lower", note="in saga.db, which was closed"
        ),
        Figure("import.ms", _imports_ms(IMPORT, imports), "ms", "lower", note="import saga"),
        Figure(
            "import.runtime_ms",
            _imports_ms(IMPORT_RUNTIME, imports),
            "ms",
            "lower",
            note="from saga import Runtime",
        ),
    ]
    if size == "full":
        say("installing into an environment of its own")
        figures.append(_install())
    return figures


def _bytes_per_saga(sagas: int) -> float:
    kind = KINDS["gateways"]
    with fresh_directory() as directory:
        sizes = []
        for some in ([], starts(kind, sagas)):
            with Runtime(directory, contexts=kind.participants, sagas=[FulfilOrder]) as runtime:
                check_outcomes(kind, len(some), run_all(runtime, some))
            sizes.append((directory / "saga.db").stat().st_size)
    return (sizes[1] - sizes[0]) / sagas


def _imports_ms(program: str, times: int) -> list[float]:
    """Return how long each of so many imports took, each in a process of its own, after one that compiles."""
    found = []
    for _ in range(1 + times):
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
        found.append(float(done.stdout))
    return found[1:]


def _install() -> Figure:
    """Install the library and what it depends on, as pip leaves it: with byte code."""
    environment = CACHE / "core"
    fresh_environment(environment, sys.executable)
    before = site_mb(environment)
    install(environment, [str(Path.cwd())], constraints="constraints.txt")
    note = "the library and what it depends on, beyond pip, byte code included"
    return Figure("install.mb", [site_mb(environment) - before], "MB", "lower", note=note)
