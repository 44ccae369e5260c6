"""Work in forks of a process that has imported everything: each as good as a new process, in a few milliseconds.

The process that forks must have no threads and no open database: a program of its own, one for each processor.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

import sqlite_utils  # noqa: F401 - a context imports it when it is opened
import structlog

__all__ = ["WORKERS", "Done", "in_fork", "log_nothing", "reports_of", "tell"]

WORKERS = max(2, os.cpu_count() or 2)

HANGING = -signal.SIGALRM
"""How a fork has ended that took too long."""


class Done(NamedTuple):
    """How a fork has ended, and what it said."""

    code: int
    said: str

    @property
    def hung(self) -> bool:
        """Whether it took too long, and was killed."""
        return self.code == HANGING


def in_fork(act: Callable[[], None], limit_s: int) -> Done:
    """Call `act` in a fork, and wait for its end: 0, 1 for an exception, whose traceback is in what it said."""
    there, here = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(there)
        os.dup2(here, 1)
        os.dup2(here, 2)
        _act(act, limit_s)
    os.close(here)
    with open(there, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return Done(os.waitstatus_to_exitcode(status), said.decode(errors="replace"))


def _act(act: Callable[[], None], limit_s: int) -> None:
    code = 1
    try:
        signal.alarm(limit_s)
        faulthandler.dump_traceback_later(limit_s - 2, file=2)
        act()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


# --- the programs that fork ---


def log_nothing() -> None:
    """Let this program and its forks say only what they are asked for."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def tell(report: Any) -> None:
    """Print a report for whoever has started this program."""
    print(json.dumps(report), flush=True)


def reports_of(module: str, jobs: Sequence[Any]) -> Iterator[Any]:
    """Run the function `program` of a module for each job, all at once; yield what they `tell`, as it comes.

    A job is what JSON can say, and the program's one line of input. Raises RuntimeError when one has failed.
    """
    line = [sys.executable, "-c", f"from {module} import program; program()"]
    programs = [
        subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in jobs
    ]
    try:
        for program, job in zip(programs, jobs, strict=True):
            assert program.stdin is not None
            program.stdin.write(json.dumps(job) + "\n")
            program.stdin.close()
        yield from map(json.loads, _lines(programs))
        for program in programs:
            if program.wait():
                raise RuntimeError(f"{module} ended with {program.returncode}")
    finally:
        for program in programs:
            if program.poll() is None:
                program.kill()
            assert program.stdout is not None
            program.stdout.close()
            program.wait()


def _lines(programs: Sequence[subprocess.Popen[str]]) -> Iterator[str]:
    """Yield what programs print, line by line: of all of them, or who is not listened to would wait for us."""
    lines: SimpleQueue[str | None] = SimpleQueue()

    def listen(program: subprocess.Popen[str]) -> None:
        assert program.stdout is not None
        for line in program.stdout:
            lines.put(line)
        lines.put(None)

    for program in programs:
        threading.Thread(target=listen, args=(program,), daemon=True).start()
    for _ in programs:
        yield from iter(lines.get, None)
