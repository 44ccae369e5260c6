"""What must be outside at this moment: a function of the state, and of nothing else.

The effects of a stimulus are the difference of `pending` before and after it; recovery is
`pending(replay(journal))`. So whatever is outside after a crash is what would be outside had there been none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw

from saga.machine.state import TOP, Direction, Incident, Phase, Sent, State

__all__ = ["DEADLINE", "NOTHING", "REMIND", "WAKE", "Pending", "command_id", "pending", "timer_name"]

DEADLINE, WAKE, REMIND = "deadline", "wake", "remind"

_OPEN, _PARKED, _RESOLVING, _WAITING = Phase.OPEN, Phase.PARKED, Phase.RESOLVING, Phase.WAITING
"""Looked up once: up to Python 3.11 an Enum's class has a `__getattr__`, and each look costs like ten of others."""

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""What most sagas have of most things; shared, since every turn makes a `Pending` and thousands are kept."""


class Task(msgspec.Struct, frozen=True, gc=False):
    """What a person is to decide: the element, the type of the decision, what is shown, who is to decide ("": anybody),
    since and until when (UTC ms)."""

    element: str
    type: str
    subject: Raw
    assignee: str
    since: int
    due: int | None


class Pending(msgspec.Struct, frozen=True, gc=False):
    """What is outside, by path of the visit. Made anew for every state, and never changed."""

    commands: Mapping[str, tuple[Sent, int]] = NOTHING
    """Commands to participants whose answer is awaited, and the attempt (from 1)."""
    resolves: Mapping[str, Sent] = NOTHING
    """Commands to participants whose outcome is inquired."""
    timers: Mapping[str, int] = NOTHING
    """Timer name → due time, UTC ms."""
    waits: Mapping[str, tuple[str, str]] = NOTHING
    """Event type and key."""
    incidents: Mapping[str, Incident] = NOTHING
    """What a person must look at."""
    inquiries: Mapping[str, int] = NOTHING
    """Of what is in `resolves`: which inquiry about it this is (from 1). As an attempt is another message than
    the one before, so is an inquiry, even if both follow each other between two commits."""
    calls: Mapping[str, tuple[Sent, bool]] = NOTHING
    """Sagas that were called and whose end is awaited, and whether they are given up."""
    tasks: Mapping[str, Task] = NOTHING
    """What persons are to decide."""
    plain: bool = True
    """Whether there is nothing in it but `commands`."""


NOTHING_AT_ALL = Pending()


def command_id(saga_id: str, path: str) -> str:
    """Return the id of the command of a visit, its idempotency key too: the same for all attempts."""
    return f"{saga_id}:{path}"


def timer_name(path: str, kind: str) -> str:
    """Return the name of a timer; `kind` is DEADLINE or WAKE."""
    return f"{path}|{kind}"


def pending(state: State) -> Pending:
    """Return what must be outside. An ended saga has nothing; a suspended one waits only for participants
    of which it has not heard since."""
    if state.ended is not None:
        return NOTHING_AT_ALL
    moving = not state.suspended
    if len(state.visits) == 1 and len(state.scopes) == 1 and moving:
        (visit,) = state.visits.values()
        if (
            visit.phase is _OPEN
            and visit.due is None
            and visit.wake is None
            and state.scopes[TOP].due is None
        ):
            sent = visit.sent  # this is what most sagas are, most of the time
            assert sent is not None
            if sent.number:
                return Pending({visit.path: (sent, visit.attempt)})
    commands: dict[str, tuple[Sent, int]] = {}
    resolves: dict[str, Sent] = {}
    timers: dict[str, int] = {}
    waits: dict[str, tuple[str, str]] = {}
    incidents: dict[str, Incident] = {}
    inquiries: dict[str, int] = {}
    calls: dict[str, tuple[Sent, bool]] = {}
    tasks: dict[str, Task] = {}
    for path, visit in state.visits.items():
        phase = visit.phase
        if phase is _OPEN:
            assert visit.sent is not None
            if moving or path not in state.answered:
                if visit.sent.number:
                    commands[path] = (visit.sent, visit.attempt)
                else:
                    calls[path] = (visit.sent, False)
        elif phase is _RESOLVING:
            assert visit.sent is not None
            if moving or path not in state.answered:
                if visit.sent.number:
                    resolves[path] = visit.sent
                    inquiries[path] = visit.inquiries
                else:
                    calls[path] = (visit.sent, True)
        elif phase is _WAITING:
            if moving:
                waits[path] = (visit.event, visit.key)
        elif phase is Phase.TASK:
            assert visit.subject is not None
            tasks[path] = Task(visit.element, visit.event, visit.subject, visit.key, visit.since, visit.due)
        elif phase is _PARKED:
            assert visit.incident is not None
            incidents[path] = visit.incident
            continue
        if moving:
            if visit.wake is not None:
                timers[timer_name(path, WAKE)] = visit.wake
            if visit.due is not None and phase is not _RESOLVING:
                timers[timer_name(path, DEADLINE)] = visit.due
            if visit.remind is not None and (phase is Phase.WAITING or phase is Phase.TASK):
                timers[timer_name(path, REMIND)] = visit.remind
    if moving:
        for path, scope in state.scopes.items():
            if scope.direction is Direction.FORWARD:
                if scope.due is not None:
                    timers[timer_name(path, DEADLINE)] = scope.due
                if scope.remind is not None:
                    timers[timer_name(path, REMIND)] = scope.remind
    return Pending(
        commands or NOTHING,
        resolves or NOTHING,
        timers or NOTHING,
        waits or NOTHING,
        incidents or NOTHING,
        inquiries or NOTHING,
        calls or NOTHING,
        tasks or NOTHING,
        not (resolves or timers or waits or incidents or calls or tasks),
    )
