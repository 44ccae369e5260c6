"""Where the runtime can be killed: the seams, read from its source, so that none can be forgotten.

1. A name is a literal and stands in one place: a seam that is passed says where the process died.
2. Each change of a file that is made in one call (a commit, a checkpoint, a write or rename of a small file) in
   `saga/store` has a seam right before it and one after it, in the same function. `unguarded` finds what has not.
3. Not so requests from outside (`asking`): they hold no state, and one that is cut off is given up by who has asked.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from reliability.crash.harness import ROOT

__all__ = ["Point", "copying", "names", "points_in", "running", "unguarded"]

SYSTEM_CALLS = {"os.write", "os.ftruncate", "os.replace", "os.rename", "os.truncate"}
WITHOUT_STATE = {"asking.py"}
STATEMENTS = ("COMMIT", "PRAGMA wal_checkpoint", "VACUUM INTO")


@dataclass(frozen=True)
class Point:
    """One seam in the source."""

    name: str
    where: str
    """File and line."""


def names() -> list[str]:
    """Return the names of all seams of the runtime, in the order of the source. ValueError for one that is no literal,
    or stands in two places."""
    points = points_in(ROOT / "saga")
    twice = {point.name for point in points if sum(each.name == point.name for each in points) > 1}
    if twice:
        raise ValueError(f"seams with the same name: {', '.join(sorted(twice))}; give each a name of its own")
    return [point.name for point in points]


def copying() -> list[str]:
    """Return the names of the seams that are passed while a store is copied: `reliability backups` kills there."""
    return [name for name in names() if name.startswith("copy.")]


def running() -> list[str]:
    """Return the names of the other seams: those that a runtime passes by itself."""
    return [name for name in names() if not name.startswith("copy.")]


def points_in(source: Path) -> list[Point]:
    """Return all seams in the modules of a folder. ValueError for one whose name is no literal."""
    found = []
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not _is_seam(node):
                continue
            where = f"{path.relative_to(source.parent).as_posix()}:{node.lineno}"
            match node.args:
                case [ast.Constant(value=str(name))]:
                    found.append(Point(name, where))
                case _:
                    raise ValueError(f"{where}: the name of a seam is a literal, so that it can be found")
    return found


def unguarded(source: Path) -> list[str]:
    """Return the changes of files, as file, line and code, that have no seam right before them, or none after them."""
    found = []
    for path in sorted(set(source.rglob("*.py")) - {source / name for name in WITHOUT_STATE}):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                where = path.relative_to(source.parent).as_posix()
                found += [
                    f"{where}:{change.lineno}: {ast.unparse(change)} has no seam {side}"
                    for change, side in _unguarded_in(function)
                ]
    return found


def _unguarded_in(function: ast.FunctionDef) -> Iterator[tuple[ast.stmt, str]]:
    seams = [node.lineno for node in _inside(function) if _is_seam(node)]
    for block in _blocks(function):
        for before, statement in zip([None, *block], block, strict=False):
            if not any(_changes_a_file(node) for node in _of_itself(statement)):
                continue
            if not (isinstance(before, ast.Expr) and _is_seam(before.value)):
                yield statement, "right before it"
            if not any(line > statement.lineno for line in seams):
                yield statement, "after it"


def _blocks(function: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    for node in [function, *_inside(function)]:
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a function or statement, without what stands in functions inside of it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _inside(child)


def _of_itself(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield what a statement does itself, without the statements in its blocks."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield child
            yield from _inside(child)


def _is_seam(node: ast.AST | None) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("seam", "seams.seam")


def _changes_a_file(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    if name in SYSTEM_CALLS:
        return True
    if name.endswith(("connection.backup", "connection.commit")):
        return True
    match node.args:
        case [ast.Constant(value=str(text)), *_]:
            return name.endswith("execute") and text.startswith(STATEMENTS)
        case [ast.Attribute(attr="commit"), *_]:
            return name.endswith("execute")
        case _:
            return False
