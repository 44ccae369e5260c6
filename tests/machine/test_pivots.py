"""Pivots: before it the saga goes back, after it only forward."""

from __future__ import annotations

import pytest

from reliability.model.graphs import again, parallel, scope, step

from .scenario import Scenario, scenario


def behind_a_pivot(*flow: object) -> Scenario:
    saga = scenario(step("reserve", undo="release"), step("pay", pivot=True), *flow)  # type: ignore[arg-type]
    return saga.answer("reserve").answer("pay")


def test_a_refused_pivot_goes_back() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", pivot=True)).answer("reserve").refuse("pay")
    saga.sends("release").answer("release").ends("COMPENSATED", "no")


def test_a_pivot_out_of_attempts_goes_back_when_it_was_certainly_not_done() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", pivot=True)).answer("reserve").fail("pay")
    saga.asks("pay").resolve("pay", "not-done").sends("release")


def test_a_pivot_out_of_time_that_was_not_done_goes_back() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", pivot=True, timeout=100)).answer("reserve")
    saga.at(100).resolve("pay", "not-done").sends("release").answer("release").ends("COMPENSATED", "timeout")


def test_a_pivot_out_of_time_that_was_done_just_completes() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", pivot=True, timeout=100), step("ship"))
    saga.answer("reserve").at(100).resolve("pay", "done").sends("ship")


@pytest.mark.parametrize("out_of", ["attempts", "time"])
def test_a_pivot_whose_outcome_stays_unknown_is_parked(out_of: str) -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", to="gateway", pivot=True, timeout=100))
    saga.answer("reserve")
    if out_of == "attempts":
        saga.fail("pay", unknown=True).parked(pay="failed").sends().asks()
    else:
        saga.at(100).resolve("pay", "unknown").parked(pay="timeout").sends().asks()


@pytest.mark.parametrize("out_of", ["attempts", "time"])
def test_a_parked_pivot_of_unknown_outcome_is_retried_with_the_id_it_has(out_of: str) -> None:
    """With another id it would be carried out twice if it was done the first time."""
    saga = scenario(step("pay", to="gateway", pivot=True, timeout=100), step("ship"))
    if out_of == "attempts":
        saga.fail("pay", unknown=True)
    else:
        saga.at(100).resolve("pay", "unknown")
    saga.retry().sends("pay")
    assert saga.path("pay") == "pay.1"
    saga.answer("pay").sends("ship")


def test_a_pivot_whose_inquiry_finds_its_outcome_unknown_is_retried_with_the_id_it_has() -> None:
    saga = scenario(step("pay", to="gateway", pivot=True)).fail("pay").resolve("pay", "unknown")
    saga.parked(pay="failed").retry().sends("pay")
    assert saga.path("pay") == "pay.1"


def test_a_retried_pivot_may_still_be_refused() -> None:
    saga = scenario(step("pay", to="gateway", pivot=True, timeout=100)).at(100).resolve("pay", "unknown")
    saga.retry().refuse("pay", "no-money").ends("COMPENSATED", "no-money")


def test_a_late_answer_settles_a_parked_pivot() -> None:
    saga = scenario(step("pay", to="gateway", pivot=True), step("ship")).fail("pay", unknown=True)
    saga.answer("pay").parked().sends("ship")


def test_behind_a_pivot_a_refusal_that_nobody_catches_is_parked() -> None:
    behind_a_pivot(step("ship")).refuse("ship").parked(ship="refused").sends()


def test_behind_a_pivot_a_refusal_is_caught() -> None:
    saga = behind_a_pivot(scope((step("pack", undo="unpack"), step("ship")), catch={"no": step("store")}))
    saga.answer("pack").refuse("ship").sends("unpack").answer("unpack").sends("store").answer("store")
    saga.ends("COMPLETED")


def test_behind_a_pivot_a_step_out_of_attempts_is_parked_and_may_still_be_answered() -> None:
    behind_a_pivot(step("ship")).fail("ship").parked(ship="failed").asks().answer("ship").ends("COMPLETED")


def test_behind_a_pivot_a_step_out_of_attempts_is_caught() -> None:
    saga = behind_a_pivot(scope(step("ship"), catch={"failed": step("store")})).fail("ship").asks("ship")
    saga.resolve("ship", "not-done").sends("store")


def test_behind_a_pivot_a_step_out_of_time_that_was_done_just_completes() -> None:
    behind_a_pivot(step("ship", timeout=100)).at(100).resolve("ship", "done").ends("COMPLETED")


def test_behind_a_pivot_a_step_out_of_time_that_was_not_done_is_parked() -> None:
    saga = (
        behind_a_pivot(step("ship", timeout=100)).at(100).resolve("ship", "not-done").parked(ship="timeout")
    )
    saga.retry().sends("ship")
    assert saga.path("ship") == "ship.2"


def test_behind_a_pivot_a_refusal_is_retried_with_another_id_whatever_came_before_it() -> None:
    saga = behind_a_pivot(step("ship", to="gateway", attempts=2)).fail("ship", unknown=True).at(100)
    saga.refuse("ship").parked(ship="refused").retry()
    assert saga.path("ship") == "ship.2"


def test_a_command_that_the_inquiry_has_made_void_is_retried_with_another_id() -> None:
    """Such a flow is a definition error, its pivot stands in a parallel; the machine is safe all the same."""
    saga = scenario(parallel(step("a"), step("pay", pivot=True))).fail("a").answer("pay")
    saga.resolve("a", "not-done").parked(a="failed").retry().sends("a")
    assert saga.path("a") == "a.2"


def test_behind_a_pivot_a_caught_timeout_undoes_what_was_done_too_late() -> None:
    saga = behind_a_pivot(scope(step("ship", undo="fetch", timeout=100), catch={"timeout": step("store")}))
    saga.at(100).resolve("ship", "done").sends("fetch").answer("fetch").sends("store")


def test_behind_a_pivot_a_scope_out_of_time_takes_what_is_parked_in_it_along() -> None:
    flow = scope((step("pack", undo="unpack"), step("ship")), timeout=100, catch={"timeout": step("store")})
    saga = behind_a_pivot(flow).answer("pack").refuse("ship").parked(ship="refused").at(100).asks("ship")
    saga.resolve("ship", "refused").sends("unpack").answer("unpack").sends("store")


def test_a_saga_is_not_cancelled_behind_its_pivot() -> None:
    saga = behind_a_pivot(step("ship"))
    saga.impossible(saga.cancel, "only goes forward")


def test_a_saga_is_not_cancelled_while_its_pivot_is_under_way() -> None:
    saga = scenario(step("pay", pivot=True, attempts=2, timeout=1000))
    saga.impossible(saga.cancel, "under way")
    saga.fail("pay").impossible(saga.cancel, "under way")
    saga.at(1000).asks("pay").impossible(saga.cancel, "under way")


def test_a_saga_whose_pivot_is_parked_can_be_cancelled() -> None:
    saga = scenario(step("reserve", undo="release"), step("pay", pivot=True)).answer("reserve")
    saga.block("pay").cancel().asks("pay").resolve("pay", "not-done").sends("release")


def test_behind_a_pivot_a_refusal_thrown_again_is_parked_and_retrying_goes_round_once_more() -> None:
    saga = behind_a_pivot(scope(step("ship"), catch={"no": again(at_most=1)}))
    saga.refuse("ship").sends("ship").refuse("ship").parked(again_1="refused")
    saga.retry().sends("ship").refuse("ship").parked(again_1="refused")
    saga.retry().answer("ship").ends("COMPLETED")


def test_behind_a_pivot_a_refusal_thrown_again_can_be_skipped_and_goes_on_behind_the_scope() -> None:
    saga = behind_a_pivot(scope(step("ship"), catch={"no": again(at_most=1)}), step("thank"))
    saga.refuse("ship").refuse("ship").parked(again_1="refused").skip().sends("thank")


def test_a_pivot_before_a_parallel_holds_in_all_its_branches() -> None:
    saga = behind_a_pivot(parallel(step("ship"), step("bill"))).refuse("ship").parked(ship="refused")
    saga.sends("bill").answer("bill").retry().answer("ship").ends("COMPLETED")
