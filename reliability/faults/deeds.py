"""What user code does wrong: one table, in which each deed says how it looks from outside.

    raises      the call ends in an exception, also when that is our own refusal of what it has tried
    returns     it returns what it must not
    refuses     it says no in the way that is meant for it: `Rejected`
    goes on     it does something odd, and then what it should
    either      it returns something that may be taken or refused, as long as nothing else comes of it
    hangs       it does not come back before somebody lets it

A deed is done by `Deed.act`, which is given the place it is done at; it returns what the user code returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

from saga import Context, Rejected, Runtime
from saga.messages import Event

__all__ = ["DEEDS", "Deed", "Hung", "Looks", "Place", "Tree", "hung"]

Looks = Literal["raises", "returns", "refuses", "goes on", "either", "hangs"]

CHILD_S = 10.0
"""Seconds that a fork may take to end."""

OTHER_DATABASE = "another.sqlite"


@dataclass
class Place:
    """Where a deed is done: what user code has at hand there."""

    hook: str
    good: Callable[[], Any]
    """Makes what should be returned."""
    arguments: tuple[Any, ...] = ()
    context: Context | None = None
    runtime: Runtime | None = None

    @property
    def db(self) -> Any:
        """The database of the context."""
        assert self.context is not None
        return self.context.db

    @property
    def inside(self) -> Runtime:
        """The runtime that this is a part of."""
        assert self.runtime is not None
        return self.runtime


@dataclass(frozen=True)
class Deed:
    """One thing done wrong. `needs`: `db` or `runtime`, where it makes sense only at a place that has one; `value`
    where there is a value of ours to be spoiled."""

    name: str
    looks: Looks
    act: Callable[[Place], Any]
    needs: frozenset[str] = frozenset()
    group: str = ""


DEEDS: dict[str, Deed] = {}


def deed(looks: Looks, *needs: str, group: str = "") -> Callable[[Callable[[Place], Any]], Any]:
    """Put a function into the table, under its name in words."""

    def put(act: Callable[[Place], Any]) -> Callable[[Place], Any]:
        name = act.__name__.strip("_").replace("_", "-")
        DEEDS[name] = Deed(name, looks, act, frozenset(needs), group)
        return act

    return put


# --- raises ---------------------------------------------------------------------------------------


class HostileText(ValueError):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit("do not look at me")

    __repr__ = __str__


class HostileBase(BaseException):
    """The same, and it is no Exception."""

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class HostileClass(Exception):
    """Whoever asks what it is gets another error."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise GeneratorExit("do not ask")


class FalseClass(Exception):
    """Says that it is a refusal."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return Rejected


class _Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise MemoryError


class HostileName(Exception, metaclass=_Nameless):
    """Its class has no name that can be read."""


class HostileRefusal(Rejected):
    """A refusal whose words cannot be had."""

    @property
    def reason(self) -> Any:
        raise SystemExit

    @reason.setter
    def reason(self, reason: str) -> None:
        """Forget it."""


def _raising(name: str, make: Callable[[], BaseException]) -> None:
    def act(_: Place) -> Any:
        raise make()

    DEEDS[name] = Deed(name, "raises", act)


def _circular() -> BaseException:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    one.__context__, other.__context__ = other, one
    return one


def _noted() -> BaseException:
    error = ValueError("noted")
    error.__notes__ = [HostileText(), 7]  # type: ignore[list-item]
    return error


def _spoilt(**words: object) -> BaseException:
    refusal = Rejected("no", code="no")
    for name, word in words.items():
        setattr(refusal, name, word)
    return refusal


def _coded(code: int) -> BaseException:
    error = sqlite3.OperationalError("of another database")
    error.sqlite_errorcode = code
    return error


_RAISED: dict[str, Callable[[], BaseException]] = {
    "Exception": lambda: Exception("a fault"),
    "HostileText": HostileText,
    "HostileBase": HostileBase,
    "HostileClass": HostileClass,
    "FalseClass": FalseClass,
    "HostileName": HostileName,
    "SystemExit": lambda: SystemExit(7),
    "KeyboardInterrupt": KeyboardInterrupt,
    "MemoryError": MemoryError,
    "GeneratorExit": GeneratorExit,
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "CancelledError": asyncio.CancelledError,
    "TimeoutError": TimeoutError,
    "ExceptionGroup": lambda: ExceptionGroup("several", [ValueError("one"), OSError(5, "other")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), SystemExit(1)]),
    "circular-cause": _circular,
    "hostile-notes": _noted,
    "OSError": lambda: OSError(28, "No space left on device", "somewhere-\udcff"),
    "surrogate-text": lambda: ValueError("\ud800 and \x00 and \udfff"),
    "long-text": lambda: ValueError("x" * 3_000_000),
    "OperationalError": lambda: sqlite3.OperationalError("disk I/O error"),
    "IntegrityError": lambda: sqlite3.IntegrityError("UNIQUE constraint failed"),
    "sqlite-CANTOPEN": lambda: _coded(sqlite3.SQLITE_CANTOPEN),
    "sqlite-CORRUPT": lambda: _coded(sqlite3.SQLITE_CORRUPT),
    "sqlite-IOERR": lambda: _coded(sqlite3.SQLITE_IOERR),
    "sqlite-BUSY": lambda: _coded(sqlite3.SQLITE_BUSY),
    "Rejected-reserved-code": lambda: Rejected("no", code="timeout"),
    "Rejected-without-code": lambda: Rejected("no", code=""),
    "Rejected-code-of-bytes": lambda: Rejected("no", code=b"no"),  # type: ignore[arg-type]
    "Rejected-spoilt-code": lambda: _spoilt(code=7),
    "Rejected-spoilt-reason": lambda: _spoilt(reason=None),
    "Rejected-hostile": lambda: HostileRefusal("no", code="no"),
}
for _name, _make in _RAISED.items():
    _raising(_name, _make)


@deed("raises")
def RecursionError_(place: Place) -> Any:  # noqa: N802 - the name of what is raised
    """Really so deep."""
    return RecursionError_(place) + 1


@deed("refuses")
def raises_Rejected(_: Place) -> Any:  # noqa: N802
    """The way to say no."""
    raise Rejected("not today", code="not-today")


@deed("refuses")
def returns_Rejected(_: Place) -> Any:  # noqa: N802
    """The way to say no and keep what was written."""
    return Rejected("not today", code="not-today")


@deed("either")
def Rejected_with_surrogates(_: Place) -> Any:  # noqa: N802
    """Words that cannot be stored as they are."""
    raise Rejected("\ud800", code="\udfff")


@deed("raises")
def other_database_cannot_be_opened(_: Place) -> Any:
    """A file of the author's own, which is not there."""
    sqlite3.connect("file:/nowhere/at/all?mode=ro", uri=True)


# --- returns --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stranger:
    """A dataclass that nobody has asked for."""

    what: str = "ever"


@dataclass(frozen=True, slots=True)
class Tree:
    """As deep as one likes."""

    inner: Tree | None = None


def _boom(*_: object) -> Any:
    raise SystemExit("do not compare me")


def _spoil(good: Any, **with_: Any) -> Any:
    """Return the right thing with something wrong in it; the wrong thing itself where nothing fits in."""
    if is_dataclass(good) and not isinstance(good, type):
        names = {field.name for field in fields(good)}
        if set(with_) <= names:
            return replace(good, **with_)
    (wrong,) = with_.values()
    return wrong


def _like(good: Any, **methods: Any) -> Any:
    """Return the same value, of a class derived from its own."""
    kind = type(good)
    if kind is bool or good is None:
        return type("Liar", (), {"__bool__": _boom, **methods})()
    made = type(kind.__name__, (kind,), methods)
    if is_dataclass(good):
        liar: Any = object.__new__(made)
        for field in fields(good):
            object.__setattr__(liar, field.name, getattr(good, field.name))
        return liar
    if kind.__name__ == "timedelta":
        return made(seconds=good.total_seconds())
    return made(good)


@deed("returns")
def returns_None(_: Place) -> Any:  # noqa: N802
    """As of a function that forgot to return."""
    return None


@deed("returns")
def returns_another_dataclass(_: Place) -> Any:
    """See its name."""
    return Stranger()


@deed("returns")
def returns_a_generator(place: Place) -> Any:
    """As of a `yield` that should not be there."""
    return (each for each in [place.good()])


@deed("returns")
def returns_a_coroutine(place: Place) -> Any:
    """As of an `await` that was forgotten."""

    async def later() -> Any:
        return place.good()

    coroutine = later()
    _closed.append(coroutine)
    return coroutine


_closed: list[Any] = []
"""Coroutines nobody awaits: kept, and closed at the end, so that Python does not complain."""


@deed("returns")
def returns_its_class(place: Place) -> Any:
    """The class instead of one of it."""
    return type(place.good())


@deed("returns")
def returns_an_exception(_: Place) -> Any:
    """Not raised."""
    return ValueError("returned")


@deed("returns", "value")
def returns_NaN(place: Place) -> Any:  # noqa: N802
    """Which is not equal to itself."""
    return _spoil(place.good(), amount=math.nan)


@deed("returns", "value")
def returns_infinity(place: Place) -> Any:
    """Which JSON does not have."""
    return _spoil(place.good(), amount=math.inf)


@deed("returns", "value")
def returns_a_surrogate(place: Place) -> Any:
    """Which UTF-8 does not have."""
    return _spoil(place.good(), note="a\ud800b")


@deed("returns", "value")
def returns_a_wrong_field(place: Place) -> Any:
    """A number where a text is promised."""
    return _spoil(place.good(), note=7)


@deed("returns", "value")
def returns_too_much(place: Place) -> Any:
    """More than a payload may have."""
    good = place.good()
    return _spoil(good, note="x" * 2_000_000) if is_dataclass(good) else ["x" * 2_000_000]


@deed("returns", "value")
def returns_too_deep(place: Place) -> Any:
    """Deeper than a payload may be, and than Python can go."""
    tree = Tree()
    for _ in range(20_000):
        tree = Tree(tree)
    _closed.append(tree)
    return _spoil(place.good(), tree=tree)


@deed("returns", "value")
def returns_a_circle(place: Place) -> Any:
    """It contains itself."""
    circle: list[Any] = []
    circle.append(circle)
    return _spoil(place.good(), numbers=circle)


@deed("either", "value")
def returns_a_liar_about_equality(place: Place) -> Any:
    """Comparing it ends in SystemExit."""
    return _like(place.good(), __eq__=_boom, __ne__=_boom)


@deed("either", "value")
def returns_a_liar_about_its_hash(place: Place) -> Any:
    """It has none."""
    return _like(place.good(), __hash__=_boom)


@deed("either", "value")
def returns_a_liar_about_its_class(place: Place) -> Any:
    """Whoever asks for its class gets SystemExit."""
    return _like(place.good(), __class__=property(_boom))


@deed("either", "value")
def returns_what_says_it_is_a_refusal(place: Place) -> Any:
    """It is none, and has not what one has."""
    return _like(place.good(), __class__=property(lambda self: Rejected))


@deed("either", "value")
def returns_what_cannot_be_shown(place: Place) -> Any:
    """Its text ends in SystemExit."""
    return _like(place.good(), __repr__=_boom, __str__=_boom, __format__=_boom)


# --- goes on --------------------------------------------------------------------------------------


@deed("goes on", "arguments")
def changes_its_arguments(place: Place) -> Any:
    """What it was given is its own, and nobody else sees that."""
    good = copy.deepcopy(place.good())
    for argument in place.arguments:
        with contextlib.suppress(Exception):
            argument.numbers.clear()
        for name in ("deed", "hook", "note"):
            with contextlib.suppress(Exception):
                object.__setattr__(argument, name, "changed")
    return good


@deed("goes on")
def starts_a_thread(place: Place) -> Any:
    """One that goes on when the call is over."""
    thread = threading.Thread(target=hung.event.wait, args=(1.0,), daemon=True)
    thread.start()
    return place.good()


@deed("goes on")
def leaves_a_thread_that_dies(place: Place) -> Any:
    """Its error is nobody's."""

    def die() -> None:
        raise SystemExit(3)  # any other is printed by Python

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    return place.good()


@deed("goes on")
def has_an_event_loop_of_its_own(place: Place) -> Any:
    """In a thread where there may be one already."""

    async def nothing() -> None:
        return None

    thread = threading.Thread(target=lambda: asyncio.run(nothing()))
    thread.start()
    thread.join()
    return place.good()


@deed("goes on", "loop")
def stops_the_event_loop(place: Place) -> Any:
    """It is ours, and others use it."""
    asyncio.get_running_loop().stop()
    return place.good()


@deed("goes on", "loop")
def cancels_itself(place: Place) -> Any:
    """The task that it runs in."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return place.good()


# --- the database of a context --------------------------------------------------------------------


def _on_the_database(name: str, looks: Looks, act: Callable[[Any], object]) -> None:
    def whole(place: Place) -> Any:
        act(place.db)
        return place.good()

    DEEDS[name] = Deed(name, looks, whole, frozenset({"db"}))


def _unfinished(db: Any) -> None:
    _closed.append(db.execute("INSERT INTO notes VALUES ('unfinished') RETURNING note"))


def _in_a_thread(db: Any) -> None:
    errors: list[BaseException] = []

    def use() -> None:
        try:
            db.execute("INSERT INTO notes VALUES ('in a thread')")
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert isinstance(errors[0], sqlite3.ProgrammingError)
    raise errors[0]


for _name, _looks, _do in (
    ("closes-the-database", "raises", lambda db: db.close()),
    ("closes-the-connection", "raises", lambda db: db.conn.close()),
    ("commits", "raises", lambda db: db.execute("COMMIT")),
    ("commits-the-connection", "raises", lambda db: db.conn.commit()),
    ("rolls-back", "raises", lambda db: db.execute("ROLLBACK")),
    ("rolls-back-the-connection", "raises", lambda db: db.conn.rollback()),
    ("releases-our-savepoint", "raises", lambda db: db.execute("RELEASE _saga_attempt")),
    ("attaches-a-file", "raises", lambda db: db.execute("ATTACH ':memory:' AS other")),
    ("vacuums", "raises", lambda db: db.execute("VACUUM")),
    ("sets-synchronous", "raises", lambda db: db.execute("PRAGMA synchronous=OFF")),
    ("sets-the-journal-mode", "raises", lambda db: db.execute("PRAGMA journal_mode=DELETE")),
    ("writes-our-inbox", "raises", lambda db: db.execute("DELETE FROM _saga_inbox")),
    ("drops-our-outbox", "raises", lambda db: db.execute("DROP TABLE _saga_outbox")),
    ("drops-our-file-row", "raises", lambda db: db["_saga_file"].drop()),
    ("runs-a-script", "raises", lambda db: db.conn.executescript("INSERT INTO notes VALUES ('s')")),
    ("sets-the-isolation-level", "raises", lambda db: setattr(db.conn, "isolation_level", None)),
    ("sets-the-text-factory", "raises", lambda db: setattr(db.conn, "text_factory", bytes)),
    ("takes-the-guard-away", "raises", lambda db: db.conn.set_authorizer(None)),
    ("interrupts", "goes on", lambda db: db.conn.interrupt()),
    ("sets-the-row-factory", "goes on", lambda db: setattr(db.conn, "row_factory", lambda *_: {})),
    (
        "loses-the-transaction",
        "raises",
        lambda db: db.execute("INSERT OR ROLLBACK INTO once VALUES (1), (1)"),
    ),
    ("breaks-a-deferred-constraint", "raises", lambda db: db.execute("INSERT INTO child VALUES (7)")),
    ("leaves-a-statement-unfinished", "raises", _unfinished),
    ("writes-in-a-thread", "raises", _in_a_thread),
    (
        "writes-NUL-and-long",
        "goes on",
        lambda db: db.execute("INSERT INTO notes VALUES (?)", ["\0" * 200_000]),
    ),
    ("misspells", "raises", lambda db: db.execute("SELEKT 1")),
):
    _on_the_database(_name, _looks, _do)  # type: ignore[arg-type]


# --- the runtime from inside ----------------------------------------------------------------------


def _from_inside(name: str, looks: Looks, act: Callable[[Runtime], object]) -> None:
    def whole(place: Place) -> Any:
        act(place.inside)
        return place.good()

    DEEDS[f"inside-{name}"] = Deed(f"inside-{name}", looks, whole, frozenset({"runtime"}))


@dataclass(frozen=True, slots=True)
class Rumour(Event):
    """An event that nobody waits for."""

    what: str


def _in_another_thread(act: Callable[[Runtime], object]) -> Callable[[Runtime], object]:
    """What is refused in an actor's thread, by way of another one, and not waited for any longer than a moment."""

    def whole(runtime: Runtime) -> None:
        def suppressed() -> None:
            with contextlib.suppress(Exception):
                act(runtime)

        thread = threading.Thread(target=suppressed)
        thread.start()
        thread.join()

    return whole


def _start(runtime: Runtime, timeout: float = 0.05) -> Any:
    from reliability.faults.business import Quiet, Task

    return runtime.start(Quiet, Task("nobody", "none"), timeout=timeout)


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(coroutine)
    finally:
        coroutine.close()


def _send(runtime: Runtime) -> Any:
    from reliability.faults.business import File

    return runtime.send(File("inside"), timeout=0.05)


for _name, _looks, _call in (
    ("start", "raises", _start),
    ("start-async", "raises", lambda runtime: _run(runtime.start_async(_quiet(), _task()))),
    ("wait", "raises", lambda runtime: runtime.handle("bystander").wait(0.05)),
    ("send", "raises", _send),
    ("publish", "raises", lambda runtime: runtime.publish(Rumour("inside"))),
    ("cancel", "raises", lambda runtime: runtime.cancel("bystander")),
    ("suspend", "raises", lambda runtime: runtime.suspend("bystander", "inside")),
    ("complete-task", "raises", lambda runtime: runtime.complete_task("bystander")),
    ("schedule", "raises", lambda runtime: runtime.schedule("s", _quiet(), _task(), cron="0 3 * * *")),
    ("unschedule", "raises", lambda runtime: runtime.unschedule("s")),
    ("retry-deliveries", "raises", lambda runtime: runtime.retry_deliveries("office")),
    ("forget-listener", "raises", lambda runtime: runtime.forget_listener("office")),
    ("open", "raises", lambda runtime: runtime.open()),
    ("close", "raises", lambda runtime: runtime.close(timeout=0.05)),
    ("leave-the-block", "raises", lambda runtime: runtime.__exit__(None, None, None)),
    ("run-forever", "raises", lambda runtime: runtime.run_forever()),
    ("list", "goes on", lambda runtime: runtime.list()),
    ("history", "goes on", lambda runtime: runtime.history("first")),
    ("find", "goes on", lambda runtime: runtime.find("first")),
    ("tasks", "goes on", lambda runtime: runtime.tasks()),
    ("deliveries", "goes on", lambda runtime: runtime.deliveries()),
    ("start-in-a-thread", "goes on", _in_another_thread(_start)),
    ("send-in-a-thread", "goes on", _in_another_thread(_send)),
):
    _from_inside(_name, _looks, _call)  # type: ignore[arg-type]


def _quiet() -> Any:
    from reliability.faults.business import Quiet

    return Quiet


def _task() -> Any:
    from reliability.faults.business import Task

    return Task("nobody", "none")


# --- forks ----------------------------------------------------------------------------------------


def _forked(name: str, child: Callable[[Place], Any], *needs: str) -> None:
    """A deed whose fork does `child`, and may come back into our code; the parent sees to it that it ends."""

    def whole(place: Place) -> Any:
        pid = os.fork()
        if pid == 0:
            signal.alarm(int(2 * CHILD_S))
            return child(place)
        until = time.monotonic() + CHILD_S
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                strays.append(f"the fork of {name} at {place.hook} did not end")
                break
            time.sleep(0.001)
        return place.good()

    DEEDS[name] = Deed(name, "goes on", whole, frozenset({"fork", *needs}), group="forks")


strays: list[str] = []
"""Forks that did not end by themselves."""


def _raise_in_fork(_: Place) -> Any:
    raise ValueError("in a fork")


def _exit_in_fork(_: Place) -> Any:
    raise SystemExit(3)


def _use_in_fork(place: Place) -> Any:
    with contextlib.suppress(Exception):
        _start(place.inside)
    with contextlib.suppress(Exception):
        place.inside.close()
    os._exit(0)


def _write_in_fork(place: Place) -> Any:
    with contextlib.suppress(Exception):
        place.db.execute("SELECT count(*) FROM notes").fetchall()
    return place.good()


_forked("forks-and-ends-it", lambda _: os._exit(0))
_forked("forks-and-returns", lambda place: place.good())
_forked("forks-and-raises", _raise_in_fork)
_forked("forks-and-exits", _exit_in_fork)
_forked("forks-and-uses-the-runtime", _use_in_fork, "runtime")
_forked("forks-and-reads-the-database", _write_in_fork, "db")


# --- hangs ----------------------------------------------------------------------------------------


class Hung:
    """Where user code hangs; whoever tries it lets it go."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.there = threading.Semaphore(0)

    def begin(self) -> None:
        """Somebody is to hang here who has not come yet."""
        self.event.clear()
        self.there = threading.Semaphore(0)

    def wait(self) -> None:
        """Hang, until let go or for long enough that the trial has failed."""
        self.there.release()
        self.event.wait(30.0)


hung = Hung()


@deed("hangs", group="hangs")
def hangs(place: Place) -> Any:
    """It comes back when it is let go, and then does what it should."""
    hung.wait()
    return place.good()


@deed("hangs", group="hangs")
def hangs_and_raises(place: Place) -> Any:
    """It comes back when it is let go, with an error."""
    hung.wait()
    raise ValueError("after all")


def of_looks(*looks: Looks) -> Iterator[Deed]:
    """Yield the deeds that look like this."""
    return (each for each in DEEDS.values() if each.looks in looks)
