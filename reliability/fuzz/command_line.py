"""The command line: random arguments on all kinds of stores, and stores in which something was changed.

It ends with one of its exit codes. What goes wrong is told in one line (2: with how it is used), never with a
traceback; with `--json`, what is printed is JSON. A store in which a graph or a journal is not what was written is
told so by `verify`.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random

import msgspec
from click.testing import CliRunner, Result

from reliability.fuzz.mutation import mutated
from reliability.fuzz.shop import IDS
from reliability.fuzz.stores import DAMAGED
from saga.cli.main import program
from saga.flow.graph import Graph

__all__ = ["HOME", "arguments_end_in_an_exit_code", "changed_stores_are_told"]

HOME = "SAGA_FUZZ_STORES"
"""The variable that names the directory of the stores."""
STORES = ("closed", "dead", "live", *(f"damaged-{number}" for number in range(DAMAGED)))
CODES = {0, 1, 2, 4, 70}
COMMANDS = ("list", "show", "schedules", "trace", "deliveries", "verify", "doctor")
OPTIONS: tuple[tuple[str, ...], ...] = (
    ("--json",),
    ("--json",),
    ("--full",),
    ("--quick",),
    ("--set-aside",),
    ("--help",),
    ("--version",),
    ("--saga", "*"),
    ("--status", "*"),
    ("--tag", "*"),
    ("--limit", "*"),
    ("--after", "*"),
    ("--context", "*"),
)
WORDS = (
    *IDS, "Shopping", "Child", "PARKED", "running", "kind=plain", "region=north", "region", "=", "goods", "accounts",
    "post", "nightly", "0", "1", "-1", "3", "50", "99999999999999999999", "1e3", "0x10", "", " ", "--", "-", "-h", "-x",
    "--nonsense", "o-plain:reserve.1", "o-plain:child.1", "o-plain:reserve.1~1", "%", "_", "' OR 1=1 --", "ä", "\udcff",
    "\ud800", "\x1b[31m", "x" * 3000, "\u202e", "😀", "/", "..", "/nowhere", "saga.db", "\n", "\t", "null", "*",
)  # fmt: skip
ENVIRONMENT = {
    "COLUMNS": ("", "0", "-5", "abc", "20", "80", "100000"),
    "NO_COLOR": ("", "1"),
    "FORCE_COLOR": ("1",),
    "TERM": ("dumb", "xterm"),
}


def arguments_end_in_an_exit_code(rng: Random) -> str | None:
    """Run one random command on one of the stores. Return what is wrong."""
    home = Path(os.environ[HOME])
    arguments = _arguments(rng)
    store = home / rng.choice(STORES[: 3 if rng.random() < 0.5 else None])
    env = {name: rng.choice(values) for name, values in ENVIRONMENT.items() if rng.random() < 0.2}
    if rng.random() < 0.8:
        env["SAGA_STORE"] = str(store)
    if rng.random() < 0.3:
        at = rng.randrange(len(arguments) + 1)
        arguments[at:at] = ["--store", rng.choice((str(store), str(store / "saga.db"), rng.choice(WORDS)))]
    told = CliRunner().invoke(program, arguments, env={"SAGA_STORE": None, **env})
    wrong = _wrong(arguments, told)
    return wrong and f"{wrong}: {arguments} on {store.name} with {env}"


def _arguments(rng: Random) -> list[str]:
    words: list[str] = [rng.choice(COMMANDS)]
    for _ in range(rng.randrange(4)):
        words += [rng.choice(WORDS) if word == "*" else word for word in rng.choice(OPTIONS)]
    if words[0] in ("show", "trace") and rng.random() < 0.9:
        words.insert(rng.randint(1, len(words)), rng.choice(IDS) if rng.random() < 0.7 else rng.choice(WORDS))
    for _ in range(rng.randrange(3) if rng.random() < 0.4 else 0):
        at = rng.randrange(len(words) + 1)
        match rng.randrange(4):
            case 0:
                words.insert(at, rng.choice(WORDS))
            case 1:
                del words[at : at + 1]
            case 2:
                words[at:at] = words[at : at + 2]
            case _:
                words[at : at + 1] = [f"{word}{rng.choice(WORDS)}" for word in words[at : at + 1]]
    return words


def _wrong(arguments: list[str], told: Result) -> str | None:
    """Return what is wrong with the way in which it has ended."""
    error = told.exception
    if error is not None and not isinstance(error, SystemExit):
        return f"{type(error).__name__}: {error}"[:300]
    if told.exit_code not in CODES:
        return f"the exit code is {told.exit_code}"
    if "Traceback (most recent call last)" in told.stderr:
        return "there is a traceback"
    lines = told.stderr.strip().splitlines()
    if told.exit_code in (4, 70) and not (len(lines) == 1 and lines[0].startswith("saga: ")):
        return f"exit code {told.exit_code}, and not one line: {told.stderr[:300]!r}"
    says = bool(lines) and (lines[-1].startswith("Error: ") or lines[0].startswith("Usage: "))
    if told.exit_code == 2 and not says:
        return f"exit code 2, and not what is wrong: {told.stderr[:300]!r}"
    if "--json" in arguments and told.exit_code in (0, 1) and not _is_json(told.stdout):
        helps = {"--help", "-h", "--version"} & {*arguments}
        return None if helps else f"no JSON: {told.stdout[:200]!r}"
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# --- changed stores -----------------------------------------------------------------------------------


CHANGED = {"definitions": "graph", "journal": "records", "forms": "text"}
"""Table and column that are changed."""


@cache
def _rows(home: str, table: str) -> dict[int, str]:
    """Return what is stored in the column of this table that is changed, by number of the row."""
    with closing(sqlite3.connect(Path(home) / "closed" / "saga.db")) as connection:
        return dict(connection.execute(f"SELECT no, {CHANGED[table]} FROM {table}").fetchall())


def changed_stores_are_told(rng: Random) -> str | None:
    """Put another graph, row of a journal, or form of rows into a store, and look at it. Return what is wrong."""
    home = os.environ[HOME]
    table = rng.choice(list(CHANGED))
    rows = _rows(home, table)
    no = rng.choice(sorted(rows))
    before = rows[no].encode()
    after = mutated(rng, before)
    store = Path(home) / f"changed-{os.getpid()}"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(Path(home) / "closed", store)
    with closing(sqlite3.connect(store / "saga.db")) as connection:
        connection.execute("PRAGMA ignore_check_constraints=1")
        connection.execute(f"UPDATE {table} SET {CHANGED[table]} = CAST(? AS TEXT) WHERE no = ?", (after, no))
        connection.commit()
    where = f"{table} {no} is {after[:300]!r}"
    for words in (["verify", "--json"], ["list"], ["show", rng.choice(IDS)], ["trace", rng.choice(IDS)]):
        told = CliRunner().invoke(program, words, env={"SAGA_STORE": str(store)})
        wrong = _wrong(words, told)
        if (
            wrong is None
            and words[0] == "verify"
            and not told.exit_code
            and not _is_equal(table, before, after)
        ):
            wrong = "verify has found nothing"
        if wrong:
            return f"{wrong}: {words}, where {where}"
    return None


def _is_equal(table: str, before: bytes, after: bytes) -> bool:
    if before == after:
        return True
    try:
        return table == "definitions" and Graph.from_json(before).digest() == Graph.from_json(after).digest()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
