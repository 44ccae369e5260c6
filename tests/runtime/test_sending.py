"""Commands that the application sends itself, without a saga."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga import CommandFailed, NotEncodable, Rejected, Runtime, Start, WaitTimeout

from .conftest import OpenRuntime
from .support import (
    DEADLINE,
    Book,
    Desk,
    File,
    Gate,
    Job,
    Keep,
    Landline,
    Phone,
    Receipt,
    Script,
    Telephone,
    Wire,
    entered,
    rows,
)


def test_a_command_is_answered(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk)
    assert runtime.send(Book("a")) == Receipt("a", 7)
    assert runtime.send(File("a")) is None
    assert entered(store, "a") == ["book", "file"]


def test_a_command_that_is_sent_again_with_its_id_is_answered_from_the_inbox(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk]) as runtime:
        assert runtime.send(Book("a"), id="first") == Receipt("a", 7)
        assert runtime.send(Book("a"), id="first") == Receipt("a", 7)
    runtime = open_runtime(Desk)
    assert runtime.send(Book("a"), id="first") == Receipt("a", 7)
    assert entered(store, "a") == ["book"]


def test_without_an_id_it_is_another_command(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk)
    runtime.send(Book("a"))
    runtime.send(Book("a"))
    assert entered(store, "a") == ["book", "book"]


def test_a_refusal_is_raised_and_remembered(open_runtime: OpenRuntime, script: Script) -> None:
    script.on("book", "a", Rejected("full", code="full"), None)
    runtime = open_runtime(lambda: Desk(script))
    for _ in range(2):
        with pytest.raises(Rejected, match="full"):
            runtime.send(Book("a"), id="first")
    assert script.calls["book", "a"] == 1


def test_a_failure_is_raised_and_may_be_tried_again(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    script.on("book", "a", ValueError("no pen"), None)
    runtime = open_runtime(lambda: Desk(script))
    with pytest.raises(CommandFailed, match="no pen"):
        runtime.send(Book("a"), id="first")
    assert entered(store, "a") == []
    assert runtime.send(Book("a"), id="first") == Receipt("a", 7)
    assert entered(store, "a") == ["book"]


def test_an_id_that_was_used_for_another_command_is_no_answer(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk)
    runtime.send(File("a"), id="first")
    with pytest.raises(CommandFailed, match="another command"):
        runtime.send(Book("a"), id="first")


@pytest.mark.parametrize("kind", [Landline, Telephone, Wire])
def test_a_gateway_can_be_sent_to(open_runtime: OpenRuntime, script: Script, kind: type) -> None:
    script.on("phone", "b", Rejected("engaged", code="engaged"))
    script.on("phone", "c", ConnectionError("the line is dead"))
    runtime = open_runtime(lambda: kind(script))
    assert runtime.send(Phone("a")) == Receipt("a", 1)
    with pytest.raises(Rejected, match="engaged"):
        runtime.send(Phone("b"))
    with pytest.raises(CommandFailed, match="the line is dead"):
        runtime.send(Phone("c"))


def test_a_command_that_takes_too_long_may_still_be_carried_out(
    open_runtime: OpenRuntime, store: Path, script: Script
) -> None:
    gate = Gate()
    script.on("book", "a", gate)
    runtime = open_runtime(lambda: Desk(script))
    with pytest.raises(WaitTimeout):
        runtime.send(Book("a"), id="first", timeout=0.01)
    gate.open()
    assert runtime.send(Book("a"), id="first", timeout=DEADLINE) == Receipt("a", 7)
    assert entered(store, "a") == ["book"]


def test_a_command_that_cannot_be_stored_is_refused(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk)
    with pytest.raises(NotEncodable):
        runtime.send(Book("\ud800"))


def test_it_is_kept_in_the_file_of_that_context_only(open_runtime: OpenRuntime, store: Path) -> None:
    """Which is where secrets belong: nothing of it is in the journal."""
    runtime = open_runtime(Desk)
    runtime.send(File("4111-1111-1111-1111"), id="first")
    runtime.close()
    for path in store.iterdir():
        assert (b"4111-1111" in path.read_bytes()) is (path.name == "desk.db"), path


def test_commands_of_sagas_and_of_the_application_share_the_participant(
    open_runtime: OpenRuntime, store: Path
) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    handles = runtime.start_many(Start(Keep, Job(str(n))) for n in range(100))
    for n in range(20):
        assert runtime.send(Book(f"sent {n}")).number == 7
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert rows(store, "desk", "SELECT count(*) FROM entries") == [(220,)]
