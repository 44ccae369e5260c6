"""The files of a store, and findings about them, as every command shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from saga.cli.output import Problem
from saga.store import Finding, NotAStore, StoreFiles
from saga.store.schema import CONTEXT, SAGA, Schema

__all__ = ["own_files", "problem"]


def own_files(files: StoreFiles) -> Iterator[tuple[str, Schema, str]]:
    """Yield name, schema and path of every file of the store that is there; damaged ones, too."""
    yield "saga", SAGA, files.saga
    for name in files.context_names():
        path = files.context(name)
        try:
            if CONTEXT.look(path) is None:
                continue
        except NotAStore:
            continue
        except Exception:  # damaged, in whatever way: it is ours
            pass
        yield name, CONTEXT, path


def problem(finding: Finding, files: StoreFiles) -> Problem:
    """Return a finding as it is printed: files by their name in the store, and that once."""
    prefix = files.directory + os.sep
    what = finding.what.removeprefix(f"{finding.subject} ").removeprefix(f"{finding.subject}: ")
    return Problem(severity=finding.severity, subject=finding.subject.removeprefix(prefix), what=what)
