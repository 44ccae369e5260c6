"""What an application uses: `Runtime`, which opens a store, starts the actors and hands out handles.

runtime     opening and closing; the one place where everything is wired
starting    start, start_many, handle, schedule
messaging   publish, send
operating   cancel, retry, skip, mark_done, suspend, resume; deliveries, listeners
deciding    tasks of persons
looking     history, find, list, events, deliveries, trace
upkeep      backup, prune
wired       what these share: the crew at work, the line to it, readers of the files
"""

from saga.runtime.runtime import Runtime
from saga.runtime.starting import Start

__all__ = ["Runtime", "Start"]
