"""Hooks around the business: what makes participants, migrations, the clock, the log, and values given to calls.

Each is tried in a runtime of its own, with everything that is raised or returned wrongly. What must come of it:

    opening      opening raises what was raised there, or one error of ours; nothing is left locked, and with user code
                 that does what it should the same store opens
    making again the participant is down, which its own sagas are told; the others go on
    clock        time stands still, or goes on; nothing else happens
    log          a line is lost; nothing else happens
    value        the call raises one error, and nothing was stored
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import structlog
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reliability.faults import business as b
from reliability.faults.deeds import Deed, Place
from reliability.faults.trial import Found, Trial, alive, nothing_is_left, sound
from reliability.places import place
from saga import Gateway, Runtime, SagaParked, VirtualClock, seams

__all__ = ["SURROUNDINGS", "try_surroundings", "why_not"]

LOOKS = ("raises", "returns", "refuses", "either")


def why_not(hook: str, deed: Deed) -> str | None:
    """Return why a deed makes no sense at such a hook; None when it does."""
    if deed.group == "hangs":
        return "opening, or the call, takes as long as it takes, and nobody else waits for it"
    if deed.group == "forks":
        return "a fork at these places is one of the application's own threads, or the same as in a handler"
    if deed.looks not in LOOKS or deed.needs - {"value"}:
        return "it has neither database nor arguments nor a runtime at hand"
    if hook in ("log", "clock-move") and deed.looks != "raises":
        return "what it returns is not looked at"
    if hook == "value" and deed.looks == "raises":
        return "a value is given, nothing is called"
    return None


def try_surroundings(hook: str, deed: Deed) -> list[str]:
    """Do a deed at one of these hooks; return what is wrong."""
    with place() as store, structlog.testing.capture_logs():
        found = [*SURROUNDINGS[hook](store, deed)]
        return [*found, *_opens(store), *sound(store)]


def _opens(store: Path) -> Found:
    """With user code that does what it should the same store opens, and everything in it goes on."""
    clock = VirtualClock()
    try:
        with Runtime(store, contexts=b.CONTEXTS, sagas=b.SAGAS, clock=clock) as runtime:
            yield from alive(Trial(store, runtime, clock))
    except BaseException as error:
        yield f"afterwards the store does not open: {error!r:.200}"


def _do(deed: Deed, good: Callable[[], Any]) -> Any:
    return deed.act(Place("surroundings", good))


# --- opening --------------------------------------------------------------------------------------


def _refuses_to_open(store: Path, deed: Deed, **options: Any) -> Found:
    """Something is raised, and it is what was raised, or ours; or what was done makes no difference."""
    given: dict[str, Any] = {"contexts": b.CONTEXTS, "sagas": b.SAGAS, "clock": VirtualClock(), **options}
    try:
        runtime = Runtime(store, **given)
        runtime.open()
    except BaseException:
        return
    if not runtime.close(timeout=5.0):
        yield "the runtime did not close in order"
    if deed.looks == "raises":
        yield "it opened all the same"


def _instead(cls: type[Any], make: Callable[[], Any]) -> list[Any]:
    return [make if each is cls else each for each in b.CONTEXTS]


def _factory(cls: type[Any]) -> Callable[[Path, Deed], Found]:
    return lambda store, deed: _refuses_to_open(store, deed, contexts=_instead(cls, lambda: _do(deed, cls)))


def _init(cls: type[Any]) -> Callable[[Path, Deed], Found]:
    def run(store: Path, deed: Deed) -> Found:
        def init(self: Any) -> None:
            returned = _do(deed, lambda: None)
            if returned is not None:
                raise TypeError("__init__() should return None")

        made = type(cls.__name__, (cls,), {"__init__": init})
        return _refuses_to_open(store, deed, contexts=_instead(cls, made))

    return run


def _migration(store: Path, deed: Deed) -> Found:
    migrations = Migrations("office")

    def first(db: Database) -> None:
        db.execute("CREATE TABLE half_done (x)")
        _do(deed, lambda: None)

    migrations(name="first")(first)
    made = type("Office", (b.Office,), {"migrations": migrations})
    return _refuses_to_open(store, deed, contexts=_instead(b.Office, made))


# --- making again ---------------------------------------------------------------------------------


def _again(cls: type[Any], actor: str, seam: str) -> Callable[[Path, Deed], Found]:
    """A participant dies of a bug of ours, and cannot be made again."""

    def run(store: Path, deed: Deed) -> Found:
        made: list[Any] = []

        def make() -> Any:
            if made:
                return _do(deed, cls)
            made.append(cls())
            return made[0]

        clock = VirtualClock()
        with Runtime(store, contexts=_instead(cls, make), sagas=b.SAGAS, clock=clock) as runtime:
            with _dying(actor, seam):
                hook = "gateway" if issubclass(cls, Gateway) else "nobody"
                saga: Any = b.AtGateway if issubclass(cls, Gateway) else b.AtContext
                runtime.start(saga, b.Task(hook, "returns-its-class", "victim"), id="victim")
                trial = Trial(store, runtime, clock)
                ended = trial.rest(["victim"])["victim"]
            down = f"{actor} is down"
            lives = not isinstance(ended, SagaParked) and ended is not None
            if not lives and not (isinstance(ended, SagaParked) and down in ended.reason):
                yield f"the saga that needs it came to {ended!r:.200}"
            runtime.start(b.Quiet, b.Task("nobody", "none"), id="other")
            if getattr(trial.rest(["other"])["other"], "completed", False) is not True:
                yield "a saga that does not need it does not go on"
            if runtime._crew is None or runtime._crew.failure is not None:
                yield "the runtime has ended"

    return run


@contextmanager
def _dying(actor: str, seam: str) -> Iterator[None]:
    """The next passing of a seam in the thread of this actor is a bug of ours."""
    left = [1]

    def hook(passed: str) -> None:
        if passed == seam and threading.current_thread().name == f"saga-{actor}" and left:
            left.pop()
            raise ZeroDivisionError("a bug of ours")

    seams.hook = hook
    try:
        yield
    finally:
        seams.hook = None


# --- the clock, the log ---------------------------------------------------------------------------


class Odd(VirtualClock):
    """A clock that does a deed at one of its methods, once it is told to."""

    def __init__(self, deed: Deed, at: str) -> None:
        super().__init__()
        self.deed, self.at, self.told = deed, at, False

    def _play(self, at: str, good: Callable[[], Any]) -> Any:
        return _do(self.deed, good) if self.told and at == self.at else good()

    def now_ms(self) -> int:
        now: int = self._play("now", super().now_ms)
        return now

    def seconds_until(self, due_ms: int) -> float | None:
        left: float | None = self._play("until", lambda: VirtualClock.seconds_until(self, due_ms))
        return left

    def on_move(self, callback: Callable[[], None]) -> None:
        self._play("move", lambda: VirtualClock.on_move(self, callback))

    def resume(self, stored: str | None, high_ms: int) -> str | None:
        text: str | None = self._play("resume", lambda: VirtualClock.resume(self, stored, high_ms))
        return text


def _clock_at_opening(at: str) -> Callable[[Path, Deed], Found]:
    def run(store: Path, deed: Deed) -> Found:
        clock = Odd(deed, at)
        clock.told = True
        return _refuses_to_open(store, deed, clock=clock)

    return run


def _clock_at_work(at: str) -> Callable[[Path, Deed], Found]:
    def run(store: Path, deed: Deed) -> Found:
        clock = Odd(deed, at)
        with Runtime(store, contexts=b.CONTEXTS, sagas=b.SAGAS, clock=clock) as runtime:
            clock.told = True
            trial = Trial(store, runtime, clock)
            yield from alive(trial)
            runtime.start(b.AtSleep, b.Task("nobody", "none"), id="sleeps")
            clock.told = False
            if trial.rest(["sleeps"])["sleeps"] is None:
                yield "a timer does not fire when the clock works again"
            yield from nothing_is_left(runtime)

    return run


def _log(store: Path, deed: Deed) -> Found:
    def processor(*_: Any) -> NoReturn:
        _do(deed, lambda: None)
        raise structlog.DropEvent

    before = structlog.get_config()["processors"]
    structlog.configure(processors=[processor])
    try:
        yield from _again(b.Office, "office", "context.before-commit")(store, deed)
    finally:
        structlog.configure(processors=before)


# --- values given to calls ------------------------------------------------------------------------


def _values(store: Path, deed: Deed) -> Found:
    """What is given to a call is refused there, with one error, or taken; nothing else is stored."""
    task = b.Task("nobody", "none", "given")
    clock = VirtualClock()
    with Runtime(store, contexts=b.CONTEXTS, sagas=b.SAGAS, clock=clock) as runtime:
        calls: dict[str, Callable[[], object]] = {
            "start": lambda: runtime.start(b.Quiet, _do(deed, lambda: task)),
            "start of many": lambda: runtime.start_many([_do(deed, lambda: task)]),
            "id": lambda: runtime.start(b.Quiet, task, id=_do(deed, lambda: "given")),
            "tags": lambda: runtime.start(b.Quiet, task, tags={"a": _do(deed, lambda: "b")}),
            "publish": lambda: runtime.publish(_do(deed, lambda: b.Drawn("given"))),
            "send": lambda: runtime.send(_do(deed, lambda: b.File("given"))),
            "reason": lambda: runtime.cancel("first", _do(deed, lambda: "because")),
            "id of another": lambda: runtime.cancel(_do(deed, lambda: "first")),
            "answer": lambda: runtime.complete_task("asks", _do(deed, lambda: None)),
        }
        runtime.start(b.Quiet, task, id="first").wait(10.0)
        for name, call in calls.items():
            before = len(runtime.list(limit=1_000))
            try:
                call()
            except BaseException:
                if len(runtime.list(limit=1_000)) != before:
                    yield f"{name}: it raised, and something was stored"
            else:
                if deed.looks == "returns" and name in ("start", "start of many", "publish", "send"):
                    yield f"{name}: it was taken"
        yield from alive(Trial(store, runtime, clock))
        yield from nothing_is_left(runtime)


SURROUNDINGS: dict[str, Callable[[Path, Deed], Found]] = {
    "context-factory": _factory(b.Office),
    "gateway-factory": _factory(b.Single),
    "context-init": _init(b.Office),
    "gateway-init": _init(b.Pooled),
    "migration": _migration,
    "context-made-again": _again(b.Office, "office", "context.before-commit"),
    "gateway-made-again": _again(b.Single, "single", "gateway.after-answer"),
    "clock-now-at-opening": _clock_at_opening("now"),
    "clock-move": _clock_at_opening("move"),
    "clock-resume": _clock_at_opening("resume"),
    "clock-now": _clock_at_work("now"),
    "clock-until": _clock_at_work("until"),
    "log": _log,
    "value": _values,
}
