"""Deeds at hooks, many in one runtime, and everything that must hold afterwards.

1. Each saga ends as its hook declares, and what is parked names the element.
2. Effects are there once, or were taken back once; what a failed attempt wrote is not there.
3. Those beside it have noticed nothing: a saga in the same contexts, one in another, both at their first attempt.
4. No actor has died, no call has no answer, the runtime closes in order, and `saga verify` finds nothing.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from reliability.faults import business as b
from reliability.faults import deeds
from reliability.faults.deeds import Deed
from reliability.faults.hooks import Hook
from reliability.places import place
from saga import (
    CommandFailed,
    Delivery,
    Rejected,
    Runtime,
    SagaError,
    SagaParked,
    Start,
    Status,
    VirtualClock,
    WaitTimeout,
)
from saga.verification import verify_store

__all__ = [
    "DEADLINE_S",
    "SILENT",
    "Found",
    "Pair",
    "Trial",
    "alive",
    "judge",
    "listening",
    "name",
    "nothing_is_left",
    "opened",
    "sound",
    "told",
    "try_pairs",
]

DEADLINE_S = 20.0
"""Real seconds in which everything must have come to rest."""

SILENT = {
    "abandon_failed",
    "actor_died",
    "close_failed",
    "close_timed_out",
    "participant_down",
    "participant_restarted",
    "runtime_failed",
    "saga_given_up",
    "saga_not_parked",
    "start_failed",
    "supervisor_failed",
    "timekeeper_failed",
}
"""What must not be logged: nobody but the saga, the event or the call itself may be harmed."""

Pair: TypeAlias = tuple[Deed, Hook]

Found: TypeAlias = Iterator[str]
"""What is wrong, a line each."""


@dataclass
class Trial:
    """A runtime at work, and what came of the sagas in it."""

    store: Path
    runtime: Runtime
    clock: VirtualClock
    deadline_s: float = DEADLINE_S

    def rest(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return how sagas come to rest, time passing: an outcome, the error that says it is parked, or None."""
        until, found = time.monotonic() + self.deadline_s, dict[str, Any]()
        left = list(ids)
        while left and time.monotonic() < until:
            for id in list(left):
                try:
                    found[id] = self.runtime.handle(id).wait(0.002)
                except SagaParked as parked:
                    found[id] = parked
                except WaitTimeout:
                    continue
                except SagaError as error:  # the runtime has ended
                    found[id] = error
                left.remove(id)
            self.clock.advance(timedelta(seconds=2))
        return found | dict.fromkeys(left)

    def until(self, what: Callable[[], bool]) -> bool:
        """Let time pass until something is so; False when it does not become so."""
        until = time.monotonic() + self.deadline_s
        while not what():
            if time.monotonic() > until:
                return False
            time.sleep(0.002)
            self.clock.advance(timedelta(seconds=2))
        return True

    def effects(self, context: str = "office") -> Mapping[str, Counter[str]]:
        """Return id → what was done for it, and how often."""
        found: dict[str, Counter[str]] = {}
        uri = f"{(self.store / f'{context}.db').as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            for id, what in connection.execute("SELECT id, what FROM effects"):
                found.setdefault(id, Counter())[what] += 1
        return found


@contextmanager
def listening() -> Iterator[list[Any]]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as said:
        yield said


@contextmanager
def opened(store: Path, clock: VirtualClock, **options: Any) -> Iterator[Runtime]:
    """Open the business, and close it in whichever state it is."""
    runtime = Runtime(store, contexts=b.CONTEXTS, sagas=b.SAGAS, clock=clock, **options)
    runtime.open()
    b.world.runtime = runtime
    try:
        yield runtime
    finally:
        runtime.close(timeout=5.0)
        b.world.runtime = None
        for each in deeds._closed:
            if hasattr(each, "close"):
                try:
                    each.close()
                except sqlite3.Error:
                    continue
        deeds._closed.clear()


def try_pairs(pairs: Sequence[Pair], deadline_s: float = DEADLINE_S) -> list[str]:
    """Do these deeds at these hooks, all in one runtime; return what is wrong."""
    found: list[str] = []
    with place() as store, listening() as said:
        clock = VirtualClock()
        try:
            with opened(store, clock, hang_limit=timedelta(seconds=60)) as runtime:
                trial = Trial(store, runtime, clock, deadline_s)
                found += _play(trial, pairs)
                found += alive(trial)
                found += nothing_is_left(runtime)
                if not runtime.close(timeout=5.0):
                    found.append("the runtime did not close in order")
        except BaseException as error:  # a deed that has found its way out to us
            found.append(f"{type(error).__name__} got out of the runtime")
        found += [told(entry) for entry in said if entry["event"] in SILENT]
        found += sound(store)
    found += deeds.strays
    deeds.strays.clear()
    gc.collect()  # what a deed has left behind is not cleared away in somebody else's call
    return found


def told(entry: Mapping[str, Any]) -> str:
    facts = {name: value for name, value in entry.items() if name not in ("event", "log_level")}
    return f"{entry['event']}: {str(facts)[:160]!r}"


def sound(store: Path) -> Found:
    """Say what contradicts itself in a store."""
    for finding in verify_store(store):
        yield f"saga verify: {finding}"


def alive(trial: Trial) -> Found:
    """Say what does not go on: sagas in all contexts that nobody disturbs."""
    runtime = trial.runtime
    try:
        runtime.start_many(
            [
                Start(b.Quiet, b.Task("nobody", "none"), "after-quiet"),
                Start(b.AtContext, b.Task("nobody", "none", "after"), "after"),
                Start(b.AtGateway, b.Task("nobody", "none", "after-gateway"), "after-gateway"),
            ],
            timeout=trial.deadline_s,
        )
    except SagaError as error:
        yield f"the runtime does not take a start: {error!r:.200}"
        return
    for id, outcome in trial.rest(["after-quiet", "after", "after-gateway"]).items():
        if getattr(outcome, "status", None) is not Status.COMPLETED:
            yield f"{id}, which nobody disturbs, came to {outcome!r:.200}"


def nothing_is_left(runtime: Runtime) -> Found:
    left = [reply for reply in runtime._line._outstanding if not reply.done()]
    if left:
        yield f"{len(left)} calls were never answered"
    crew = runtime._crew
    if crew is not None and crew.down:
        yield f"down: {crew.down}"


# --- one deed -------------------------------------------------------------------------------------


def _play(trial: Trial, pairs: Sequence[Pair]) -> Found:
    runtime = trial.runtime
    runtime.start(b.Quiet, b.Task("nobody", "none"), id="first")  # is there whoever asks for it
    starts = [
        Start(hook.saga, b.Task(hook.name, deed.name, name(deed, hook)), name(deed, hook))
        for deed, hook in pairs
        if hook.saga is not None
    ]
    bystanders = [
        Start(b.AtContext, b.Task("nobody", "none", "bystander"), "bystander"),
        Start(b.Quiet, b.Task("nobody", "none"), "quiet"),
    ]
    runtime.start_many(bystanders[:1] + starts + bystanders[1:], timeout=trial.deadline_s)
    for deed, hook in pairs:
        if hook.kind == "listener":
            for who in (hook.name, "nobody"):
                runtime.publish(b.Heard(who, deed.name, f"{who}.{deed.name}"), id=f"{who}.{deed.name}")
        elif hook.kind == "send":
            yield from _send(runtime, deed, hook)
    at_rest = {(deed, hook): f"{name(deed, hook)}{_child(hook, deed)}" for deed, hook in pairs if hook.saga}
    outcomes = trial.rest([*at_rest.values(), "bystander", "quiet"])
    for deed, hook in pairs:
        if hook.kind == "listener":
            yield from _listen(trial, deed)
    effects = trial.effects()
    for (deed, hook), id in at_rest.items():
        yield from judge(hook, deed, outcomes[id], effects.get(name(deed, hook), Counter()))
    for id in ("bystander", "quiet"):
        if getattr(outcomes[id], "status", None) is not Status.COMPLETED:
            yield f"{id} was disturbed: {outcomes[id]!r:.200}"
        elif any(entry.what == "step-failed" for entry in runtime.history(id)):
            yield f"{id} was disturbed: an attempt of it has failed"
    for id, done in effects.items():
        for what, times in done.items():
            if times != 1:
                yield f"{what} of {id} happened {times} times"


def name(deed: Deed, hook: Hook) -> str:
    """Return what the saga is called in which a deed is done at a hook."""
    return f"{hook.name}.{deed.name}"


def _child(hook: Hook, deed: Deed) -> str:
    """Return what is added to the id of the saga that comes to rest: that of the one it calls, if that is parked."""
    return hook.child if deed.looks in ("raises", "returns", "refuses", "either") else ""


def judge(hook: Hook, deed: Deed, ended: Any, effects: Mapping[str, int]) -> Found:
    """Say what is wrong with how the saga at one hook has come to rest."""
    at, allowed = f"{name(deed, hook)}: ", _allowed(hook, deed)
    is_parked = isinstance(ended, SagaParked)
    status = "PARKED" if is_parked else getattr(getattr(ended, "status", None), "value", repr(ended)[:160])
    if status == "COMPENSATED" and not hook.turns_back:
        status = f"COMPENSATED {ended.refusal.code}"
    if not any(status.startswith(each) for each in allowed):
        why = f": {ended.reason[-160:]!r}" if is_parked else ""
        yield f"{at}came to {status}, not {' or '.join(allowed)}{why}"
        return
    if is_parked and hook.element not in f"{' '.join(ended.elements)} {ended.reason}":
        yield f"{at}the reason does not name {hook.element}: {ended.reason[-160:]!r}"
    if effects.get("prepare", 0) and effects.get("unprepare", 0) != status.startswith("COMPENSATED"):
        yield f"{at}{status}, and unprepare happened {effects['unprepare']} times"
    if hook.kind == "attempt" and hook.saga is b.AtContext:
        kept = status == "COMPLETED" or deed.name == "returns-Rejected"
        if effects.get("work", 0) != kept:
            yield f"{at}{status}, and work happened {effects['work']} times"
    kept = not is_parked or deed.name == "returns-Rejected"
    if hook.kind == "undo" and effects.get("unwork", 0) != kept:
        yield f"{at}{status}, and unwork happened {effects['unwork']} times"


def _allowed(hook: Hook, deed: Deed) -> tuple[str, ...]:
    """Return the statuses that a saga may come to rest in."""
    well = "COMPENSATED" if hook.turns_back else "COMPLETED"
    if deed.looks in ("goes on", "hangs") and deed.name != "hangs-and-raises":
        return (well,)
    if hook.kind == "attempt":
        refused = {"refuses": "COMPENSATED not-today", "either": "COMPENSATED"}
        ill = refused.get(deed.looks, "COMPENSATED failed")
    else:
        ill = "PARKED"
    return (well, ill) if deed.looks == "either" else (ill,)


def _send(runtime: Runtime, deed: Deed, hook: Hook) -> Found:
    """`Runtime.send` returns the answer, or raises one clear error; and says the same the second time."""
    kind: Any = b.SentWork if hook.name == "context-send" else b.SentDial
    command = kind(hook.name, deed.name, name(deed, hook))
    try:
        runtime.send(command, id=name(deed, hook), timeout=DEADLINE_S)
        came = "an answer"
    except Rejected:
        came = "Rejected"
    except CommandFailed as error:
        came = "CommandFailed"
        if hook.element not in str(error) and "nobody" not in str(error) and "file" not in str(error):
            yield f"{name(deed, hook)}: the error does not name {hook.element}: {str(error)[:200]!r}"
    except BaseException as error:
        came = type(error).__name__
    allowed = {
        "goes on": ("an answer",),
        "hangs": ("an answer", "CommandFailed"),
        "refuses": ("Rejected",),
        "either": ("an answer", "Rejected", "CommandFailed"),
    }.get(deed.looks, ("CommandFailed",))
    if came not in allowed:
        yield f"{name(deed, hook)}: send came to {came}, not {' or '.join(allowed)}"


def _listen(trial: Trial, deed: Deed) -> Found:
    """The event is heard once, or set aside with a reason that names the listener; the one behind it is heard."""
    runtime, at = trial.runtime, f"listener.{deed.name}"

    def delivery() -> Delivery | None:
        for each in runtime.deliveries(set_aside=True, limit=10_000):
            if each.event_id == f"runtime:{at}":
                return each
        return None

    def is_heard(id: str) -> bool:
        return trial.effects("press").get(id, Counter())["heard"] == 1

    if not trial.until(lambda: is_heard(f"nobody.{deed.name}")):
        yield f"{at}: the event behind it was not heard"
    if deed.looks in ("goes on", "hangs") and deed.name != "hangs-and-raises":
        if not trial.until(lambda: is_heard(at)):
            yield f"{at}: the event was not heard"
        return
    if not trial.until(lambda: delivery() is not None):
        yield f"{at}: the event was not set aside"
        return
    failed = delivery()
    assert failed is not None
    if "Press.hear" not in failed.reason and "file" not in failed.reason:
        yield f"{at}: the reason does not name it: {failed.reason[-200:]!r}"
    if is_heard(at):
        yield f"{at}: what it wrote is there, although it has failed"
