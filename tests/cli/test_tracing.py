"""`saga trace`: the whole story of an id, on any store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run, saga_command

STORY = """\
story of  o-refused
tells of  1 saga, 5 commands, 1 event

2026-01-01
00:00:00.000  o-refused: FulfilOrder version 1 starts [COMPENSATED]
00:00:00.000    reserve_goods.1: ReserveGoods/1 to inventory
00:00:00.000      inventory: done
00:00:00.000    take_payment.1: TakePayment/1 to payment
00:00:00.000      payment: done
00:00:00.000      payment publishes PaymentReceived/1 of o-refused
                    notification has failed on it 5 times: LookupError: no
                        address; set aside
00:00:00.000    ship_goods.1: ShipGoods/1 to shipment
00:00:00.000      shipment: refused: no lorry goes there [no-lorry]
00:00:00.000    the saga turns back: no lorry goes there [no-lorry]
00:00:00.000    take_payment.1~1: RefundPayment/1 to payment
00:00:00.000      payment: done
00:00:00.000    reserve_goods.1~1: ReleaseGoods/1 to inventory
00:00:00.000      inventory: done
00:00:00.000    ended: COMPENSATED
"""


def test_a_story_can_be_read_on_a_terminal_of_80_columns(run: Run) -> None:
    result = run("trace", "o-refused", width=80)
    assert result.stdout == STORY
    assert result.exit_code == 0


@pytest.mark.parametrize("id", ["payment:2", "o-refused:ship_goods.1", "o-refused:take_payment.1~1"])
def test_the_ids_of_events_and_commands_find_it_too(run: Run, id: str) -> None:
    assert run("trace", id, width=80).stdout == STORY


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(run: Run, width: int) -> None:
    for id in ("o-refused", "o-mistaken", "o-stuck"):
        assert max(map(len, run("trace", id, width=width).stdout.splitlines())) <= width


def test_what_an_author_wrote_cannot_steer_the_terminal(run: Run) -> None:
    assert run("trace", "o-mistaken").stdout.isascii()
    assert all(line.isprintable() for line in run("trace", "o-mistaken", "--json").stdout.splitlines())


def test_json_has_the_documented_fields(run: Run) -> None:
    traced = json.loads(run("trace", "o-plain", "--json").stdout)
    assert traced.keys() == {"correlation", "truncated", "entries"}
    assert (traced["correlation"], traced["truncated"]) == ("o-plain", False)
    first, second = traced["entries"][:2]
    assert first == {
        "depth": 0,
        "at": "2026-01-01T00:00:00.000Z",
        "what": "saga",
        "who": "o-plain",
        "text": "o-plain: FulfilOrder version 1 starts",
        "id": "o-plain",
        "cause": None,
        "type": "FulfilOrder",
        "outcome": "COMPLETED",
    }
    assert (second["what"], second["type"], second["outcome"]) == ("command", "ReserveGoods/1", "done")
    whats = {entry["what"] for entry in traced["entries"]}
    assert whats == {"saga", "command", "answer", "event", "listener", "note"}


def test_a_step_that_is_parked_or_waits_is_told(run: Run) -> None:
    assert "goods_fetched.1: waiting for GoodsFetched/1 of o-fetched" in run("trace", "o-fetched").stdout
    assert "PARKED (undo-refused): the account was closed" in run("trace", "o-stuck").stdout
    assert "shipment: attempt 1 failed: RuntimeError: the lorry is broken" in run("trace", "o-broken").stdout


def test_an_unknown_id_is_one_line_and_an_exit_code(run: Run) -> None:
    result = run("trace", "nobody")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.startswith("saga: nothing in this store has the id 'nobody'; give that of a saga")


def test_it_works_beside_a_running_program(running: Path) -> None:
    result = saga_command("--store", running, "trace", "o-plain")
    assert result.returncode == 0
    assert "payment publishes PaymentReceived/1 of o-plain" in result.stdout


def test_it_works_on_what_a_dead_program_has_left(killed: Path) -> None:
    result = saga_command("--store", killed, "trace", "plain-0-0")
    assert result.returncode == 0
    assert "ended: COMPLETED" in result.stdout
