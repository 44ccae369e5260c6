"""The control: guards that let through what is no `Exception`. With them the trials must find violations.

The source of each guard is compiled again with `except Exception` in the place of `except BaseException`.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from saga.coordination.evaluation import Author
from saga.coordination.gateway import GatewayDriver
from saga.coordination.handling import Handlers
from saga.coordination.listening import Listeners

__all__ = ["GUARDS", "weakened"]

GUARDS: tuple[tuple[Any, str], ...] = (
    (Handlers, "_run"),
    (Listeners, "_listen"),
    (GatewayDriver, "call"),
    (GatewayDriver, "call_async"),
    (Author, "_run"),
)
"""Where the author's code is called."""


@contextmanager
def weakened() -> Iterator[None]:
    """Take the strength of the guards away meanwhile."""
    before = [(cls, name, vars(cls)[name]) for cls, name in GUARDS]
    try:
        for cls, name, guard in before:
            setattr(cls, name, _weak(guard))
        yield
    finally:
        for cls, name, guard in before:
            setattr(cls, name, guard)


def _weak(guard: Any) -> Any:
    source = textwrap.dedent(inspect.getsource(guard))
    weak = source.replace("except BaseException", "except Exception")
    if weak == source:
        raise ValueError(f"{guard.__qualname__} has no `except BaseException` to be weakened")
    made: dict[str, Any] = {}
    exec(
        compile(f"from __future__ import annotations\n{weak}", "<weakened>", "exec"), guard.__globals__, made
    )
    return made[guard.__name__]
