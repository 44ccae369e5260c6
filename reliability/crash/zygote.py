"""Makes workers: a process that has imported everything and forks one for each job. It saves half a second.

Its argument is the module of the workers, which has a class `Job` and a function `main` that does one. A line on its
input is a job as JSON; a line on its output is how that worker ended, and what it said.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from importlib import import_module
from typing import Any

from reliability.crash.job import LONGEST_S
from reliability.forks import in_fork

if __name__ == "__main__":
    workers: Any = import_module(sys.argv[1])
    for line in sys.stdin:
        job = workers.Job(**json.loads(line))
        print(json.dumps(in_fork(partial(workers.main, job), LONGEST_S)._asdict()), flush=True)
