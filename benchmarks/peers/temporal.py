"""Temporal: its development server with a file, and a worker in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.peers import steps
from benchmarks.peers.servers import server
from benchmarks.peers.talk import free_port, serve

QUEUE = "orders"
AT_ONCE = 100
LIMIT = timedelta(seconds=60)
ONCE = RetryPolicy(maximum_attempts=1)

reserve = activity.defn(name="reserve")(steps.reserve)
release = activity.defn(name="release")(steps.release)
take = activity.defn(name="take")(steps.take)
refund = activity.defn(name="refund")(steps.refund)
ship = activity.defn(name="ship")(steps.ship)


@workflow.defn
class FulfilOrder:
    """The saga, each step an activity."""

    @workflow.run
    async def run(self, order_id: str) -> bool:
        await workflow.execute_activity(reserve, order_id, start_to_close_timeout=LIMIT)
        payment_id = await workflow.execute_activity(
            take, args=[order_id, "12.50"], start_to_close_timeout=LIMIT
        )
        try:
            await workflow.execute_activity(
                ship, args=[order_id, payment_id], start_to_close_timeout=LIMIT, retry_policy=ONCE
            )
        except ActivityError:
            await workflow.execute_activity(refund, order_id, start_to_close_timeout=LIMIT)
            await workflow.execute_activity(release, order_id, start_to_close_timeout=LIMIT)
            return False
        return True


class Temporal:
    """Workflows by a client of the server."""

    def __init__(self, client: Client, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def run(self, orders: Sequence[str], concurrency: int) -> int:
        return self._runner.run(self._run_all(orders, concurrency))

    async def _run_all(self, orders: Sequence[str], concurrency: int) -> int:
        room = asyncio.Semaphore(concurrency)

        async def one(order_id: str) -> bool:
            async with room:
                return await self._client.execute_workflow(
                    FulfilOrder.run, order_id, id=order_id, task_queue=QUEUE
                )

        return sum(await asyncio.gather(*map(one, orders)))


def main(directory: Path) -> None:
    port = free_port()
    program = Path(sys.executable).parent / "temporal"
    line = [str(program), "server", "start-dev", "--headless", "--port", str(port), "--log-level", "error"]
    line += ["--db-filename", str(directory / "temporal.db")]
    with server(line, [port], directory / "server.log"), asyncio.Runner() as runner:
        client = runner.run(Client.connect(f"127.0.0.1:{port}"))
        worker = runner.run(_worker(client))
        running = runner.get_loop().create_task(worker.run())
        serve(Temporal(client, runner), "the server's SQLite file", (10, AT_ONCE))
        runner.run(worker.shutdown())
        runner.run(_end(running))


async def _end(task: asyncio.Task[None]) -> None:
    await task


async def _worker(client: Client) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[FulfilOrder],
        activities=[reserve, release, take, refund, ship],
        activity_executor=ThreadPoolExecutor(AT_ONCE),
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
