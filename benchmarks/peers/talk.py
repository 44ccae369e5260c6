"""How a peer is asked: a line of JSON on its standard input, a line of JSON back.

First it says what it is. Then `{"sagas": 300, "concurrency": 16}` runs so many orders, of which a tenth goes nowhere
and must come back undone, and is answered with the seconds that each took (one at a time), or all of them together. The
end of its input is the end of the program.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from itertools import count
from typing import Protocol

from benchmarks.peers.steps import NOWHERE

__all__ = ["Peer", "free_port", "serve"]


class Peer(Protocol):
    """An engine that runs orders."""

    def run(self, orders: Sequence[str], concurrency: int) -> int:
        """Run these orders, so many at a time, and return how many completed; the others were undone."""


def serve(peer: Peer, how: str, levels: Sequence[int]) -> None:
    """Answer until there is no more input.

    `how`: what the engine itself says of its durability in this process; `levels`: at how many orders at a time it is
    worth trying.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the engine prints is no answer
    numbers = count()

    def answer(value: object) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    answer({"how": how, "levels": levels})
    for line in sys.stdin:
        asked = json.loads(line)
        orders = [_order(next(numbers)) for _ in range(asked["sagas"])]
        concurrency = asked["concurrency"]
        times, completed = [], 0
        for some in [orders] if concurrency > 1 else [[each] for each in orders]:
            began = time.perf_counter()
            completed += peer.run(some, concurrency)
            times.append(time.perf_counter() - began)
        expected = sum(not each.endswith(NOWHERE) for each in orders)
        if completed != expected:
            raise RuntimeError(f"{completed} of {len(orders)} orders completed, and {expected} were to")
        answer({"seconds": times})


def _order(number: int) -> str:
    return f"order-{os.getpid()}-{number}{NOWHERE if number % 10 == 9 else ''}"


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
