"""A runtime on a store in a directory of its own, closed at the end of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from saga import Runtime

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
