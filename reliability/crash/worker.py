"""The process that is killed: runs one scenario on a store, to its end or to the n-th passing of a seam.

What it was acknowledged it tells on its standard output, a line each, at once: `acked ID`.
"""

from __future__ import annotations

from reliability.crash import broken
from reliability.crash.businesses import business_of
from reliability.crash.job import Job, Killer, tell
from saga import seams

__all__ = ["Job", "main"]


def main(job: Job) -> None:
    """Do the job."""
    killer = Killer(job)
    seams.hook = killer
    if job.without:
        broken.PROTECTIONS[job.without]()
    business_of(job.scenario).run(job)
    for name, times in killer.passed.items():
        tell(f"passed {name} {times}")
