"""What must be outside at this moment: a function of the state, and of nothing else.

The effects of a stimulus are the difference of `pending` before and after it; recovery is `pending(replay(journal))`.
So whatever is outside after a crash is what would be outside had there been none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from saga.machine.state import Direction, Incident, Phase, Sent, State

__all__ = ["DEADLINE", "WAKE", "Pending", "command_id", "pending", "timer_name"]

DEADLINE, WAKE = "deadline", "wake"


@dataclass(slots=True)
class Pending:
    """What is outside, by path of the visit."""

    commands: dict[str, tuple[Sent, int]] = field(default_factory=dict)
    """Commands whose answer is awaited, and the attempt (from 1)."""
    resolves: dict[str, Sent] = field(default_factory=dict)
    """Commands whose outcome is inquired."""
    timers: dict[str, int] = field(default_factory=dict)
    """Timer name → due time, UTC ms."""
    waits: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Event type and key."""
    incidents: dict[str, Incident] = field(default_factory=dict)
    """What a person must look at."""


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
    for path, visit in state.visits.items():
        phase = visit.phase
        if phase is Phase.OPEN:
            assert visit.sent is not None
            if moving or path not in state.answered:
                found.commands[path] = (visit.sent, visit.attempt)
        elif phase is Phase.RESOLVING:
            assert visit.sent is not None
            if moving or path not in state.answered:
                found.resolves[path] = visit.sent
        elif phase is Phase.WAITING:
            if moving:
                found.waits[path] = (visit.event, visit.key)
        elif phase is Phase.PARKED:
            assert visit.incident is not None
            found.incidents[path] = visit.incident
            continue
        if moving:
            if visit.wake is not None:
                found.timers[timer_name(path, WAKE)] = visit.wake
            if visit.due is not None and phase is not Phase.RESOLVING:
                found.timers[timer_name(path, DEADLINE)] = visit.due
    if moving and len(state.scopes) > 1:
        for path, scope in state.scopes.items():
            if scope.due is not None and scope.direction is Direction.FORWARD:
                found.timers[timer_name(path, DEADLINE)] = scope.due
    return found
