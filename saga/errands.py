"""What somebody outside asks of a runtime, `saga backup` and `saga prune` on a store that is run, and its answers.

Looked for once a second, and carried out one after the other in a thread of its own.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import structlog

from saga.coordination.guard import describe
from saga.errors import SagaError
from saga.store import Answered, Asked, StoreFiles, answer, take_request

__all__ = ["Errands"]

log: structlog.stdlib.BoundLogger = structlog.get_logger("saga.runtime")


class Errands:
    """Looks for requests. `carry_out` does what is asked, and returns a dataclass with the facts, or raises."""

    def __init__(self, files: StoreFiles, carry_out: Callable[[Asked], Any]) -> None:
        self._files, self._carry_out = files, carry_out
        self._busy = threading.Lock()

    def look(self) -> None:
        """See whether something is asked for; returns at once, and never raises."""
        if not self._busy.acquire(blocking=False):
            return  # one at a time
        asked = take_request(self._files)
        if asked is None:
            self._busy.release()
            return
        try:
            threading.Thread(target=self._run, args=(asked,), name="saga-errand", daemon=True).start()
        except RuntimeError as error:  # no thread can be started
            self._busy.release()
            answer(self._files, asked, Answered(error=str(error)))

    def _run(self, asked: Asked) -> None:
        try:
            answered = Answered(facts=dataclasses.asdict(self._carry_out(asked)))
        except SagaError as error:
            answered = Answered(error=str(error))
        except BaseException as error:
            log.error("errand_failed", reason=describe(error))
            answered = Answered(error=f"{type(error).__name__}: {error}")
        finally:
            self._busy.release()
        answer(self._files, asked, answered)
