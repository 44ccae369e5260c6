"""A fork is another process: whatever it asks of its parent's runtime is refused, at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saga import ForkedRuntime, Handle, Runtime, StoreInUse

from .conftest import OpenRuntime
from .support import DEADLINE, Await, Confirmed, Desk, Job, Keep

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),  # that is what this is about
]


def in_a_fork(act: Callable[[], object]) -> str:
    """Return the name of the error that `act` ends with in a fork, or what it returns as text."""
    there, here = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(int(DEADLINE))
        try:
            said = str(act())
        except BaseException as error:
            said = type(error).__name__
        os.write(here, said.encode())
        sys.stdout.flush()
        os._exit(0)
    os.close(here)
    with open(there, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return said


@pytest.fixture
def runtime(open_runtime: OpenRuntime) -> Runtime:
    return open_runtime(Desk, sagas=[Keep, Await])


@pytest.fixture
def waiting(runtime: Runtime) -> Handle:
    return runtime.start(Await, Job("a"), id="a")


@pytest.mark.parametrize(
    "ask",
    [
        lambda runtime, handle: runtime.start(Keep, Job("b")),
        lambda runtime, handle: runtime.publish(Confirmed("a")),
        lambda runtime, handle: runtime.cancel("a"),
        lambda runtime, handle: runtime.history("a"),
        lambda runtime, handle: runtime.list(),
        lambda runtime, handle: runtime.handle("a"),
        lambda runtime, handle: handle.wait(),
    ],
)
def test_a_fork_is_refused(
    runtime: Runtime, waiting: Handle, ask: Callable[[Runtime, Handle], object]
) -> None:
    assert in_a_fork(lambda: ask(runtime, waiting)) == ForkedRuntime.__name__
    runtime.publish(Confirmed("a"))
    assert waiting.wait(DEADLINE).completed


def test_what_is_known_is_known_in_a_fork_too(runtime: Runtime) -> None:
    handle = runtime.start(Keep, Job("b"))
    handle.wait(DEADLINE)
    assert in_a_fork(lambda: handle.wait().completed) == "True"


def test_a_fork_that_leaves_the_block_closes_nothing(runtime: Runtime, waiting: Handle) -> None:
    assert in_a_fork(runtime.close) == "True"
    runtime.publish(Confirmed("a"))
    assert waiting.wait(DEADLINE).completed


def test_a_fork_cannot_open_the_store_beside_its_parent(runtime: Runtime, store: Path) -> None:
    assert in_a_fork(Runtime(store, contexts=[Desk], sagas=[Keep]).open) == StoreInUse.__name__
