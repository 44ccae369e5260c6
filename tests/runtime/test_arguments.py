"""What is passed in is checked by the caller's thread: nothing of it can harm those who run the sagas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from saga import Runtime, UsageError

from .conftest import OpenRuntime
from .support import DEADLINE, Await, Booked, Confirmed, Desk, File, Job, Journalist, Keep


class Safe(str):
    """A text of a framework; `__str__` gives another one of its kind."""

    def __str__(self) -> str:
        return self


def test_texts_may_be_of_a_class_derived_from_str(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep, Await])
    runtime.start(Keep, Job("a"), id=Safe("a"), tags={Safe("of"): Safe("me")}).wait(DEADLINE)
    assert [type(row.id) for row in runtime.list(tags={"of": "me"})] == [str]
    runtime.start(Await, Job("w"), id=Safe("w"))
    runtime.suspend(Safe("w"), Safe("for a while"))
    runtime.resume(Safe("w"), Safe("now"))
    runtime.publish(Booked("b"), id=Safe("event"))
    runtime.send(File("c"), id=Safe("send"))
    runtime.cancel(Safe("w"), Safe("because"))
    assert runtime.handle(Safe("w")).wait(DEADLINE).refusal is not None
    assert runtime.unschedule(Safe("s")) is False


BAD: dict[str, Callable[[Runtime, Any], object]] = {
    "id of a start": lambda runtime, bad: runtime.start(Keep, Job("b"), id=bad),
    "tag": lambda runtime, bad: runtime.start(Keep, Job("b"), tags={"a": bad}),
    "id of a cancel": lambda runtime, bad: runtime.cancel(bad),
    "reason": lambda runtime, bad: runtime.cancel("w", bad),
    "reason of a suspend": lambda runtime, bad: runtime.suspend("w", bad),
    "reason of a resume": lambda runtime, bad: runtime.resume("w", bad),
    "step of a retry": lambda runtime, bad: runtime.retry("w", step=bad),
    "step of a skip": lambda runtime, bad: runtime.skip("w", "because", step=bad),
    "step that is done": lambda runtime, bad: runtime.mark_done("w", None, "because", step=bad),
    "task": lambda runtime, bad: runtime.complete_task("w", task=bad),
    "assignee": lambda runtime, bad: runtime.assign_task("w", bad),
    "handle": lambda runtime, bad: runtime.handle(bad).wait(DEADLINE),
    "schedule": lambda runtime, bad: runtime.schedule("s", Keep, Job("b"), cron=bad),
    "name of a schedule": lambda runtime, bad: runtime.unschedule(bad),
    "event": lambda runtime, bad: runtime.publish(bad),
    "id of an event": lambda runtime, bad: runtime.publish(Booked("b"), id=bad),
    "id of a send": lambda runtime, bad: runtime.send(File("b"), id=bad),
}


@pytest.mark.parametrize(
    "bad", [7, b"bytes", object(), "a\ud800", "x" * 10_000], ids=["7", "bytes", "object", "surrogate", "long"]
)
@pytest.mark.parametrize("call", BAD)
def test_what_cannot_be_stored_is_refused_and_harms_nobody(
    open_runtime: OpenRuntime, call: str, bad: Any
) -> None:
    runtime = open_runtime(Desk, Journalist, sagas=[Keep, Await])
    waiting = runtime.start(Await, Job("w"), id="w")
    with pytest.raises(UsageError):
        BAD[call](runtime, bad)
    runtime.publish(Confirmed("w"))
    assert waiting.wait(DEADLINE).completed
    assert runtime.start(Keep, Job("a")).wait(DEADLINE).completed
