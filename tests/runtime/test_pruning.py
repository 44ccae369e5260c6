"""What is over is forgotten: inboxes, the event log, and what the coordinator knows of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from saga import Runtime, SagaParked, Start
from saga.coordination.dispatch import Lane

from .conftest import OpenRuntime
from .inside import coordinator_of
from .support import DEADLINE, Desk, Gate, Job, Keep, Ring, Script, Telephone, rows


def lane(runtime: Runtime, participant: str) -> Lane:
    return coordinator_of(runtime).dispatcher.lanes[participant]


def test_an_inbox_does_not_grow_with_the_number_of_commands(open_runtime: OpenRuntime, store: Path) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    for some in range(10):
        handles = runtime.start_many(Start(Keep, Job(f"{some}-{n}")) for n in range(500))
        assert all(handle.wait(DEADLINE).completed for handle in handles)
    runtime.start(Keep, Job("last")).wait(DEADLINE)
    ((count,),) = rows(store, "desk", "SELECT count(*) FROM _saga_inbox")
    assert count < 1_500, f"{count} rows of 10,000 commands"
    assert lane(runtime, "desk").floor == lane(runtime, "desk").next_number
    assert len(lane(runtime, "desk").numbers) == len(lane(runtime, "desk").over) == 0


def test_an_old_command_that_is_still_open_keeps_what_came_after_it(
    open_runtime: OpenRuntime, store: Path
) -> None:
    script, gate = Script(), Gate()
    script.on("phone", "slow", gate)
    runtime = open_runtime(Desk, lambda: Telephone(script), sagas=[Keep, Ring])
    slow = runtime.start(Ring, Job("slow"))
    gate.wait_for_somebody()
    first = lane(runtime, "telephone").floor
    handles = runtime.start_many(Start(Ring, Job(str(n))) for n in range(100))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert lane(runtime, "telephone").floor == first
    gate.open()
    slow.wait(DEADLINE)
    assert lane(runtime, "telephone").floor == lane(runtime, "telephone").next_number


def test_sagas_that_are_taken_up_again_at_a_restart_leave_no_number_open(
    open_runtime: OpenRuntime, store: Path
) -> None:
    with Runtime(store, contexts=[Desk], sagas=[Ring]) as runtime:
        handles = runtime.start_many(Start(Ring, Job(str(n)), f"ring-{n}") for n in range(5))
        for handle in handles:
            with pytest.raises(SagaParked):
                handle.wait(DEADLINE)
    runtime = open_runtime(Desk, Telephone, sagas=[Ring])
    assert all(runtime.handle(handle.id).wait(DEADLINE).completed for handle in handles)
    assert lane(runtime, "telephone").floor == lane(runtime, "telephone").next_number
    assert not lane(runtime, "telephone").numbers
