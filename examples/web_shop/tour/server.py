"""The server's process, as the tour and the tests see it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType

__all__ = ["Server", "ServerFailed"]

STOP_S = 30.0
"""How long it may take to end in order."""


class ServerFailed(Exception):
    """The server did not start, or did not end."""


class Server:
    """A server that runs while this is used as a context manager, unless it is killed or stopped before."""

    def __init__(self, store: Path, bank_url: str, port: int = 0) -> None:
        line = ["-m", "examples.web_shop.serve", "--store", store, "--bank", bank_url, "--port", port]
        self._line = [sys.executable, *map(str, line)]
        self.url = ""
        """Where it listens."""

    def __enter__(self) -> Server:
        self.start()
        return self

    def start(self) -> None:
        """Start it; return when it listens. Raises ServerFailed when it ends instead."""
        self.process = subprocess.Popen(self._line, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline().split()
        if said[:1] != ["listening"]:
            raise ServerFailed(f"the server did not start; it ended with {self.process.wait()}")
        self.url = said[1]

    def kill(self) -> None:
        """Kill it with signal 9."""
        self.process.kill()
        self._forget()

    def stop(self) -> int:
        """Tell it to end (SIGTERM); return its exit code. Raises ServerFailed when it does not end."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise ServerFailed(f"the server did not end within {STOP_S:.0f} s of being told to") from None
        finally:
            self._forget()

    def _forget(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
