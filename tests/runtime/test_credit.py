"""How many commands may be with a participant: as many as it is quick, within bounds."""

from __future__ import annotations

from saga import Start
from saga.coordination.dispatch import CREDIT, QUICK_CREDIT, Lane

from .conftest import OpenRuntime
from .inside import coordinator_of
from .support import DEADLINE, Desk, Gate, Job, Keep, Ring, Script, Telephone


class Nowhere:
    """A port that leads nowhere."""

    def post(self, message: object) -> None:
        raise AssertionError(message)

    def post_many(self, messages: list[object]) -> None:
        raise AssertionError(messages)


def lane(left: int, credit: int = CREDIT, most: int = QUICK_CREDIT) -> Lane:
    """Return the way to a participant that has so many commands left when others wait for it."""
    lane = Lane("phone", "gateway", Nowhere(), credit, most)
    lane.outside = {(no, "calling.1") for no in range(left)}
    return lane


def test_who_has_nothing_left_is_given_more_up_to_a_bound() -> None:
    quick = lane(left=0)
    credits = []
    for _ in range(4):
        quick.adapt()
        credits.append(quick.credit)
    assert credits == [128, 256, 256, 256]


def test_who_has_half_of_it_left_is_given_less_down_to_where_it_began() -> None:
    slow = lane(left=200)
    slow.credit = QUICK_CREDIT
    credits = []
    for _ in range(3):
        slow.adapt()
        credits.append(slow.credit)
    assert credits == [128, 64, 64]


def test_who_has_something_left_keeps_what_it_has() -> None:
    busy = lane(left=40)
    busy.credit = 128
    busy.adapt()
    assert busy.credit == 128


def test_calls_that_take_long_have_no_more_than_64_behind_them(open_runtime: OpenRuntime) -> None:
    script, gate = Script(), Gate()
    script.on("phone", "0", gate)
    runtime = open_runtime(lambda: Telephone(script), sagas=[Ring])
    handles = runtime.start_many(Start(Ring, Job(str(n)), id=str(n)) for n in range(300))
    gate.wait_for_somebody()
    phone = coordinator_of(runtime).dispatcher.lanes["telephone"]
    assert len(phone.outside) == phone.credit == CREDIT
    assert len(phone.waiting) == 300 - CREDIT
    gate.open()
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert CREDIT <= phone.credit <= QUICK_CREDIT


def test_a_context_is_given_no_more_however_quick_it_is(open_runtime: OpenRuntime) -> None:
    runtime = open_runtime(Desk, sagas=[Keep])
    handles = runtime.start_many(Start(Keep, Job(str(n)), id=str(n)) for n in range(300))
    assert all(handle.wait(DEADLINE).completed for handle in handles)
    assert coordinator_of(runtime).dispatcher.lanes["desk"].credit == CREDIT
