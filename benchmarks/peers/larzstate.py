"""larzstate with its durable store: a file of JSON for each run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from larzstate import FileStore, Workflow, WorkflowFailed

from benchmarks.peers import steps
from benchmarks.peers.talk import serve


class Larzstate:
    """Workflows called as functions, each in the thread that calls it."""

    def __init__(self, directory: Path) -> None:
        self._workflow = flow = Workflow("order", store=FileStore(str(directory / "runs")))

        @flow.step
        def reserve(context: dict[str, Any]) -> str:
            return steps.reserve(context["order_id"])

        @reserve.compensate
        def release(context: dict[str, Any]) -> None:
            steps.release(context["order_id"])

        @flow.step
        def take(context: dict[str, Any]) -> str:
            context["payment_id"] = steps.take(context["order_id"], "12.50")
            return str(context["payment_id"])

        @take.compensate
        def refund(context: dict[str, Any]) -> None:
            steps.refund(context["order_id"])

        @flow.step
        def ship(context: dict[str, Any]) -> None:
            steps.ship(context["order_id"], context["payment_id"])

    def run(self, orders: Sequence[str], concurrency: int) -> int:
        if concurrency == 1:
            return sum(map(self._run, orders))
        with ThreadPoolExecutor(concurrency) as pool:
            return sum(pool.map(self._run, orders))

    def _run(self, order_id: str) -> bool:
        try:
            self._workflow.run(order_id, {"order_id": order_id})
        except WorkflowFailed as error:
            if not error.compensated:
                raise
            return False
        return True


if __name__ == "__main__":
    serve(Larzstate(Path(sys.argv[1])), "a file for each run, `fsync` after each step", (1, 8, 32))
