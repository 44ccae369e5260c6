"""The worker's process, as its supervisor sees it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from examples.order_fulfilment.trial.folder import Folder

__all__ = ["Worker", "WorkerFailed"]

STOP_S = 30.0
"""How long a worker may take to end in order."""

KILLED = 1 if sys.platform == "win32" else -9
"""The exit code of a process that was killed."""


class WorkerFailed(Exception):
    """A worker ended that nobody has killed, or did not end when it was told to."""


class Worker:
    """One life of the shop. Its output goes to the log of the trial."""

    def __init__(self, folder: Folder, processor_url: str, factor: float, orders: int) -> None:
        module = "examples.order_fulfilment.trial.worker"
        arguments = [folder.shop, processor_url, factor, orders]
        self._log = folder.log
        self.opening_at = self.open_at = 0.0
        """When that was, on the monotonic clock."""
        self.opening = threading.Event()
        """It has begun to open its store."""
        self.open = threading.Event()
        """The shop is open."""
        self.peak_memory_kb: int | None = None
        with open(folder.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                stdin=subprocess.PIPE,  # it ends when this is closed, so also when we die
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for us; we end it in order
            )
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as words:
            for word in words:
                if word == b"opening\n":
                    self.opening_at = time.monotonic()
                    self.opening.set()
                elif word == b"open\n":
                    self.open_at = time.monotonic()
                    self.open.set()

    def look(self) -> None:
        """Take note of its memory. Raises WorkerFailed when it has ended."""
        if self._process.poll() is not None:
            raise WorkerFailed(
                f"the worker has ended by itself, code {self._process.returncode}\n{self._last_words()}"
            )
        status = Path(f"/proc/{self._process.pid}/status")
        try:
            found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        except OSError:  # not on this system
            return
        if found:
            self.peak_memory_kb = int(found[1])

    def kill(self) -> None:
        """Kill it with signal 9. Raises WorkerFailed when it was not running any more."""
        self.look()
        self._process.kill()
        code = self._process.wait()
        if code != KILLED:
            raise WorkerFailed(f"the worker has ended by itself, code {code}\n{self._last_words()}")
        self._hang_up()

    def stop(self) -> None:
        """End it in order. Raises WorkerFailed when that goes wrong; it has ended in any case."""
        self._process.terminate()
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise WorkerFailed(f"the worker did not end within {STOP_S:.0f} s of being told to") from None
        finally:
            self._hang_up()
        if code != 0:
            raise WorkerFailed(f"the worker ended with code {code}\n{self._last_words()}")

    def end(self) -> None:
        """See to it that it is not there any more, in whatever way."""
        if self._process.poll() is None:
            try:
                self.stop()
            except WorkerFailed:
                pass
        self._hang_up()

    def _hang_up(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-15:])
