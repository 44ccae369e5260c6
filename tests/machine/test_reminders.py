"""Reminders: what happens beside a wait, a task or a scope, again and again (non-interrupting boundary timers)."""

from __future__ import annotations

from reliability.model.graphs import end, refuse, scope, step, task, wait
from saga.machine import records as r

from .scenario import Scenario, scenario

TELL = step("tell")


def reminded(at_most: int | None = None) -> Scenario:
    every = (10, TELL) if at_most is None else (10, TELL, at_most)
    return scenario(wait("w", every=every), step("a"))


def test_a_reminder_comes_when_its_interval_has_passed_and_the_wait_goes_on() -> None:
    reminded().timers(w_remind=10).at(9).sends().at(10).sends("tell").waits("w").timers(w_remind=20)


def test_reminders_come_again_and_again() -> None:
    reminded().at(10).answer("tell").at(20).answer("tell").at(30).sends("tell").timers(w_remind=40)


def test_a_reminder_that_is_still_under_way_does_not_hold_up_the_next_one() -> None:
    reminded().at(10).at(20).sends("tell", "tell")


def test_reminders_come_at_most_so_often() -> None:
    saga = reminded(at_most=2).at(10).answer("tell").at(20).answer("tell").timers().at(100).sends().waits("w")
    assert [x.remind for x in saga.records() if isinstance(x, r.Reminded)] == [20, None]


def test_what_was_missed_during_a_downtime_counts_as_one_and_the_beat_is_kept() -> None:
    saga = reminded()
    saga.now = 57
    saga.timer("w.1", "remind").sends("tell").timers(w_remind=60).at(60).sends("tell", "tell")


def test_a_reminder_that_fires_early_leaves_nothing() -> None:
    saga = reminded()
    saga.now = 9
    saga.timer("w.1", "remind").leaves()


def test_when_the_event_is_there_nobody_is_reminded_any_more() -> None:
    saga = reminded().event("w").timers().at(100).sends("a")
    saga.timer("w.1", "remind").leaves()


def test_a_reminder_goes_on_when_the_wait_is_over_and_the_saga_waits_for_it() -> None:
    reminded().at(10).event("w").sends("tell", "a").answer("a").status("RUNNING").answer("tell").ends(
        "COMPLETED"
    )


def test_a_task_reminds_too() -> None:
    saga = scenario(task("approve", every=(10, TELL)), step("a")).at(10).sends("tell").tasks("approve")
    saga.decide().timers().sends("tell", "a")


def test_a_wait_that_is_late_reminds_no_more() -> None:
    saga = scenario(wait("w", within=25, otherwise=step("late"), every=(10, TELL))).timers(w=25, w_remind=10)
    saga.at(25).sends("tell", "tell", "late").timers().at(100).sends("tell", "tell", "late")


def test_a_scope_reminds_as_long_as_it_is_open() -> None:
    saga = scenario(scope(step("a"), every=(10, TELL)), step("b")).timers(scope_1_remind=10).at(10)
    saga.sends("a", "tell").timers(scope_1_remind=20).answer("a").timers().sends("b", "tell")


def test_a_scope_that_turns_back_reminds_no_more() -> None:
    saga = scenario(scope((step("a", undo="A"), step("b")), every=(10, TELL), catch={"no": step("c")}))
    saga.answer("a").refuse("b").timers().at(100).sends("A").answer("A").sends("c")


def test_a_scope_that_comes_to_an_end_block_reminds_no_more() -> None:
    scenario(scope((step("a"), end()), every=(10, TELL)), step("b")).answer("a").timers().sends("b")


def test_what_a_reminder_has_done_is_undone_when_the_saga_turns_back() -> None:
    saga = scenario(wait("w", every=(10, step("tell", undo="untell"))), step("a")).at(10).answer("tell")
    saga.event("w").refuse("a").undoes("untell").ends("COMPENSATED", "no")


def test_what_a_reminder_of_a_scope_does_belongs_to_what_the_scope_stands_in() -> None:
    saga = scenario(
        scope(
            (step("a", undo="A"), step("b")), every=(10, step("tell", undo="untell")), catch={"no": step("c")}
        )
    )
    saga.answer("a").at(10).answer("tell").refuse("b").undoes("A").sends("c").refuse("c").undoes("untell")


def test_a_refusal_in_a_reminder_turns_the_saga_back() -> None:
    scenario(wait("w", every=(10, refuse("no")))).at(10).waits().ends("COMPENSATED", "no")


def test_an_end_in_a_reminder_ends_the_scope_that_the_wait_stands_in() -> None:
    scenario(scope(wait("w", every=(10, end()))), step("b")).at(10).waits().sends("b")


def test_a_suspended_saga_reminds_nobody_and_then_once() -> None:
    reminded().suspend().timers().at(35).resume().at(35).sends("tell").timers(w_remind=40)


def test_a_reminder_without_anything_in_it_is_only_journaled() -> None:
    scenario(wait("w", every=(10, ()))).at(10).leaves(r.Reminded).waits("w")
