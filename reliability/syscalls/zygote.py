"""Forks the program that is attacked, and lets `strace` attach to the fork: half of the time of starting it anew.

A line on its input is an order as JSON; a line on its output tells how the program ended, and what it said.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import sqlite_utils  # noqa: F401 - a context imports it when it is opened

from reliability.syscalls import program

LONGEST_S = 60
"""A run that takes longer hangs, and is killed with SIGALRM; it takes a second, but a machine may be busy."""

ATTACHING_S = 0.01
"""Between the moment at which a tracer is there and that at which it has begun."""


def run(order: list[str], store: str, scenario: str, without: str) -> dict[str, object]:
    """Fork the program and have it traced as this order for `strace` says; wait for its end."""
    outputs = [f"{store}.said", f"{store}.complained"]
    pid = os.fork()
    if pid == 0:
        _become_the_program(outputs, store, scenario, without)
    with subprocess.Popen([*order, "-p", str(pid)], stderr=subprocess.DEVNULL):
        _, status = os.waitpid(pid, 0)
    said, complained = (Path(each).read_text(errors="replace") for each in outputs)
    return {"code": os.waitstatus_to_exitcode(status), "said": said, "complained": complained}


def _become_the_program(outputs: list[str], store: str, scenario: str, without: str) -> None:
    code = 1
    try:
        signal.alarm(LONGEST_S)
        for number, path in enumerate(outputs, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        while b"TracerPid:\t0" in Path("/proc/self/status").read_bytes():
            time.sleep(0.001)
        time.sleep(ATTACHING_S)
        code = program.main(store, scenario, without)
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\nit is not caught\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), flush=True)
