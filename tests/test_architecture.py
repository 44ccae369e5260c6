"""The house list: who may know whom inside `saga/`, read from the imports and held against the table below.

1. A layer may import itself and the layers above it in the table, never one below it. An import counts
   wherever it stands: in a function, under `TYPE_CHECKING`, or as a call of `import_module` with a name.
2. The upper part is pure: no clock, thread, file, randomness or log. Same input, same output.
   `coordination` may guard itself with a lock and measure the author's code, but starts no thread and never
   sleeps, and date and chance are brought to it: so the simulator can drive it on one thread, by a seed.
3. A library that has an owner is imported by its owner only. The exceptions are types, named in `TYPES_ONLY`.
4. What stands in `NOWHERE` is imported nowhere.
5. Every other library is one that `saga` depends on, or comes with Python.

A new module at the top of `saga/` needs a line in the table: that is the moment to say where it belongs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What has an effect, or an answer that differs from call to call: modules, or names in them.
CALENDAR = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
CLOCK = {"time", "sched"} | CALENDAR
CHANCE = {"random", "secrets", "uuid"}  # `from uuid import UUID`, the type, is allowed: see TYPES_ONLY
THREADS = {"threading", "_thread", "queue", "concurrent", "multiprocessing", "asyncio", "selectors"}
FILES = {"os", "io", "pathlib", "tempfile", "shutil", "glob", "fcntl", "msvcrt", "mmap"}
OUTSIDE = {"subprocess", "signal", "socket", "ssl", "http", "urllib", "smtplib", "platform", "getpass"}
LOGS = {"logging", "structlog", "warnings"}
EFFECTS = CLOCK | CHANCE | THREADS | FILES | OUTSIDE | LOGS
BUILT_IN_EFFECTS = {"open", "print", "input"}

EXECUTORS = {"concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor"}
STARTS = {"threading.Thread", "threading.Timer"} | EXECUTORS
STARTS_OR_SLEEPS = (THREADS - {"threading", "concurrent"}) | STARTS | {"sched", "time.sleep"}


@dataclass(frozen=True)
class Layer:
    """A line of the house list: a module or package of `saga/`, what it must not know, what it alone may."""

    name: str
    must_not_know: frozenset[str] | set[str] = frozenset()
    owns: frozenset[str] | set[str] = frozenset()
    pure: bool = False


HOUSE = (
    Layer("errors", EFFECTS, pure=True),  # one error tree
    Layer("times", EFFECTS, pure=True),  # as they are stored, and as Python knows them
    Layer("seams", EFFECTS, pure=True),  # where a crash is tested; off, nothing
    Layer("messages", EFFECTS, pure=True),  # commands, events, refusals
    Layer("participants", EFFECTS, pure=True),  # what an author derives contexts and gateways from
    Layer("codec", EFFECTS, pure=True),  # values and JSON
    Layer("flow", EFFECTS, pure=True),  # the language and the graph
    Layer("machine", EFFECTS, pure=True),  # decide, evolve, pending
    Layer("log"),  # logs of which nothing comes back
    Layer("store", owns={"sqlite3", "sqlite_utils"}),
    Layer("journal", EFFECTS, pure=True),  # its rows, and what happened by them
    Layer("history", EFFECTS, pure=True),  # a journal as a person reads it
    Layer("tasks", EFFECTS, pure=True),  # what persons are to decide, as an application lists it
    Layer("schedules", EFFECTS, pure=True),  # recurring starts, as an application lists them
    Layer("event_log", EFFECTS, pure=True),  # events and deliveries as the application sees them
    Layer("story", EFFECTS, pure=True),  # everything that one call has led to, across all files
    Layer("verification"),  # is what is stored what was written?
    Layer("clock"),
    # what coordinator and participants do
    Layer("coordination", STARTS_OR_SLEEPS | CALENDAR | CHANCE, owns={"cronsim"}),
    Layer("actors", owns={"pykka"}),
    Layer("handle"),
    Layer("ids"),  # new ones
    Layer("arguments", EFFECTS, pure=True),  # what an application passes in, checked
    Layer("line"),  # the application's requests to the coordinator
    Layer("retention"),  # letting go of what is over and old
    Layer("errands"),  # what somebody outside asks of a runtime
    Layer("backing_up"),  # a copy of the store while it runs
    Layer("sending"),  # the application's commands to participants and answering sagas
    Layer("runtime"),
    Layer("cli", owns={"click"}),
    Layer("__main__"),  # python -m saga
    Layer("__init__"),  # the promised names, from all of the above
)

NOWHERE = {"pickle", "_pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
SHARED_LIBRARIES = {"msgspec", "structlog"}  # the dependencies that have no single owner

# Names that are types and nothing more, and who may import them: always, or for the type checker only.
CONTEXT_TYPES = {
    ("sqlite_utils", "Database"),
    ("sqlite_utils.db", "Database"),
    ("sqlite_utils", "Migrations"),
    ("sqlite_utils.migrations", "Migrations"),
}
TYPES_ONLY = {
    "always": {
        "coordination": CONTEXT_TYPES | {("uuid", "UUID")},
        **{layer.name: {("uuid", "UUID")} for layer in HOUSE if layer.pure},
    },
    "type checking": {"messages": CONTEXT_TYPES, "participants": CONTEXT_TYPES, "flow": CONTEXT_TYPES},
}


@dataclass(frozen=True)
class Import:
    """One imported name: `from module import name`, or `import module` (no name), and where it stands."""

    module: str
    name: str | None
    line: int
    for_types: bool

    @property
    def library(self) -> str:
        return self.module.partition(".")[0]


def imports_of(tree: ast.Module, package: list[str]) -> Iterator[Import]:
    """Find every import in a module whose package is `package`, such as ["saga", "machine"]."""
    type_checked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        for_types = id(node) in type_checked
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, None, node.lineno, for_types) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                start = package[: len(package) - level + 1] if level else []
                full = ".".join([*start, *([module] if module else [])])
                yield from (Import(full, alias.name, node.lineno, for_types) for alias in names)
            case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]):
                if ast.unparse(func).split(".")[-1] in ("import_module", "__import__"):
                    yield Import(name, None, node.lineno, for_types)


def layer_of(imported: Import, names: list[str]) -> str | None:
    """Return the layer of `saga` that an import reaches into; None when it is not an import of saga."""
    if imported.library != "saga":
        return None
    parts = imported.module.split(".")
    if len(parts) > 1:
        return parts[1]
    return imported.name if imported.name in names else "__init__"


def allowed_as_type(layer: str, imported: Import) -> bool:
    always, checked = TYPES_ONLY["always"], TYPES_ONLY["type checking"]
    types = always.get(layer, set()) | (checked.get(layer, set()) if imported.for_types else set())
    return (imported.module, imported.name) in types


def fault_of(layer: Layer, imported: Import) -> str | None:
    """Say what is wrong with an import that stands in `layer`; None when nothing is."""
    names = [each.name for each in HOUSE]
    reached = layer_of(imported, names)
    if reached is not None:
        if reached not in names:
            return f"{imported.module} is not in the house list"
        wrong_way = names.index(reached) > names.index(layer.name)
        below = "the names of saga/__init__.py" if reached == "__init__" else reached
        return f"{below} is below {layer.name}: the arrow points the wrong way" if wrong_way else None
    if imported.library in NOWHERE:
        return f"{imported.library} is imported nowhere in saga"
    if allowed_as_type(layer.name, imported):
        return None
    for known in (imported.library, f"{imported.module}.{imported.name}"):
        if known in layer.must_not_know:
            return f"{layer.name} must not know {known}"
    owners = [each.name for each in HOUSE if imported.library in each.owns]
    if owners:
        return None if layer.name in owners else f"only {owners[0]} may import {imported.library}"
    if imported.library not in SHARED_LIBRARIES | set(sys.stdlib_module_names):
        return f"{imported.library} is not among the dependencies of saga"
    return None


def uses_in(tree: ast.Module, layer: Layer) -> Iterator[tuple[int, str]]:
    """Find what no import shows: names reached through a module (`time.sleep`) and the built-in ways out."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute():
                last_two = ".".join(ast.unparse(node).split(".")[-2:])
                if last_two in layer.must_not_know:
                    yield node.lineno, f"{layer.name} must not know {last_two}"
            case ast.Call(func=ast.Name(id=name)) if layer.pure and name in BUILT_IN_EFFECTS:
                yield node.lineno, f"{layer.name} must not call {name}()"


def faults_in(source: Path) -> list[str]:
    """Hold every module in `source`, the folder `saga`, against the house list; return what is wrong."""
    found = []
    layers = {layer.name: layer for layer in HOUSE}
    for path in sorted(source.rglob("*.py")):
        inside = path.relative_to(source)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = inside.parts[0].removesuffix(".py")
        if name not in layers:
            found.append(
                f"saga/{inside.as_posix()}:1: {name} is not in the house list (HOUSE): say where it belongs"
            )
            continue
        layer = layers[name]
        faults = [
            (imported.line, fault)
            for imported in imports_of(tree, ["saga", *inside.parent.parts])
            if (fault := fault_of(layer, imported))
        ]
        faults += uses_in(tree, layer)
        found += [f"saga/{inside.as_posix()}:{line}: {fault}" for line, fault in sorted(faults)]
    return found


def test_all_arrows_in_the_house_point_up() -> None:
    assert not (faults := faults_in(ROOT / "saga")), "\n".join(["", *faults])


BAD = {
    "a layer below": ("machine/decide.py", "from saga.store import Journal", "below machine"),
    "a layer below, relative": ("machine/decide.py", "from ..store import Journal", "below machine"),
    "a layer below, as a name": ("machine/decide.py", "from saga import runtime", "below machine"),
    "a layer below, in a function": ("flow/a.py", "def f():\n    import saga.machine.decide", "below flow"),
    "a layer below, for types": (
        "codec.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .flow import Graph",
        "below codec",
    ),
    "a layer below, by call": (
        "actors/context.py",
        "import importlib\nimportlib.import_module('saga.runtime')",
        "below actors",
    ),
    "the promised names": ("coordination/a.py", "from saga import Context", "below coordination"),
    "a clock in the pure part": ("machine/decide.py", "import time", "must not know"),
    "today's date in the pure part": (
        "flow/a.py",
        "import datetime\nx = datetime.date.today()",
        "must not know date.today",
    ),
    "threads in the pure part": ("messages.py", "from concurrent.futures import Future", "must not know"),
    "chance in the pure part": ("codec.py", "from uuid import UUID, uuid4", "must not know"),
    "a file in the pure part": ("errors.py", "x = open('a')", "must not call open()"),
    "a log in the pure part": ("machine/decide.py", "import structlog", "must not know"),
    "a thread in coordination": ("coordination/a.py", "from threading import Thread", "threading.Thread"),
    "a sleep in coordination": ("coordination/a.py", "import time\ntime.sleep(1)", "time.sleep"),
    "a date in coordination": ("coordination/a.py", "import datetime as d\nd.datetime.now()", "datetime.now"),
    "SQL outside the store": ("runtime.py", "import sqlite3", "only store may import sqlite3"),
    "more than the type": ("coordination/a.py", "import sqlite_utils", "only store may import sqlite_utils"),
    "the type at run time": ("messages.py", "from sqlite_utils import Database", "only store may import"),
    "pykka outside the actors": ("handle.py", "from pykka import Future", "only actors may import pykka"),
    "pickle in the store": ("store/journal.py", "import pickle", "imported nowhere"),
    "a library that is no dependency": ("clock.py", "import arrow", "not among the dependencies"),
    "a module without a place": ("helpers.py", "x = 1", "say where it belongs"),
}


@pytest.mark.parametrize(("file", "code", "fault"), BAD.values(), ids=BAD.keys())
def test_an_arrow_that_points_the_wrong_way_is_found(
    tmp_path: Path, file: str, code: str, fault: str
) -> None:
    """A check that cannot fail shows nothing: each rule is broken once, in a house of one module."""
    path = tmp_path / "saga" / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    [found] = faults_in(tmp_path / "saga")
    assert found.startswith(f"saga/{file}:")
    assert fault in found


GOOD = {
    "the pure part above": ("machine/decide.py", "from saga.flow.graph import Graph\nfrom .. import errors"),
    "itself": ("store/journal.py", "from saga.store import schema\nfrom .files import lock\nimport sqlite3"),
    "the type of an id": ("codec.py", "from uuid import UUID\nfrom datetime import datetime"),
    "types of a context": (
        "participants.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sqlite_utils import Database",
    ),
    "a lock in coordination": ("coordination/a.py", "import threading\nlock = threading.Lock()"),
    "a context's database": ("coordination/a.py", "from sqlite_utils import Database"),
    "everything": ("__init__.py", "from saga.runtime import Runtime\nfrom saga.messages import Command"),
    "a method that is called open": ("machine/decide.py", "def f(scope): return scope.open()"),
}


@pytest.mark.parametrize(("file", "code"), GOOD.values(), ids=GOOD.keys())
def test_an_arrow_that_points_up_is_left_alone(tmp_path: Path, file: str, code: str) -> None:
    path = tmp_path / "saga" / file
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert faults_in(tmp_path / "saga") == []
