"""User code that hangs: it is reported with its stack, and holds up nobody but those who must wait for it.

Behind a participant that hangs only its own commands wait. A function of a saga is called on the coordinator's thread,
so all wait for it; that is why such functions do no I/O, and are reported after a second.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from reliability.faults import business as b
from reliability.faults.deeds import Deed, hung
from reliability.faults.hooks import Hook
from reliability.faults.trial import (
    DEADLINE_S,
    SILENT,
    Found,
    Trial,
    alive,
    judge,
    listening,
    name,
    nothing_is_left,
    opened,
    sound,
    told,
)
from reliability.places import place
from saga import Runtime, SagaError, Start, VirtualClock
from saga.actors import crew as crews

__all__ = ["try_hanging"]


def try_hanging(deed: Deed, hooks: Sequence[Hook]) -> list[str]:
    """Let user code hang at these hooks, one after the other in one runtime; return what is wrong."""
    found: list[str] = []
    limit, crews.AUTHOR_LIMIT_S = crews.AUTHOR_LIMIT_S, 0.0
    try:
        with place() as store, listening() as said:
            clock = VirtualClock()
            with opened(store, clock, hang_limit=timedelta(microseconds=1)) as runtime:
                trial = Trial(store, runtime, clock)
                for hook in hooks:
                    found += [f"{name(deed, hook)}: {each}" for each in _hang(trial, deed, hook, said)]
                found += alive(trial)
                found += nothing_is_left(runtime)
                if not runtime.close(timeout=5.0):
                    found.append("the runtime did not close in order")
            found += [told(entry) for entry in said if entry["event"] in SILENT]
            found += sound(store)
    finally:
        crews.AUTHOR_LIMIT_S = limit
    return found


def _hang(trial: Trial, deed: Deed, hook: Hook, said: list[Any]) -> Found:
    runtime, id, others = trial.runtime, name(deed, hook), f"beside.{name(deed, hook)}"
    hung.begin()
    before = len(said)
    begun = threading.Thread(target=_begin, args=(runtime, deed, hook), daemon=True)
    begun.start()
    if not hung.there.acquire(timeout=DEADLINE_S):
        yield "it was never called"
        return
    if not hook.waits:
        runtime.start(b.Quiet, b.Task("nobody", "none"), id=others)
        if getattr(trial.rest([others])[others], "completed", False) is not True:
            yield "a saga that needs somebody else does not go on"
    _look(runtime)
    if not any(entry["event"] == "call_hangs" and entry["stack"] for entry in said[before:]):
        yield "it was not reported with its stack"
    hung.event.set()
    begun.join(DEADLINE_S)
    if begun.is_alive():
        yield "the call that has begun it does not return"
    if hook.saga is not None:
        at_rest = id + (hook.child if deed.name == "hangs-and-raises" else "")
        ended = trial.rest([at_rest])[at_rest]
        yield from judge(hook, deed, ended, trial.effects().get(id, {}))


def _begin(runtime: Runtime, deed: Deed, hook: Hook) -> None:
    id = name(deed, hook)
    try:
        if hook.saga is not None:
            runtime.start_many([Start(hook.saga, b.Task(hook.name, deed.name, id), id)], timeout=DEADLINE_S)
        elif hook.kind == "listener":
            runtime.publish(b.Heard(hook.name, deed.name, id), id=id)
        else:
            kind: Any = b.SentWork if hook.name == "context-send" else b.SentDial
            runtime.send(kind(hook.name, deed.name, id), id=id, timeout=DEADLINE_S)
    except SagaError:
        return  # of a deed that raises; the end tells


def _look(runtime: Runtime) -> None:
    """Have the supervisor look for what hangs, which it does each second."""
    crew = runtime._crew
    assert crew is not None
    crew._look()
    crew._supervisor.proxy().actor_urn.get(timeout=DEADLINE_S)  # behind the look
