"""The event log's way to the contexts that listen.

Rules
1. A context keeps its own positions in its own file; here is only how far messages were sent to it.
2. Each listener gets the events of its types in the order of the log, at most `WINDOW` ahead of what it has taken;
   one that is behind holds up nobody.
3. One that is at work gets nothing until it is done, or there is a page for it: what comes meanwhile is taken in one
   commit then, instead of one each.
4. The newest events are kept in memory, since mostly all listeners want just these; whoever is further behind is fed
   from the log, in pages.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from saga.coordination.envelopes import Notify, Port

__all__ = ["Listener", "Relay"]

WINDOW = 512
"""Events sent to a listener and not yet taken by it, at most."""

PAGE = WINDOW // 2
"""So many events are sent also to a listener that is at work, so that it need not stop between two pages."""

NEWEST = 16 * WINDOW
"""Events kept in memory, at least; at most twice as many."""

NEWEST_BYTES = 16 * 1024 * 1024
"""Of their payloads, at most."""

_number = attrgetter("no")


@dataclass(slots=True)
class Listener:
    """A context that listens to events."""

    name: str
    types: tuple[str, ...]
    port: Port
    taken: int
    """It has taken all events of its types up to this number."""
    searched: int
    """Events of its types up to this number were sent to it."""
    flying: deque[int] = field(default_factory=deque)
    """The numbers of those that it has not taken yet."""
    waiting: int = PAGE
    """How many events in the log are to be sent, as far as is known: at first there may be any number."""
    paused: bool = False
    """It gets nothing for now."""


class Relay:
    """All listeners."""

    def __init__(self, read: Callable[[int, tuple[str, ...], int], list[Notify]], last_no: int = 0) -> None:
        """`read(after_no, types, limit)` returns events of the log in order; `last_no` is the last one in it now."""
        self._read = read
        self._listeners: dict[str, Listener] = {}
        self._newest: list[Notify] = []
        self._bytes = 0
        self._before = last_no
        """All events with higher numbers are among the newest."""
        self._last = last_no

    def add(self, name: str, port: Port, positions: Mapping[str, int]) -> None:
        """Add (or, after a restart, replace) a listener that stands at these positions, by event type."""
        if positions:
            lowest = min(positions.values())
            self._listeners[name] = Listener(name, tuple(positions), port, lowest, lowest)

    def pause(self, name: str) -> None:
        """This listener does not work any more. What it has not taken is kept for its next life."""
        if name in self._listeners:
            self._listeners[name].paused = True

    def logged(self, events: Iterable[Notify]) -> None:
        """These events are in the log now; `feed` sends them."""
        types: Counter[str] = Counter()
        for event in events:
            self._newest.append(event)
            self._bytes += len(memoryview(event.event))
            self._last = event.no
            types[event.type] += 1
        for listener in self._listeners.values():
            listener.waiting += sum(types[each] for each in listener.types if each in types)
        if len(self._newest) > 2 * NEWEST or self._bytes > NEWEST_BYTES:
            self._shorten()

    def _shorten(self) -> None:
        """Keep half of the newest events, or none when they are large: they are in the log."""
        keep = NEWEST if self._bytes <= NEWEST_BYTES else 0
        gone = self._newest[: len(self._newest) - keep]
        self._before = gone[-1].no
        del self._newest[: len(gone)]
        self._bytes = sum(len(memoryview(event.event)) for event in self._newest)

    def taken(self, name: str, no: int) -> None:
        """A listener has taken everything up to this number; what it failed on it keeps itself.

        After it died alone it is sent again what it has taken, so the number may be lower than one before.
        """
        listener = self._listeners.get(name)
        if listener is None:
            return
        listener.taken = max(listener.taken, no)
        flying = listener.flying
        while flying and flying[0] <= no:
            flying.popleft()

    def feed(self) -> None:
        """Send what is new to those that are up to date, and the next page to those that have room for it."""
        for listener in self._listeners.values():
            while listener.waiting and not listener.paused:
                room = WINDOW - len(listener.flying)
                if listener.flying and min(room, listener.waiting) < PAGE:
                    break
                page = self._page(listener, room)
                if page:
                    listener.flying.extend([event.no for event in page])
                    listener.port.post_many(page)

    def feed_up_to(self, name: str, no: int) -> None:
        """Send one listener, and nobody else, the next page of what it has not taken, up to this number."""
        listener = self._listeners.get(name)
        if listener is None or listener.flying or listener.paused:
            return
        page = [event for event in self._read(listener.searched, listener.types, WINDOW) if event.no <= no]
        if page:  # what comes behind it is for `feed`
            listener.searched = page[-1].no
            listener.waiting = max(listener.waiting, PAGE)
            listener.flying.extend([event.no for event in page])
            listener.port.post_many(page)

    def _page(self, listener: Listener, room: int) -> list[Notify]:
        """Return what the listener gets next, at most so many, and note how far that is."""
        types = listener.types
        if listener.searched < self._before:
            page = self._read(listener.searched, types, room)
        else:
            newest, page = self._newest, []
            for at in range(bisect_right(newest, listener.searched, key=_number), len(newest)):
                if newest[at].type in types:
                    page.append(newest[at])
                    if len(page) == room:
                        break
        if len(page) == room:
            listener.searched = page[-1].no
            listener.waiting = max(listener.waiting - room, PAGE)  # there may be many more
        else:
            listener.searched, listener.waiting = self._last, 0
        return page

    def taken_to(self, last_no: int) -> dict[str, int]:
        """Return listener → number up to which it has taken all events of its types; `last_no` is the last one."""
        return {
            name: each.taken if each.waiting or each.flying else last_no
            for name, each in self._listeners.items()
        }
