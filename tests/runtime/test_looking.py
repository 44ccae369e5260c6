"""Listing, filtering, histories and tags; and a store in memory, of which the owner reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from saga import NotEncodable, Rejected, Runtime, Start, Status, UnknownSaga, VirtualClock

from .conftest import OpenRuntime
from .support import DEADLINE, Await, Confirmed, Desk, Job, Journalist, Keep, Script, Telephone


@pytest.fixture(params=["directory", "memory"])
def runtime(
    request: pytest.FixtureRequest, open_runtime: OpenRuntime, store: Path, script: Script
) -> Runtime:
    """Three sagas that have ended, one of them undone, and two that wait."""
    script.on("file", "no", Rejected("full", code="full"))
    runtime = open_runtime(
        lambda: Desk(script),
        Journalist,
        Telephone,
        sagas=[Keep, Await],
        at=":memory:" if request.param == "memory" else store,
        clock=VirtualClock(datetime(2026, 3, 1, tzinfo=UTC)),
    )
    for start in (
        Start(Keep, Job("a"), "a", {"shop": "north", "kind": "book"}),
        Start(Keep, Job("no"), "no", {"shop": "south"}),
        Start(Keep, Job("b"), "b", {"shop": "north"}),
    ):
        runtime.start_many([start])[0].wait(DEADLINE)
    runtime.start_many([Start(Await, Job("x"), "x", {"shop": "north"}), Start(Await, Job("y"), "y")])
    return runtime


def ids(runtime: Runtime, **filters: object) -> list[str]:
    return [row.id for row in runtime.list(**filters)]  # type: ignore[arg-type]


def test_the_newest_comes_first(runtime: Runtime) -> None:
    assert ids(runtime) == ["y", "x", "b", "no", "a"]


def test_of_one_saga(runtime: Runtime) -> None:
    assert ids(runtime, saga=Await) == ids(runtime, saga="Await") == ["y", "x"]
    assert ids(runtime, saga="Nobody") == []


def test_of_one_status_or_several(runtime: Runtime) -> None:
    assert ids(runtime, status=Status.RUNNING) == ids(runtime, status="RUNNING") == ["y", "x"]
    assert ids(runtime, status=[Status.COMPLETED, "COMPENSATED"]) == ["b", "no", "a"]
    with pytest.raises(NotEncodable, match="RUNNING"):
        runtime.list(status="running")


def test_one_saga_is_found_by_its_id(runtime: Runtime) -> None:
    found = runtime.find("no")
    assert (found.status, found.refusal_code, found.tags) == ("COMPENSATED", "full", {"shop": "south"})
    assert found == runtime.list(tags={"shop": "south"})[0]
    with pytest.raises(UnknownSaga, match="no saga 'nobody'"):
        runtime.find("nobody")


def test_of_some_tags(runtime: Runtime) -> None:
    assert ids(runtime, tags={"shop": "north"}) == ["x", "b", "a"]
    assert ids(runtime, tags={"shop": "north", "kind": "book"}) == ["a"]
    assert ids(runtime, tags={"shop": "north"}, saga=Keep, status="COMPLETED") == ["b", "a"]


def test_page_by_page(runtime: Runtime) -> None:
    first = runtime.list(limit=2)
    second = runtime.list(limit=2, after=first[-1].no)
    third = runtime.list(limit=2, after=second[-1].no)
    assert [[row.id for row in page] for page in (first, second, third)] == [["y", "x"], ["b", "no"], ["a"]]


def test_a_row_says_what_a_person_wants_to_know(runtime: Runtime) -> None:
    row = next(row for row in runtime.list() if row.id == "no")
    assert (row.name, row.version, row.status) == ("Keep", 1, "COMPENSATED")
    assert (row.refusal_code, row.refusal_reason, row.tags) == ("full", "full", {"shop": "south"})


def test_the_history_tells_what_happened_in_order(runtime: Runtime) -> None:
    history = runtime.history("no")
    assert [entry.seq for entry in history] == sorted(entry.seq for entry in history)
    assert {entry.at for entry in history} == {datetime(2026, 3, 1, tzinfo=UTC)}
    assert [(entry.what, entry.path) for entry in history] == [
        ("started", ""),
        ("command-sent", "booking.1"),
        ("step-completed", "booking.1"),
        ("command-sent", "filing.1"),
        ("step-refused", "filing.1"),
        ("scope-failed", ""),
        ("undo-sent", "booking.1~1"),
        ("undo-completed", "booking.1~1"),
        ("ended", ""),
    ]
    with pytest.raises(UnknownSaga):
        runtime.history("nobody")


def test_everything_else_works_in_memory_too(open_runtime: OpenRuntime, script: Script) -> None:
    runtime = open_runtime(
        lambda: Desk(script), lambda: Journalist(script), sagas=[Keep, Await], at=":memory:"
    )
    handles = runtime.start_many(Start(Keep, Job(str(n)), str(n)) for n in range(100))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    runtime.start(Await, Job("a"), id="a")
    runtime.publish(Confirmed("a"))
    assert runtime.handle("a").wait(DEADLINE).completed
    assert script.wait_for("hear", "99", 1)


def test_nothing_of_a_store_in_memory_is_left(open_runtime: OpenRuntime, tmp_path: Path) -> None:
    with Runtime(":memory:", contexts=[Desk], sagas=[Keep]) as runtime:
        runtime.start(Keep, Job("a"), id="a").wait(DEADLINE)
    runtime = open_runtime(Desk, sagas=[Keep], at=":memory:")
    assert runtime.list() == []
    assert list(tmp_path.iterdir()) == []
