"""A context: one transaction for what a handler does, and user code cannot get out of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from saga import (
    Command,
    CommandFailed,
    Context,
    DefinitionError,
    Event,
    Rejected,
    Runtime,
    Saga,
    Start,
    UsageError,
    step,
)

from .conftest import OpenRuntime
from .support import DEADLINE, ONCE, Await, Gate, Job, Ping, code_of, rows


@dataclass(frozen=True, slots=True)
class Try(Command[str]):
    what: str


@dataclass(frozen=True, slots=True)
class Tried(Event):
    what: str


tables = Migrations("lab")


@tables()
def trials(db: Database) -> None:
    db.execute("CREATE TABLE trials (what TEXT NOT NULL UNIQUE)")
    db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")


class Lab(Context):
    """Writes down what it tries, and does it."""

    migrations = tables
    tries: dict[str, Callable[[Lab], Any]] = {}

    @Try.handler
    def do(self, command: Try) -> str:
        self.db.execute("INSERT INTO trials VALUES (?)", [command.what])
        self.publish(Tried(command.what))
        result = self.tries[command.what](self)
        return "done" if result is None else result  # type: ignore[no-any-return]


def trying(what: str) -> Callable[[Callable[[Lab], Any]], Callable[[Lab], Any]]:
    def note(act: Callable[[Lab], Any]) -> Callable[[Lab], Any]:
        Lab.tries[what] = act
        return act

    return note


Lab.tries["nothing"] = lambda lab: None
Lab.tries["return rejected"] = lambda lab: Rejected("kept", code="kept")


@trying("raise rejected")
def _reject(lab: Lab) -> None:
    raise Rejected("taken back", code="taken-back")


@trying("raise")
def _raise(lab: Lab) -> None:
    raise ValueError("no")


FORBIDDEN = {
    "commit": "COMMIT",
    "end": "END",
    "rollback": "ROLLBACK",
    "begin": "BEGIN",
    "release": "RELEASE _saga_command",
    "attach": "ATTACH ':memory:' AS other",
    "pragma": "PRAGMA synchronous=OFF",
    "inbox": "DELETE FROM _saga_inbox",
    "outbox": "INSERT INTO _saga_outbox (no, event_id, type, payload, at_ms, correlation) VALUES (9,'','','',1,'')",
    "vacuum": "VACUUM",
}
for _name, _statement in FORBIDDEN.items():
    Lab.tries[_name] = lambda lab, statement=_statement: lab.db.execute(statement) and None  # type: ignore[misc]


@trying("commit of the connection")
def _commit(lab: Lab) -> None:
    lab.db.conn.commit()


@trying("lost transaction")
def _lose(lab: Lab) -> None:
    lab.db.execute("INSERT OR ROLLBACK INTO trials SELECT what FROM trials")


@trying("swallowed loss")
def _swallow(lab: Lab) -> None:
    with suppress(Exception):
        _lose(lab)


@trying("unfinished statement")
def _unfinished(lab: Lab) -> None:
    lab.cursor = lab.db.execute("INSERT INTO numbers VALUES (5), (6), (7) RETURNING n")  # type: ignore[attr-defined]
    next(lab.cursor)  # type: ignore[attr-defined]


@pytest.fixture
def runtime(open_runtime: OpenRuntime) -> Runtime:
    return open_runtime(Lab, sagas=[Await])


def kept(store: Path) -> set[str]:
    return {what for (what,) in rows(store, "lab", "SELECT what FROM trials")}


def published(store: Path) -> set[str]:
    runtime_and_log = rows(store, "saga", "SELECT json_extract(payload, '$.what') FROM events")
    outbox = rows(store, "lab", "SELECT json_extract(payload, '$.what') FROM _saga_outbox")
    return {what for (what,) in runtime_and_log + outbox}


def test_what_is_done_is_kept(runtime: Runtime, store: Path) -> None:
    assert runtime.send(Try("nothing")) == "done"
    assert kept(store) == published(store) == {"nothing"}


def test_what_is_refused_by_raising_is_taken_back(runtime: Runtime, store: Path) -> None:
    with pytest.raises(Rejected, match="taken back") as refused:
        runtime.send(Try("raise rejected"))
    assert refused.value.code == "taken-back"
    assert kept(store) == published(store) == set()


def test_what_is_refused_by_returning_is_kept(runtime: Runtime, store: Path) -> None:
    with pytest.raises(Rejected, match="kept"):
        runtime.send(Try("return rejected"))
    assert kept(store) == published(store) == {"return rejected"}


def test_what_fails_is_taken_back(runtime: Runtime, store: Path) -> None:
    with pytest.raises(CommandFailed, match="ValueError: no"):
        runtime.send(Try("raise"))
    assert kept(store) == published(store) == set()
    assert runtime.send(Try("nothing")) == "done"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_user_code_cannot_end_the_transaction_or_touch_what_is_ours(
    runtime: Runtime, store: Path, what: str
) -> None:
    with pytest.raises(CommandFailed):
        runtime.send(Try(what))
    assert kept(store) == published(store) == set()
    assert runtime.send(Try("nothing")) == "done"


@pytest.mark.parametrize(
    "what", ["commit of the connection", "lost transaction", "swallowed loss", "unfinished statement"]
)
def test_a_transaction_that_was_lost_takes_nothing_else_with_it(
    runtime: Runtime, store: Path, what: str
) -> None:
    runtime.send(Try("nothing"), id="before")
    with pytest.raises(CommandFailed):
        runtime.send(Try(what))
    assert kept(store) == {"nothing"}
    assert rows(store, "lab", "SELECT * FROM numbers") == []
    assert runtime.send(Try("nothing"), id="before") == "done"  # from the inbox


def test_a_handler_that_is_async_is_refused_when_it_is_given() -> None:
    class Hurried(Context):
        @Ping.handler  # type: ignore[arg-type]
        async def ping(self, command: Ping) -> str:
            return "pong"

    with pytest.raises(DefinitionError, match="is async"):
        Runtime(":memory:", contexts=[Hurried])


def test_a_listener_that_would_never_run_is_refused_when_it_is_given() -> None:
    class Deaf(Context):
        @Tried.listener  # type: ignore[arg-type]
        async def hear(self, event: Tried) -> None:
            pass

    class Dreamy(Context):
        @Tried.listener  # type: ignore[arg-type]
        def hear(self, event: Tried) -> Any:
            yield event

    with pytest.raises(DefinitionError, match="is async") as caught:
        Runtime(":memory:", contexts=[Deaf, Dreamy])
    assert [str(problem).split(";")[0] for problem in caught.value.problems] == [
        "Deaf.hear: is async",
        "Dreamy.hear: is a generator",
    ]


def test_contexts_do_not_ask_each_other_nor_wait(runtime: Runtime, store: Path) -> None:
    said: list[str] = []

    def ask(lab: Lab) -> None:
        for call in (
            lambda: runtime.send(Try("nothing")),
            lambda: runtime.start(Await, Job("a"), id="a"),
            lambda: runtime.start_many([Start(Await, Job("a"), "a")]),
            lambda: runtime.publish(Tried("by hand")),
            lambda: runtime.handle("a").wait(),
            lambda: runtime.cancel("a"),
        ):
            with pytest.raises(UsageError, match="'lab'"):
                call()
            said.append("refused")

    Lab.tries["ask"] = ask
    assert runtime.send(Try("ask"), timeout=DEADLINE) == "done"
    assert len(said) == 6
    assert runtime.list() == []


def test_publishing_outside_of_a_handler_is_refused(store: Path) -> None:
    lab = Lab()
    with pytest.raises(RuntimeError, match="outside of a handler"):
        lab.publish(Tried("before"))
    with Runtime(store, contexts=[lambda: lab]) as runtime:
        runtime.send(Try("nothing"))
        with pytest.raises(RuntimeError, match="outside of a handler"):
            lab.publish(Tried("between"))


def test_an_event_that_cannot_be_stored_fails_the_attempt(runtime: Runtime, store: Path) -> None:
    Lab.tries["bad event"] = lambda lab: lab.publish(Tried("\ud800"))
    with pytest.raises(CommandFailed, match="lone surrogate"):
        runtime.send(Try("bad event"))
    assert kept(store) == set()


def test_what_is_no_event_cannot_be_published(runtime: Runtime, store: Path) -> None:
    Lab.tries["no event"] = lambda lab: lab.publish("news")  # type: ignore[arg-type]
    with pytest.raises(CommandFailed, match="publish takes an Event, not a str"):
        runtime.send(Try("no event"))
    assert kept(store) == published(store) == set()


class Gated(Saga[Job]):
    """Tries what its input says."""

    @step(retry=ONCE)
    def trying(self) -> Try:
        return Try(self.input.key)

    flow = trying


def test_a_transaction_that_was_lost_costs_its_own_command_of_a_batch(
    open_runtime: OpenRuntime, store: Path
) -> None:
    gate = Gate()
    Lab.tries["gate"] = lambda lab: gate()
    runtime = open_runtime(Lab, sagas=[Gated])
    runtime.start(Gated, Job("gate"))
    gate.wait_for_somebody()
    keys = ("nothing", "lost transaction", "return rejected")
    handles = runtime.start_many(Start(Gated, Job(key), key) for key in keys)
    gate.open()
    outcomes = [handle.wait(DEADLINE) for handle in handles]
    assert [code_of(outcome) for outcome in outcomes] == ["", "failed", "kept"]
    assert kept(store) == published(store) == {"gate", "nothing", "return rejected"}
