"""`saga show`: where a saga stands, its history, and ids that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saga.cli.main import NOT_FOUND, STORE_FAILED

from .conftest import Run, Tamper
from .shop import KINDS

AT_80 = """\
saga        o-stuck
status      PARKED
definition  FulfilOrder version 1
started     2026-01-01 00:00:00.000 UTC
refused     no lorry goes there [no-lorry]
tags        region=north

Waits for
  take_payment.1~1: a person (undo-refused): the account was closed [no-account]
    since 2026-01-01 00:00:00; mend the cause, then runtime.retry('o-stuck'); or
    undo it by hand, then runtime.mark_done('o-stuck', None, reason); or leave
    it as it is: runtime.skip('o-stuck', reason)

History
  2026-01-01
  00:00:00.000  started FulfilOrder version 1 region=north
                reserve_goods.1: ReserveGoods/1 to inventory
                reserve_goods.1 done
                take_payment.1: TakePayment/1 to payment, until
                  2026-01-16 00:00:00
                take_payment.1 done
                scope-1.1 entered, until 2026-01-31 00:00:00
                choice-1: otherwise
                scope-1.1 completed
                ship_goods.1: ShipGoods/1 to shipment
                ship_goods.1 refused: no lorry goes there [no-lorry]
                the saga turns back: no lorry goes there [no-lorry]
                take_payment.1~1: undoing take_payment.1: RefundPayment/1 to
                  payment
                take_payment.1~1 PARKED (undo-refused): the account was closed
                  [no-account]
"""

AT_60 = """\
saga        o-fetched
status      RUNNING
definition  FulfilOrder version 1
started     2026-01-01 00:00:00.000 UTC
tags        region=south

Waits for
  scope-1.1/goods_fetched.1: GoodsFetched/1 of o-fetched,
    until 2026-01-01 12:00:00
  scope-1.1: to be done by 2026-01-31 00:00:00

History
  2026-01-01
  00:00:00.000  started FulfilOrder version 1 region=south
                reserve_goods.1: ReserveGoods/1 to inventory
                reserve_goods.1 done
                take_payment.1: TakePayment/1 to payment,
                  until 2026-01-16 00:00:00
                take_payment.1 done
                scope-1.1 entered, until 2026-01-31 00:00:00
                choice-1: is_fetched
                scope-1.1/goods_fetched.1: waiting for
                  GoodsFetched/1 of o-fetched, until
                  2026-01-01 12:00:00
"""


def test_a_parked_saga_says_why_and_what_can_be_done(run: Run) -> None:
    result = run("show", "o-stuck", width=80)
    assert result.stdout == AT_80
    assert result.exit_code == 0


def test_a_waiting_saga_fits_a_narrow_terminal(run: Run) -> None:
    assert run("show", "o-fetched", width=60).stdout == AT_60


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_wider_than_the_terminal(run: Run, kind: str, width: int) -> None:
    lines = run("show", f"o-{kind}", "--full", width=width).stdout.splitlines()
    assert max(map(len, lines)) <= width


def test_an_ended_saga_says_when_and_with_which_answer(run: Run) -> None:
    out = run("show", "o-plain").stdout
    assert "ended       2026-01-01 00:00:00.000 UTC, after 0 ms" in out
    assert 'answer      "shipped o-plain"' in out
    assert "Waits for" not in out


def test_full_shows_payloads_and_each_traceback_once(run: Run) -> None:
    short, full = run("show", "o-broken").stdout, run("show", "o-broken", "--full").stdout
    assert "raise RuntimeError" not in short
    assert full.count('raise RuntimeError("the lorry is broken")') == 1
    assert 'command {"order_id":"o-broken","kind":"broken"}' in full
    assert 'input       Order/1 {"order_id":"o-broken","kind":"broken","amount":"20"}' in full


def test_a_reason_of_many_lines_is_one_line_of_the_history(run: Run) -> None:
    assert "inquiring what became of it (RuntimeError: the lorry is broken)" in run("show", "o-broken").stdout


def test_stored_control_characters_do_not_reach_the_terminal(run: Run) -> None:
    for arguments in (["o-mistaken"], ["o-mistaken", "--full"], ["o-mistaken", "--json"]):
        out = run("show", *arguments, FORCE_COLOR="").stdout
        assert all(line.isprintable() for line in out.splitlines())


def test_colour_is_there_when_it_is_wanted_and_changes_no_word(run: Run) -> None:
    coloured = run("show", "o-stuck", width=80, FORCE_COLOR="1").stdout
    assert "\x1b[31m\x1b[1mPARKED\x1b[0m" in coloured
    import click

    assert [line.rstrip() for line in click.unstyle(coloured).splitlines()] == AT_80.splitlines()
    assert "\x1b" not in run("show", "o-stuck", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_json_has_the_documented_fields(run: Run) -> None:
    saga = json.loads(run("show", "o-plain", "--json").stdout)
    history = saga.pop("history")
    assert len(saga.pop("graph")) == 32
    assert saga == {
        "no": 1,
        "id": "o-plain",
        "saga": "FulfilOrder",
        "version": 1,
        "status": "COMPLETED",
        "started_at": "2026-01-01T00:00:00.000Z",
        "ended_at": "2026-01-01T00:00:00.000Z",
        "lasted_ms": 0,
        "refusal": None,
        "tags": {"region": "south"},
        "correlation": "o-plain",
        "causation": None,
        "caller": None,
        "calls": [],
        "input_type": "Order/1",
        "input": {"order_id": "o-plain", "kind": "plain", "amount": "20"},
        "answer": "shipped o-plain",
        "waiting_for": [],
        "problem": None,
    }
    assert history[1] == {
        "seq": 1,
        "at": "2026-01-01T00:00:00.000Z",
        "what": "command-sent",
        "path": "reserve_goods.1",
        "text": "reserve_goods.1: ReserveGoods/1 to inventory",
        "cause": None,
        "data": {
            "is": "command-sent",
            "path": "reserve_goods.1",
            "element": "reserve_goods",
            "scope": "",
            "type": "ReserveGoods/1",
            "command": {"order_id": "o-plain"},
            "to": "inventory",
            "number": 1,
        },
    }


def test_what_a_suspended_saga_waits_for_is_a_person(run: Run) -> None:
    [waiting] = json.loads(run("show", "o-paused", "--json").stdout)["waiting_for"]
    assert (waiting["incident"], waiting["reason"]) == ("suspended", "the customer wants to think about it")
    assert "runtime.resume('o-paused')" in run("show", "o-paused").stdout


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ("o-plai", "'o-plain'"),
        ("O-Plain", "'o-plain'"),
        ("o-s", "'o-slow', 'o-stuck'"),
        ("oplain", "'o-plain'"),
    ],
)
def test_an_id_that_is_not_there_gets_those_offered_that_look_like_it(
    run: Run, asked: str, offered: str
) -> None:
    result = run("show", asked)
    assert result.exit_code == NOT_FOUND
    assert result.stdout == ""
    assert result.stderr.startswith(f"saga: no saga '{asked}' in this store; did you mean {offered}")
    assert result.stderr.count("\n") == 1


def test_an_id_that_nothing_looks_like_points_to_the_list(run: Run) -> None:
    assert (
        run("show", "zzz").stderr
        == "saga: no saga 'zzz' in this store; `saga list` shows the ids there are\n"
    )


def test_of_a_damaged_journal_all_is_shown_that_can_be_read(run: Run, store: Path, tamper: Tamper) -> None:
    tamper('UPDATE journal SET records = \'[{"is":"nonsense"}]\' WHERE saga_no = 1 AND seq = 3')
    result = run("show", "o-plain", store=store)
    assert "reserve_goods.1 done" in result.stdout
    assert "ended: COMPLETED" not in result.stdout
    assert result.exit_code == STORE_FAILED
    assert "the journal of saga 'o-plain' cannot be read" in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_was_erased_is_said_to_be(run: Run, store: Path, tamper: Tamper) -> None:
    tamper("UPDATE journal SET records = NULL WHERE saga_no = 1 AND seq = 2")
    assert "what happened was erased" in run("show", "o-plain", store=store).stdout
