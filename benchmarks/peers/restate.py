"""Restate: its server on one node, and a service in this process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import restate
from hypercorn.asyncio import serve as serve_http
from hypercorn.config import Config

from benchmarks.peers import steps
from benchmarks.peers.servers import server
from benchmarks.peers.talk import free_port, serve

orders = restate.Service("Orders")


@orders.handler()
async def fulfil(context: restate.Context, order_id: str) -> bool:
    """The saga, each step a durable run."""
    await context.run_typed("reserve", steps.reserve, order_id=order_id)
    payment_id = await context.run_typed("take", steps.take, order_id=order_id, amount="12.50")
    try:
        await context.run_typed("ship", _ship, order_id=order_id, payment_id=payment_id)
    except restate.TerminalError:
        await context.run_typed("refund", steps.refund, order_id=order_id)
        await context.run_typed("release", steps.release, order_id=order_id)
        return False
    return True


def _ship(order_id: str, payment_id: str) -> None:
    try:
        steps.ship(order_id, payment_id)
    except steps.Refused as error:  # any other error would be tried again
        raise restate.TerminalError(str(error)) from error


class Restate:
    """Orders by HTTP, each thread with a connection of its own."""

    def __init__(self, ingress: int) -> None:
        self._ingress = ingress
        self._local = threading.local()
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def run(self, orders: Sequence[str], concurrency: int) -> int:
        pool = self._pools.setdefault(concurrency, ThreadPoolExecutor(concurrency))
        return sum(pool.map(self._fulfil, orders))

    def _fulfil(self, order_id: str) -> bool:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection("127.0.0.1", self._ingress)
        found = post(connection, "/Orders/fulfil", order_id)
        return bool(found)


def post(connection: http.client.HTTPConnection, path: str, value: Any) -> Any:
    connection.request("POST", path, json.dumps(value), {"content-type": "application/json"})
    response = connection.getresponse()
    data = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{path}: {response.status} {data.decode(errors='replace')}")
    return json.loads(data)


def main(directory: Path, program: str) -> None:
    ingress, admin, node, service = free_port(), free_port(), free_port(), free_port()
    env = {
        **os.environ,
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}",
        "RESTATE_LOG_FILTER": "warn",
        "DO_NOT_TRACK": "1",
    }
    config = Config()
    config.bind = [f"127.0.0.1:{service}"]
    app: Any = restate.app([orders])
    threading.Thread(target=lambda: asyncio.run(_listen(app, config)), daemon=True).start()
    line = [program, "--base-dir", str(directory / "restate"), "--node-name", "bench"]
    with server(line, [ingress, admin], directory / "server.log", env):
        _register(admin, service)
        serve(Restate(ingress), "the server's own log", (8, 64))


async def _listen(app: Any, config: Config) -> None:
    await serve_http(app, config, shutdown_trigger=asyncio.Event().wait)  # type: ignore[arg-type]


def _register(admin: int, service: int) -> None:
    """Tell the server where the service is; it answers some time after it listens."""
    until = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", admin)
        try:
            post(connection, "/deployments", {"uri": f"http://127.0.0.1:{service}", "force": True})
            break
        except (OSError, RuntimeError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        finally:
            connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
