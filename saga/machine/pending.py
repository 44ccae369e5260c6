"""What must be outside at this moment: a function of the state, and of nothing else.

The effects of a stimulus are the difference of `pending` before and after it; recovery is `pending(replay(journal))`.
So whatever is outside after a crash is what would be outside had there been none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from saga.machine.state import Direction, Incident, Phase, Sent, State

__all__ = ["DEADLINE", "WAKE", "Pending", "command_id", "pending", "timer_name"]

DEADLINE, WAKE = "deadline", "wake"

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""What most sagas have of most things; shared, since every turn makes a `Pending` and thousands are kept."""


class Pending:
    """What is outside, by path of the visit. Made anew for every state, and never changed."""

    __slots__ = ("commands", "incidents", "resolves", "timers", "waits")

    def __init__(self) -> None:
        self.commands: Mapping[str, tuple[Sent, int]] = NOTHING
        """Commands whose answer is awaited, and the attempt (from 1)."""
        self.resolves: Mapping[str, Sent] = NOTHING
        """Commands whose outcome is inquired."""
        self.timers: Mapping[str, int] = NOTHING
        """Timer name → due time, UTC ms."""
        self.waits: Mapping[str, tuple[str, str]] = NOTHING
        """Event type and key."""
        self.incidents: Mapping[str, Incident] = NOTHING
        """What a person must look at."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pending) and all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __repr__(self) -> str:
        parts = (f"{name}={dict(getattr(self, name))!r}" for name in self.__slots__ if getattr(self, name))
        return f"Pending({', '.join(parts)})"


def command_id(saga_id: str, path: str) -> str:
    """Return the id of the command of a visit, which is also its idempotency key: the same for all attempts."""
    return f"{saga_id}:{path}"


def timer_name(path: str, kind: str) -> str:
    """Return the name of a timer; `kind` is DEADLINE or WAKE."""
    return f"{path}|{kind}"


def pending(state: State) -> Pending:
    """Return what must be outside. An ended saga has nothing; a suspended one waits only for participants
    of which it has not heard since."""
    found = Pending()
    if state.ended is not None:
        return found
    moving = not state.suspended
    commands: dict[str, tuple[Sent, int]] = {}
    resolves: dict[str, Sent] = {}
    timers: dict[str, int] = {}
    waits: dict[str, tuple[str, str]] = {}
    incidents: dict[str, Incident] = {}
    for path, visit in state.visits.items():
        phase = visit.phase
        if phase is Phase.OPEN:
            assert visit.sent is not None
            if moving or path not in state.answered:
                commands[path] = (visit.sent, visit.attempt)
        elif phase is Phase.RESOLVING:
            assert visit.sent is not None
            if moving or path not in state.answered:
                resolves[path] = visit.sent
        elif phase is Phase.WAITING:
            if moving:
                waits[path] = (visit.event, visit.key)
        elif phase is Phase.PARKED:
            assert visit.incident is not None
            incidents[path] = visit.incident
            continue
        if moving:
            if visit.wake is not None:
                timers[timer_name(path, WAKE)] = visit.wake
            if visit.due is not None and phase is not Phase.RESOLVING:
                timers[timer_name(path, DEADLINE)] = visit.due
    if moving and len(state.scopes) > 1:
        for path, scope in state.scopes.items():
            if scope.due is not None and scope.direction is Direction.FORWARD:
                timers[timer_name(path, DEADLINE)] = scope.due
    if commands:
        found.commands = commands
    if resolves:
        found.resolves = resolves
    if timers:
        found.timers = timers
    if waits:
        found.waits = waits
    if incidents:
        found.incidents = incidents
    return found
