"""Why a saga is being undone stands in its row as soon as it is, and not only once its status changes again."""

from __future__ import annotations

from saga import Runtime, Saga, parallel, refuse, step
from saga.verification import verify_store

from .conftest import OpenRuntime
from .support import CallOff, Gate, Job, Phone, Receipt, Script, Telephone


class RefusedAtOnce(Saga[Job]):
    @step()
    def call(self) -> Phone:
        return Phone(self.input.key)

    @call.compensation
    def call_off(self, answer: Receipt | None) -> CallOff:
        return CallOff(self.input.key, answer is not None)

    flow = (parallel(call, refuse("no", code="no")),)


def refusal(runtime: Runtime) -> tuple[str, str | None]:
    [row] = runtime.list()
    return row.status, row.refusal_code


def test_of_a_saga_that_turns_back_when_it_is_started(open_runtime: OpenRuntime, script: Script) -> None:
    gate = Gate()
    script.on("phone", "a", gate)
    runtime = open_runtime(lambda: Telephone(script), sagas=[RefusedAtOnce])
    handle = runtime.start(RefusedAtOnce, Job("a"), id="a")
    status, code = refusal(runtime)
    assert (status in ("COMPENSATING", "COMPENSATED"), code) == (True, "no")  # it may be over by now
    assert list(verify_store(runtime._files.directory)) == []
    gate.open()
    handle.wait(20)
    assert refusal(runtime) == ("COMPENSATED", "no")
