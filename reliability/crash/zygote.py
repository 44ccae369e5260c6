"""Makes workers: a process that has imported everything and forks one for each job. It saves half a second.

Its argument is the module of the workers, which has a class `Job` and a function `main` that does one.

A line on its input is a job as JSON; a line on its output is how that worker ended, and what it said. It has
no threads and no open database of its own, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any

import sqlite_utils  # noqa: F401 - a context imports it when it is opened

from reliability.crash.job import LONGEST_S


def run(worker: Any, job: object) -> None:
    """Do the job in this process, a fresh fork, and end it."""
    signal.alarm(LONGEST_S)
    faulthandler.dump_traceback_later(LONGEST_S - 2, file=sys.stderr)
    code = 1
    try:
        worker.main(job)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(code)


def fork(worker: Any, job: object) -> dict[str, object]:
    """Fork a worker, and wait for its end."""
    there, here = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(there)
        os.dup2(here, 1)
        os.dup2(here, 2)
        run(worker, job)
    os.close(here)
    with open(there, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status), "said": said.decode(errors="replace")}


if __name__ == "__main__":
    workers: Any = import_module(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(fork(workers, workers.Job(**json.loads(line)))), flush=True)
