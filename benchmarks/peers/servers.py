"""A server beside a peer's program: started, waited for, ended with it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["server"]

PATIENCE_S = 60.0


@contextlib.contextmanager
def server(
    line: Sequence[str], ports: Sequence[int], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server as long as the block lasts, from when it listens at all `ports`; what it prints goes to `log`.

    Raises RuntimeError with its last words when it ends, or does not listen.
    """
    with log.open("wb") as out, subprocess.Popen(line, stdout=out, stderr=out, env=env) as process:
        try:
            _wait(process, ports, log)
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _wait(process: subprocess.Popen[bytes], ports: Sequence[int], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    for port in ports:
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise RuntimeError(f"the server does not listen at port {port}: {last}")
            time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
