"""Who listens to which events, as saga.db remembers it: also those that are not here in this life of the process.

Rules
1. The truth about a position is in the file of its context. What stands here is a number up to which a listener has
   certainly come: written when it first comes, and whenever the log is pruned.
2. A listener that is here is asked (see `relay`). One that is away needs the first event of its type behind its
   position, and everything from there on is kept for it, until it is back or a person says that it is gone for good.
3. A context that is here, and does not listen to a type any more, needs nothing of that type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

__all__ = ["Changes", "KnownListeners"]

Changes = dict[tuple[str, str], "int | None"]
"""(context, event type) → its position, or None when it is forgotten: rows of saga.db."""


class KnownListeners:
    """All listeners that this store has had, by context and event type."""

    def __init__(
        self, stored: Mapping[tuple[str, str], int], first: Callable[[str, int], int | None]
    ) -> None:
        """`first(type, after_no)` returns the number of the first event of this type behind another, or None."""
        self._first = first
        self._positions = dict(stored)
        self._here: set[str] = set()
        self._needs: dict[tuple[str, str], int] = {}
        """Of those that are away: the first event that they need, once it was found. It stays the first."""

    def came(self, context: str, positions: Mapping[str, int]) -> Changes:
        """A context is here, and listens to these types; return what is to be written."""
        self._here.add(context)
        changes: Changes = {}
        for key in [key for key in self._positions if key[0] == context]:
            self._needs.pop(key, None)
            if key[1] not in positions:
                del self._positions[key]
                changes[key] = None
        for event_type, position in positions.items():
            if (context, event_type) not in self._positions:
                self._positions[context, event_type] = changes[context, event_type] = position
        return changes

    def moved(self, taken: Mapping[str, int], last_no: int) -> Changes:
        """The log is about to be pruned: note how far everybody has come; return what is to be written.

        `taken`: context → number up to which it has taken the events of its types; `last_no`: the last of the log.
        """
        changes: Changes = {}
        for key, position in self._positions.items():
            reached = taken.get(key[0], position) if key[0] in self._here else self._reached(key, last_no)
            if reached > position:
                changes[key] = reached
        self._positions.update((key, reached) for key, reached in changes.items() if reached is not None)
        return changes

    def _reached(self, key: tuple[str, str], last_no: int) -> int:
        """Return up to where the log has nothing that this listener, which is away, still needs."""
        if key not in self._needs:
            found = self._first(key[1], self._positions[key])
            if found is None:
                return last_no
            self._needs[key] = found
        return self._needs[key] - 1

    def lowest(self, last_no: int) -> int:
        """Return the number up to which nobody who is away needs the log; to be asked after `moved`."""
        away = (position for (context, _), position in self._positions.items() if context not in self._here)
        return min(away, default=last_no)

    def away(self, context: str, event_types: Iterable[str] | None = None) -> list[tuple[str, str]]:
        """Return the listeners of this context (to these types) that are known; none when it is here."""
        if context in self._here:
            return []
        wanted = None if event_types is None else set(event_types)
        return [key for key in self._positions if key[0] == context and (wanted is None or key[1] in wanted)]

    def forget(self, keys: Iterable[tuple[str, str]]) -> Changes:
        """These will never come back; return what is to be written."""
        changes: Changes = {}
        for key in keys:
            self._positions.pop(key, None)
            self._needs.pop(key, None)
            changes[key] = None
        return changes
