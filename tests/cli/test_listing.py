"""`saga list`: the table, what is asked for, and its JSON."""

from __future__ import annotations

import json

import pytest

from saga.cli.main import STATUSES
from saga.machine import Status

from .conftest import Run

WIDE = """\
ID          STATUS       SAGA           STARTED              ENDED / WAITS FOR
o-paused    SUSPENDED    FulfilOrder 1  2026-01-01 00:00:00  a person (suspended): the customer wants to think about it
o-stuck     PARKED       FulfilOrder 1  2026-01-01 00:00:00  a person (undo-refused): the account was closed
                                                             [no-account]
o-mistaken  PARKED       FulfilOrder 1  2026-01-01 00:00:00  a person (function): ZeroDivisionError: a mistake of the
                                                             author,\\x1b[31m and \\u202e of their terminal
o-lettered  PARKED       FulfilOrder 1  2026-01-01 00:00:00  a person (no-handler): no handler for SendLetter/1
o-mailed    RUNNING      FulfilOrder 1  2026-01-01 00:00:00  attempt 2 of SendMail/1 at 2026-01-01 00:10:00
o-slow      RUNNING      FulfilOrder 1  2026-01-01 00:00:00  sleeping until 2026-01-04 00:00:00
o-fetched   RUNNING      FulfilOrder 1  2026-01-01 00:00:00  GoodsFetched/1 of o-fetched, until 2026-01-01 12:00:00
o-dear      COMPENSATED  FulfilOrder 1  2026-01-01 00:00:00  ended 00:00:00, the card is not good for that
                                                             [card-refused]
o-broken    COMPENSATED  FulfilOrder 1  2026-01-01 00:00:00  ended 00:00:00, RuntimeError: the lorry is broken [failed]
o-refused   COMPENSATED  FulfilOrder 1  2026-01-01 00:00:00  ended 00:00:00, no lorry goes there [no-lorry]
o-plain     COMPLETED    FulfilOrder 1  2026-01-01 00:00:00  ended 00:00:00

11 sagas: 3 RUNNING, 1 COMPLETED, 3 COMPENSATED, 3 PARKED, 1 SUSPENDED
"""

NARROW = """\
ID          STATUS  SAGA           STARTED
    ENDED / WAITS FOR
o-stuck     PARKED  FulfilOrder 1  2026-01-01 00:00:00
    a person (undo-refused): the account was closed
    [no-account]
o-lettered  PARKED  FulfilOrder 1  2026-01-01 00:00:00
    a person (no-handler): no handler for SendLetter/1

11 sagas: 3 RUNNING, 1 COMPLETED, 3 COMPENSATED, 3 PARKED,
  1 SUSPENDED
shown: 2 as asked for
"""


def test_a_wide_terminal_shows_each_saga_on_a_line_and_escapes_what_it_might_obey(run: Run) -> None:
    result = run("list", width=120)
    assert result.stdout == WIDE
    assert result.exit_code == 0


def test_a_narrow_terminal_shows_below_each_saga_what_does_not_fit(run: Run) -> None:
    assert run("list", "--status", "parked", "--tag", "region=north", width=60).stdout == NARROW


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal(run: Run, width: int) -> None:
    assert max(map(len, run("list", width=width).stdout.splitlines())) <= width


def test_into_a_pipe_each_saga_is_one_line_whatever_its_length(run: Run) -> None:
    lines = run("list").stdout.splitlines()
    assert len(lines) == 1 + 11 + 2
    assert lines[3].endswith("a mistake of the author,\\x1b[31m and \\u202e of their terminal")


def ids(run: Run, *arguments: str) -> list[str]:
    return [
        saga["id"].removeprefix("o-")
        for saga in json.loads(run("list", "--json", *arguments).stdout)["sagas"]
    ]


def test_sagas_are_found_by_status_tag_and_name(run: Run) -> None:
    assert ids(run, "--status", "COMPLETED", "--status", "suspended") == ["paused", "plain"]
    assert ids(run, "--tag", "region=south", "--status", "RUNNING") == ["mailed", "fetched"]
    assert ids(run, "--tag", "region=nowhere") == []
    assert len(ids(run, "--saga", "FulfilOrder")) == 11


def test_pages_follow_each_other_without_a_gap(run: Run) -> None:
    first = json.loads(run("list", "--json", "--limit", "4").stdout)
    second = json.loads(run("list", "--json", "--limit", "7", "--after", str(first["next_after"])).stdout)
    assert [saga["no"] for saga in first["sagas"] + second["sagas"]] == list(range(11, 0, -1))
    assert second["next_after"] is None
    assert "--after 8" in run("list", "--limit", "4").stdout


def test_a_name_that_no_saga_has_is_told_with_those_there_are(run: Run) -> None:
    result = run("list", "--saga", "FulfillOrder")
    assert result.stdout == "0 sagas FulfillOrder\n"
    assert result.stderr == "saga: no saga is called 'FulfillOrder' here; there are FulfilOrder\n"


def test_json_has_the_documented_fields(run: Run) -> None:
    listing = json.loads(run("list", "--json").stdout)
    assert listing.keys() == {"sagas", "counts", "next_after"}
    assert listing["counts"] == {
        "RUNNING": 3,
        "COMPENSATING": 0,
        "COMPLETED": 1,
        "COMPENSATED": 3,
        "PARKED": 3,
        "SUSPENDED": 1,
    }
    sagas = {saga["id"]: saga for saga in listing["sagas"]}
    assert sagas["o-refused"] == {
        "no": 2,
        "id": "o-refused",
        "saga": "FulfilOrder",
        "version": 1,
        "status": "COMPENSATED",
        "started_at": "2026-01-01T00:00:00.000Z",
        "ended_at": "2026-01-01T00:00:00.000Z",
        "refusal": {"code": "no-lorry", "reason": "no lorry goes there"},
        "tags": {"region": "north"},
        "waiting_for": [],
    }
    assert sagas["o-fetched"]["waiting_for"][0] == {
        "kind": "event",
        "path": "scope-1.1/goods_fetched.1",
        "type": "GoodsFetched/1",
        "participant": None,
        "key": "o-fetched",
        "assignee": None,
        "called": None,
        "attempt": None,
        "due_at": "2026-01-01T12:00:00.000Z",
        "incident": None,
        "reason": None,
        "since_at": None,
    }


def test_what_each_saga_waits_for_is_told(run: Run) -> None:
    sagas = json.loads(run("list", "--json").stdout)["sagas"]
    kinds = {saga["id"][2:]: [each["kind"] for each in saga["waiting_for"]] for saga in sagas}
    assert kinds == {
        "plain": [],
        "refused": [],
        "broken": [],
        "dear": [],
        "fetched": ["event", "deadline"],
        "slow": ["time", "deadline"],
        "mailed": ["attempt", "deadline"],
        "lettered": ["person", "deadline"],
        "mistaken": ["person"],
        "stuck": ["person"],
        "paused": ["person"],
    }


def test_json_is_safe_for_a_terminal_and_loses_nothing(run: Run) -> None:
    out = run("list", "--json").stdout
    assert all(line.isprintable() for line in out.splitlines())
    assert "\\u202e" in out
    [reason] = [
        saga["waiting_for"][0]["reason"] for saga in json.loads(out)["sagas"] if saga["id"] == "o-mistaken"
    ]
    assert "\x1b[31m and \u202e of" in reason


def test_the_command_line_knows_all_statuses() -> None:
    assert tuple(status.value for status in Status) == STATUSES
