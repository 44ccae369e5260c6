"""One story: everything in a store that one `start`, `send` or `publish` has led to, told in order.

    gathering   what is stored under one correlation id, in saga.db and in the files of the contexts
    telling     that as a tree: who commanded, who answered, who published, who listened

Rules
1. Nothing is recorded for it alone. Who sent what is in the journals; what came of it there and in the inboxes; who
   published is in the log; who has listened follows from the positions of the listeners.
2. What was let go of (events that nobody needs any more, answers below the floor) is not shown, and not guessed at.
3. It needs neither the authors' code nor a running process, and changes nothing.
"""

from saga.story.gathering import Sources, StoredSources, Story, gather
from saga.story.telling import Trace, TraceEntry, tell

__all__ = ["Sources", "StoredSources", "Story", "Trace", "TraceEntry", "gather", "tell"]
