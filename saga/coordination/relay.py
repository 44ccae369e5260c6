"""The event log's way to the contexts that listen.

Rules
1. A context keeps its own positions in its own file; here is only how far messages were sent to it.
2. Each listener gets the events of its types in the order of the log, at most `WINDOW` ahead of what it has taken;
   one that is behind is fed from the log, in pages, and holds up nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from saga.coordination.envelopes import Notify, Port

__all__ = ["Listener", "Relay"]

WINDOW = 256
"""Events sent to a listener and not yet taken by it."""


@dataclass(slots=True)
class Listener:
    """A context that listens to events."""

    name: str
    types: tuple[str, ...]
    port: Port
    taken: int
    """It has taken all events of its types up to this number."""
    sent: int = 0
    """Events up to this number were sent to it."""
    flying: int = 0
    """How many were sent since it last took all."""
    behind: bool = True
    """There may be events in the log that are to be sent."""
    paused: bool = False
    """It gets nothing for now."""


class Relay:
    """All listeners."""

    def __init__(self, read: Callable[[int, tuple[str, ...], int], list[Notify]]) -> None:
        """`read(after_no, types, limit)` returns events of the log in order."""
        self._read = read
        self._listeners: dict[str, Listener] = {}

    def add(self, name: str, port: Port, positions: Mapping[str, int]) -> None:
        """Add (or, after a restart, replace) a listener that stands at these positions, by event type."""
        if positions:
            lowest = min(positions.values())
            self._listeners[name] = Listener(name, tuple(positions), port, lowest, sent=lowest)

    def pause(self, name: str) -> None:
        """This listener does not work any more. What it has not taken is kept for its next life."""
        if name in self._listeners:
            self._listeners[name].paused = True

    def logged(self, events: Iterable[Notify]) -> None:
        """These events are in the log now: send them to whoever is up to date."""
        for event in events:
            for listener in self._listeners.values():
                if event.type not in listener.types or listener.behind:
                    continue
                if listener.flying >= WINDOW or listener.paused:
                    listener.behind = True
                    continue
                listener.sent = event.no
                listener.flying += 1
                listener.port.post(event)

    def taken(self, name: str, no: int) -> None:
        """A listener has taken everything up to this number; what it failed on it keeps itself."""
        listener = self._listeners.get(name)
        if listener is None or no < listener.taken or not no:
            return
        listener.taken = no
        if no >= listener.sent:
            listener.flying = 0

    def feed(self) -> None:
        """Send the next page to those that are behind and have taken what they got."""
        for listener in self._listeners.values():
            while listener.behind and listener.flying == 0 and not listener.paused:
                page = self._read(listener.sent, listener.types, WINDOW)
                listener.behind = len(page) == WINDOW
                if page:
                    listener.sent = page[-1].no
                    listener.flying = len(page)
                    listener.port.post_many(page)

    def taken_to(self, last_no: int) -> dict[str, int]:
        """Return listener → number up to which it has taken all events of its types; `last_no` is the last one."""
        return {
            name: each.taken if each.behind or each.flying else last_no
            for name, each in self._listeners.items()
        }
