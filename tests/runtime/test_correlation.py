"""All messages that one call has led to share its correlation."""

from __future__ import annotations

from saga import Runtime, Saga, step

from .conftest import OpenRuntime
from .support import DEADLINE, Book, Booked, Desk, File, Gate, Script


class FileBooking(Saga[Booked], started_by_event=True):
    @step()
    def file(self) -> File:
        return File(self.input.key)

    flow = (file,)


def correlation(runtime: Runtime, saga_id: str) -> object:
    return runtime.history(saga_id)[0].data["correlation"]


def test_a_saga_that_an_event_has_started_belongs_to_what_led_to_the_event(
    open_runtime: OpenRuntime, script: Script
) -> None:
    gate = Gate()
    script.on("file", "a", gate)
    runtime = open_runtime(lambda: Desk(script), sagas=[FileBooking])
    runtime.send(Book("a"), id="call")
    gate.wait_for_somebody()
    assert correlation(runtime, "FileBooking:desk:1") == "send:call"
    gate.open()
    runtime.handle("FileBooking:desk:1").wait(DEADLINE)


def test_a_saga_that_a_published_event_has_started_belongs_to_the_event(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[FileBooking])
    runtime.publish(Booked("a"), id="news")
    runtime.handle("FileBooking:runtime:news").wait(DEADLINE)
    assert correlation(runtime, "FileBooking:runtime:news") == "runtime:news"
