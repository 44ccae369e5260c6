"""Bugs of ours, made to happen: the machine fails on a saga, or the schema refuses its rows."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from saga import Runtime, seams
from saga.machine import decide

from .inside import coordinator_of


def fail_machine(monkeypatch: pytest.MonkeyPatch, saga_id: str, kind: type, path: str = "") -> None:
    """Let the machine fail once: when this kind of stimulus, about this path, happens to this saga."""

    def failing(*arguments: Any) -> Any:
        state, stimulus = arguments[1], arguments[2]
        fits = type(stimulus) is kind and (stimulus.id if state is None else state.id) == saga_id
        if fits and path in ("", getattr(stimulus, "path", "")):
            monkeypatch.setattr("saga.coordination.ledger.decide", decide)
            raise ZeroDivisionError("a bug of ours")
        return decide(*arguments)

    monkeypatch.setattr("saga.coordination.ledger.decide", failing)


def refuse_rows_of(monkeypatch: pytest.MonkeyPatch, runtime: Runtime, saga_id: str, what: str = "") -> None:
    """Let the next batch in which this record is about this saga hold a row that the schema refuses, once."""
    ledger, left = coordinator_of(runtime).ledger, [what.encode()]

    def hook(seam: str) -> None:
        if seam == "coordinator.before-commit" and threading.current_thread().name == "saga-coordinator":
            for row in ledger.batch.journal:
                instance = ledger.in_batch(row[0])
                if left and instance.state.id == saga_id and left[0] in row[7] + row[5]:
                    left.pop()
                    ledger.batch.incidents[row[0], "x"] = ("kind", "reason", "no time")  # type: ignore[assignment]

    monkeypatch.setattr(seams, "hook", hook)
