"""A runtime on a store in a directory of its own, closed at the end of the test."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from saga import Runtime, seams

from .support import Script

OpenRuntime = Callable[..., Runtime]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def open_runtime(store: Path) -> Iterator[OpenRuntime]:
    """Open a runtime on `store`; arguments are those of `Runtime`. Close it before the next one."""
    with ExitStack() as stack:

        def open(*contexts: Any, sagas: Any = (), at: Any = store, **options: Any) -> Runtime:
            runtime = Runtime(at, contexts=contexts, sagas=sagas, **options)
            return stack.enter_context(runtime)

        yield open


class Failpoint:
    """Raises at seams, in the thread of one actor: what a bug of ours would do."""

    def __init__(self) -> None:
        self._planned: dict[tuple[str, str], list[BaseException | None]] = {}
        self._lock = threading.Lock()
        self.hits: Counter[tuple[str, str]] = Counter()

    def on(self, actor: str, seam: str, *errors: BaseException | None) -> None:
        """At the next passings of `seam` in the thread of `actor` raise these, one at a time; None passes."""
        with self._lock:
            self._planned[actor, seam] = list(errors)

    def __call__(self, seam: str) -> None:
        actor = threading.current_thread().name.removeprefix("saga-")
        with self._lock:
            planned = self._planned.get((actor, seam))
            error = planned.pop(0) if planned else None
            if error is not None:
                self.hits[actor, seam] += 1
        if error is not None:
            raise type(error)(*error.args)  # a new one, without the traceback of the time before


@pytest.fixture
def failpoint(monkeypatch: pytest.MonkeyPatch) -> Failpoint:
    failpoint = Failpoint()
    monkeypatch.setattr(seams, "hook", failpoint)
    return failpoint
